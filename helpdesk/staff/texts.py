"""A mailbox's own mail texts: how they look, and a test mail."""

from datetime import timedelta

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.views.decorators.http import require_http_methods

from helpdesk import access
from helpdesk.actions.mailboxes import send_test_mail
from helpdesk.files import frames
from helpdesk.models import Comment, MailTemplate, Person, Ticket
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound import links, markdown, texts
from inbound.models import Mailbox


@require_http_methods(["GET", "POST"])
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The text with sample values, as the customer sees it; POST sends it to the admin who asks."""
    if not access.is_admin(request.user):
        raise PermissionDenied
    found = get_object_or_404(MailTemplate.objects.select_related("mailbox__identity"), pk=pk)
    with translation.override(found.language or None):
        said = texts.of_own_text(found.subject, found.body, sample(found.mailbox, request.user))
    if request.method == "POST":
        send_test_mail(found, said, actor=request.user)
        messages.success(request, f"A test mail is on its way to {request.user.email}.")
        return redirect("admin:mail_text_preview", pk)
    if "html" in request.GET:
        return frames.page(request, said.html, remote_images=True, tells_height=True)
    context = {
        **admin.site.each_context(request),
        "title": f"{KINDS[found.kind].title}: preview" if found.kind in KINDS else "Preview",
        "text": found,
        "said": said,
    }
    return render(request, "staff/mail_text.html", context)


def sample(mailbox: Mailbox, me: Person) -> dict[str, object]:
    """Believable values for every placeholder. Nothing of it is stored."""
    customer = Person(email="cleo@example.net", name="Cleo Sample")
    ticket = Ticket(
        pk=1042, subject="The printer on the second floor", requester=customer, mailbox=mailbox
    )
    said = (
        "Please restart it, and try again.\n\nIf that does not help, we come by **tomorrow "
        "morning**."
    )
    answer = Comment(ticket=ticket, author=me, text=said, html=markdown.to_html(said))
    earlier = Comment(
        ticket=ticket,
        author=customer,
        text="It prints every page twice.",
        created_at=timezone.now(),
    )
    return {
        "ticket": ticket,
        "person": customer,
        "mailbox": mailbox,
        "comment": answer,
        "earlier": earlier,
        "agent": texts.agent_name(mailbox, me),
        "signature": texts.signature(mailbox, me),
        "code": "123456",
        "link_until": links.works_until(),
        "answer_by": timezone.now() + timedelta(hours=4),
        "language": "en",
        "link": "https://support.example.com/portal/tickets/1042/",
    }
