"""A field's value and the parameters behind it (RFC 2045 5.1 and RFC 2231), leniently: a file name
without quotes keeps its spaces, one that is never closed ends with the value."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from inbound.reading import headers
from inbound.reading.mime.charset import decode


def parameters(raw: str) -> tuple[str, dict[str, str]]:
    """`type/sub; name="a b"; x*0*=…` → ("type/sub", {…}), decoded."""
    value, _, rest = raw.partition(";")
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, content in _split_parameters(rest[: headers.MAX_TEXT]):
        section = re.fullmatch(r"([^*]+)(?:\*(\d+))?(\*)?", name)
        if section is None or (section[2] is None and section[3] is None):
            found.setdefault(name, headers.text(content))
        else:
            # "name" and "name*" may stand side by side: the extended form wins below.
            pieces.setdefault(section[1], {})[int(section[2] or 0)] = (bool(section[3]), content)
    for name, parts in pieces.items():
        found[name] = _join_sections([parts[number] for number in sorted(parts)])
    return headers.one_line(value[: headers.MAX_TEXT]).lower(), found


def parameter(raw: str, name: str) -> str:
    """One parameter's value exactly as it stands there, or "": a boundary is compared byte by
    byte."""
    rest = raw.partition(";")[2]
    return next(
        (value for found, value in _split_parameters(rest[: headers.MAX_TEXT]) if found == name), ""
    )


def _split_parameters(rest: str) -> Iterator[tuple[str, str]]:
    """`a=b; c="d;e"` at its semicolons; quotes that are never closed end with the value."""
    rest, position = rest.replace("\r", "").replace("\n", ""), 0
    while position < len(rest):
        equals, semicolon = rest.find("=", position), rest.find(";", position)
        if equals < 0:
            return
        if 0 <= semicolon < equals:  # a word without a value
            position = semicolon + 1
            continue
        name, begin = rest[position:equals].strip(' \t"').lower(), equals + 1
        while begin < len(rest) and rest[begin] in " \t":
            begin += 1
        quoted = _QUOTED.match(rest, begin)
        if quoted:
            # A backslash before anything but a quote is meant as one: Windows paths.
            value = re.sub(r'\\(["\\])', r"\1", quoted[1])
            semicolon = rest.find(";", quoted.end())
        else:
            semicolon = rest.find(";", begin)
            value = rest[begin : semicolon if semicolon >= 0 else len(rest)].strip()
        if name:
            yield name, value
        position = semicolon + 1 if semicolon >= 0 else len(rest)


# Quantifiers that give nothing back: what was read is not read again.
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"?', re.DOTALL)


def _join_sections(sections: list[tuple[bool, str]]) -> str:
    charset, data = "", []
    for number, (extended, content) in enumerate(sections):
        if extended and number == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw = content.encode("utf-8", "surrogateescape")
        data.append(unquote_to_bytes(raw) if extended else raw)
    return headers.text(headers.one_line(decode(b"".join(data), charset)))
