"""A file as a download: nothing in it runs in our name."""

from django.http import FileResponse, Http404

from helpdesk.content_policy import policy
from helpdesk.models import Attachment

# Shown in the browser; everything else is downloaded. SVG and HTML are documents, not pictures.
INLINE = {"image/png", "image/jpeg", "image/gif", "image/webp"}


class NotGivenOut(Exception):
    """The virus scanner found something in the file, or has not looked at it yet and nobody has
    asked for it all the same."""

    def __init__(self, file: Attachment) -> None:
        super().__init__(f"{file.name}: {_why(file)}")
        self.file = file


def download(found: Attachment, *, unscanned: bool = False) -> FileResponse:
    """Raises Http404 where the file is gone, and NotGivenOut. Whether its reader may see it was
    decided before. `unscanned`: its reader has been warned."""
    if found.is_kept_out or (found.is_unscanned and not unscanned):
        raise NotGivenOut(found)
    inline = found.content_type in INLINE
    try:
        file = found.file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        file,
        as_attachment=not inline,
        filename=found.name,
        content_type=found.content_type if inline else "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = policy(
        script_src="'none'", style_src="'none'", frame_ancestors="'self'", sandbox=""
    )
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _why(file: Attachment) -> str:
    if file.is_kept_out:
        return f"it was kept out, for the virus scanner found {file.signature} in it."
    if file.scan == Attachment.Scan.FAILED:
        return "the virus scanner could not look at it."
    return "the virus scanner has not looked at it yet."
