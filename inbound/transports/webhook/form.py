"""A post that is a form, read with as many files as a mail may have and with the mail's own
bytes."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, QueryDict, multipartparser
from django.http.multipartparser import ChunkIter, InterBoundaryIter, LazyStream, MultiPartParser
from django.utils.datastructures import MultiValueDict

# The fields of a form that hold the mail as it came: Mailgun's and SendGrid's.
RAW_FIELDS = {"body-mime", "email"}
# bytes of a part's own header in a form; a file's name of 255 letters takes up to 2.3 KB
PART_HEADER = 16_384


def read_form(request: HttpRequest) -> None:
    """Reads the form as Django would, but with as many files as a mail may have, and the mail's own
    bytes kept. What says how large it may be is helpdesk.edge.bodies. Raises MultiPartParserError
    for what is none."""
    if request.content_type == "multipart/form-data":
        body = BytesIO(request.body)
        fields, files = _Form(request.META, body, request.upload_handlers, "utf-8").read()
    elif request.content_type == "application/x-www-form-urlencoded":
        fields, files = _urlencoded(request.body), MultiValueDict()
    else:
        return
    found = QueryDict(mutable=True, encoding="utf-8")
    for name, value in fields:
        is_raw = name in RAW_FIELDS
        found.appendlist(name, value.decode("utf-8", "surrogateescape" if is_raw else "replace"))
    # Where HttpRequest keeps what it has read.
    request._post, request._files = found, files  # type: ignore[attr-defined]


def _urlencoded(body: bytes) -> list[tuple[str, bytes]]:
    given = QueryDict(body, encoding="latin-1")  # there each byte is a letter: nothing is replaced
    return [
        (name.encode("latin-1").decode("utf-8", "replace"), str(value).encode("latin-1"))
        for name, values in given.lists()
        for value in values
    ]


class _Form(MultiPartParser):
    """Django's reader of forms (RFC 7578) without its limits on the number of parts, and with files
    that have no name."""

    _content_length: int
    _input_data: BytesIO
    _chunk_size: int
    _boundary: bytes

    def read(self) -> tuple[list[tuple[str, bytes]], MultiValueDict[str, SimpleUploadedFile]]:
        fields, files = list[tuple[str, bytes]](), MultiValueDict[str, SimpleUploadedFile]()
        for name, meta, data in self._parts():
            said = meta["content-disposition"][1]
            if "filename" not in said and not re.fullmatch(r"attachment-?\d+", name):
                fields.append((name, data))
                continue
            given = said.get("filename", b"").decode("utf-8", "replace")
            kind, more = meta.get("content-type", ("", {}))
            file = SimpleUploadedFile(self.sanitize_file_name(given) or name, data, kind.strip())
            file.charset = (more.get("charset") or b"").decode("ascii", "replace") or None
            files.appendlist(name, file)
        return fields, files

    def _parts(self) -> Iterator[tuple[str, Any, bytes]]:
        if not self._content_length:
            return
        stream = LazyStream(ChunkIter(self._input_data, self._chunk_size))
        for part in InterBoundaryIter(stream, b"--" + self._boundary):
            _, meta, rest = multipartparser.parse_boundary_stream(part, PART_HEADER)  # type: ignore[attr-defined]
            try:
                name = meta["content-disposition"][1]["name"].decode("utf-8", "replace").strip()
            except KeyError:
                continue
            yield name, meta, rest.read()
