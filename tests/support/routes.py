"""Every route there is, with the values that lead to something; and a world in which there is
something of each kind."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.tokens import default_token_generator
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from helpdesk import actions
from helpdesk.actions import Content, File
from helpdesk.files import frames
from helpdesk.models import (
    AlertChannel,
    Attachment,
    BlockedSender,
    BusinessCalendar,
    Category,
    CustomField,
    Identity,
    MailTemplate,
    Person,
    SLAPolicy,
    Suppression,
    Tag,
    Team,
    Ticket,
)
from helpdesk.outbound.compose import UNSUBSCRIBE_SALT
from helpdesk.outbound.links import ticket_link
from inbound.models import ImapAccount, InboundMail
from tests.support.api import PNG, admin
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    path: str  # with its parameters: /admin/tickets/<int:pk>/
    view: Any

    @property
    def parameters(self) -> list[str]:
        return [name for _, name in PARAMETER.findall(self.path)]

    def url(self, values: dict[str, Any]) -> str:
        return PARAMETER.sub(lambda match: str(values[match[2]]), self.path)

    @property
    def model(self) -> Any:
        """Of a page that Django's admin makes."""
        return getattr(getattr(self.view, "model_admin", None), "model", None)


def routes(patterns: Any = None, before: str = "/") -> Iterator[Route]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        pattern = entry.pattern
        piece = (
            simplify_regex(str(pattern)).removeprefix("/")
            if isinstance(pattern, RegexPattern)
            else str(pattern)
        )
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, before + piece)
        elif isinstance(entry, URLPattern):
            yield Route(before + piece, entry.callback)


@dataclass
class World:
    cleo: Person
    ada: Person
    root: Person
    ticket: Ticket
    mail: InboundMail
    file: Attachment
    imap: ImapAccount
    more: dict[str, Any] = field(default_factory=dict)

    def values(self, route: Route) -> dict[str, Any]:
        """What leads this route to something that is there."""
        comment = self.file.comment_id
        uid = urlsafe_base64_encode(force_bytes(self.cleo.pk))
        values: dict[str, Any] = {
            "pk": self.ticket.pk,
            "folder": Path(self.file.file.name).parent.name,
            "comment": comment,
            "message_id": comment,
            "profile_id": self.cleo.pk,
            "id": self.cleo.pk,
            "name": Path(self.file.file.name).name,
            "uidb64": uid,
            "token": default_token_generator.make_token(self.cleo),
            "app_label": "helpdesk",
            "object_id": 1,
            "var": "inbound",
            "content_type_id": ContentType.objects.get_for_model(Team).pk,
            "url": "nothing/",
        }
        first = route.path.split("/")
        if "comments/<" in route.path and route.parameters[-1] == "pk":
            values["pk"] = comment
        elif "files/<" in route.path or "attachments/<" in route.path:
            values["pk"] = self.file.pk
        elif "/mail/<" in route.path:
            values["pk"] = self.mail.pk
        elif "mail-texts" in route.path:
            values["pk"] = self.more["text"].pk
        elif "imapaccount" in route.path:
            values["pk"] = self.imap.pk
        if "sent-mail" in route.path:
            values["name"] = "1.eml"
        if "link" in first:
            values["token"] = ticket_link(self.ticket, self.cleo).rstrip("/").rpartition("/")[2]
        elif "unsubscribe" in first:
            values["token"] = signing.dumps([self.cleo.pk, "digest"], salt=UNSUBSCRIBE_SALT)
        elif "pictures" in first:
            values["token"] = signing.dumps(self.file.pk, salt=frames.SALT)
        if route.model is not None and (
            found := route.model._default_manager.order_by("pk").first()
        ):
            values["object_id"] = found.pk
        return values

    def clients(self) -> dict[str, Client]:
        """A browser of nobody's, of a customer's, an agent's and an admin's."""
        made = {"nobody": Client(raise_request_exception=False)}
        for name, person in (("customer", self.cleo), ("agent", self.ada), ("admin", self.root)):
            made[name] = Client(raise_request_exception=False)
            made[name].force_login(person, backend="helpdesk.auth.EmailBackend")
        return made


def world(imap_port: int = 1) -> World:
    """There is something behind every route."""
    box, cleo, ada, root = mailbox(), customer(), agent(), admin()
    Identity.objects.create(mailbox=box)
    team = Team.objects.create(name="First line")
    team.members.add(ada)
    AlertChannel.objects.create(team=team, name="Chat", url="json://localhost")
    category = Category.objects.create(name="Bills")
    calendar = BusinessCalendar.objects.create(name="Office")
    SLAPolicy.objects.create(name="All", calendar=calendar, first_response=60)
    Tag.objects.create(name="vip")
    for kind in ("text", "number", "date", "checkbox"):
        CustomField.objects.create(slug=f"a-{kind}", label=kind, kind=kind, for_customers=True)
    CustomField.objects.create(
        slug="a-choice", label="choice", kind="choice", choices="one\ntwo", for_customers=True
    )
    BlockedSender.objects.create(pattern="@spam.example")
    Suppression.objects.create(address=cleo.email, reason="bounced")
    text = MailTemplate.objects.create(
        mailbox=box, kind="acknowledgement", subject="{{ticket}}", body="Hi {{person}}"
    )
    imap = ImapAccount.objects.create(
        mailbox=box, host="127.0.0.1", port=imap_port, security="none", username="support"
    )
    ticket = ticket_of(
        receive(eml("It smokes", html="<p>It <b>smokes</b></p>", message_id="first@example.net"))
    )
    stored = f"tickets/{ticket.pk}/portal-0123456789abcdef.png"
    from django.core.files.storage import default_storage

    default_storage.save(stored, ContentFile(PNG))
    content = Content(text="Look", files=(File(stored, "look.png", "image/png", len(PNG)),))
    actions.customer_comment(ticket, cleo, content, via="portal")
    receive(
        eml(
            "Me too",
            sender="eve@example.org",
            subject="Re: Help",
            message_id="second@example.net",
            in_reply_to="<first@example.net>",
        )
    )  # held
    mail = receive(
        eml("x", sender="MAILER-DAEMON@example.org", auto_submitted="auto-replied"), mail_from=""
    )
    folder = Path(settings.EMAIL_FILE_PATH)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1.eml").write_bytes(eml("Sent"))
    ticket.refresh_from_db()
    return World(
        cleo,
        ada,
        root,
        ticket,
        mail,
        Attachment.objects.order_by("pk")[0],
        imap,
        {"text": text, "team": team, "category": category},
    )
