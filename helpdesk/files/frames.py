"""A stranger's HTML as a document of its own, for a frame: of no origin, so that it is nobody's
page and has nobody's cookies. Nothing of it runs, and it fetches nothing from us but the pictures
that came with it."""

import hashlib
import re
from base64 import b64encode
from datetime import timedelta

from django.core import signing
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET

from helpdesk.content_policy import policy
from helpdesk.files.downloads import INLINE, NotGivenOut, download
from helpdesk.models import Attachment, Comment

SALT, SHOWN_FOR = "picture", timedelta(hours=2)
# The one script that runs in a frame, by its hash: the page around cannot look into it to see how
# high it is.
_HEIGHT = (
    "const e=document.documentElement,tell=()=>parent.postMessage("
    '{height:e.offsetHeight+(e.scrollWidth>e.clientWidth?16:0)},"*");'
    "new "
    'ResizeObserver(tell).observe(e);addEventListener("load",tell);addEventListener("message",tell)'
)
_HASH = f"'sha256-{b64encode(hashlib.sha256(_HEIGHT.encode()).digest()).decode()}'"


def comment_page(
    request: HttpRequest,
    comment: Comment,
    html: str,
    *,
    remote_images: bool = False,
    tells_height: bool = False,
) -> HttpResponse:
    """`html` of that comment, which its reader may see. Pictures from elsewhere stay away unless
    they are asked for."""
    cids = {
        a.content_id.lower(): a.pk
        for a in comment.attachments.all()
        if a.content_id and a.content_type in INLINE
    }

    def local(match: "re.Match[str]") -> str:
        pk = cids.get(match[2].lower())
        # A document of no origin is sent no cookies: the address itself says that its reader may
        # see it.
        return match[1] + (
            reverse("picture", args=[signing.dumps(pk, salt=SALT)]) if pk else "data:,"
        )

    shown = render_to_string(
        "staff/comment_html.html", {"html": re.sub(r"""(src=["'])cid:([^"']+)""", local, html)}
    )
    return page(request, shown, remote_images=remote_images, tells_height=tells_height)


def page(
    request: HttpRequest, document: str, *, remote_images: bool, tells_height: bool
) -> HttpResponse:
    """`document`, whose links open in a tab of their own. With `tells_height` it tells the page
    around how high it is."""
    if tells_height:
        document = f"<script>{_HEIGHT}</script>".join(document.rsplit("</body>", 1))
    pictures = request.build_absolute_uri("/pictures/")
    response = HttpResponse(document)
    response["Content-Security-Policy"] = policy(
        script_src=_HASH if tells_height else "'none'",
        style_src="'unsafe-inline'",
        font_src="'none'",
        connect_src="'none'",
        form_action="'none'",
        frame_src="'none'",
        frame_ancestors="'self'",
        img_src=f"{pictures} data: https: http:" if remote_images else f"{pictures} data:",
        sandbox=f"{'allow-scripts ' if tells_height else ''}allow-popups "
        "allow-popups-to-escape-sandbox",
    )
    response["Referrer-Policy"] = "no-referrer"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
def picture(request: HttpRequest, token: str) -> FileResponse:
    """A picture that came with a comment, for the frame that shows the comment. Http404 for a
    forged or old address."""
    try:
        pk = signing.loads(token, salt=SALT, max_age=SHOWN_FOR)
    except signing.BadSignature:
        raise Http404 from None
    found = Attachment.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    try:
        return download(found)
    except NotGivenOut:
        raise Http404 from None
