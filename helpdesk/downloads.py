"""A file as a download: nothing in it runs in our name."""

from django.http import FileResponse, Http404

from helpdesk.middleware import policy
from helpdesk.models import Attachment

# Shown in the browser; everything else is downloaded. SVG and HTML are documents, not pictures.
INLINE = {"image/png", "image/jpeg", "image/gif", "image/webp"}


def download(found: Attachment) -> FileResponse:
    """Raises Http404 where the file is gone. Whether its reader may see it was decided before."""
    inline = found.content_type in INLINE
    try:
        file = found.file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        file, as_attachment=not inline, filename=found.name,
        content_type=found.content_type if inline else "application/octet-stream",
    )  # fmt: skip
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = policy(
        script_src="'none'", style_src="'none'", frame_ancestors="'self'", sandbox=""
    )  # fmt: skip
    response["Cache-Control"] = "private, max-age=3600"
    return response
