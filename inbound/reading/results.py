"""Authentication-Results (RFC 8601), as servers really write them: what one found out about a mail
that it took in."""

import re
from dataclasses import dataclass

MAX_VALUE, MAX_RESULTS = 8000, 30


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result: `dkim=pass header.d=example.com` is method dkim, value pass, said
    {"header.d": …}."""

    method: str
    value: str
    said: dict[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """`server` is the authserv-id, "" where there is none (Microsoft 365 often leaves it out)."""

    server: str = ""
    found: tuple[Result, ...] = ()

    def of(self, method: str) -> list[Result]:
        return [result for result in self.found if result.method == method]


def read_results(value: str) -> Results:
    """Whatever the value: what is no result is passed over."""
    parts = _without_comments(value[:MAX_VALUE]).split(";")
    first = parts[0].split()
    # "mx.example.com 1; …" has a version behind its name; Microsoft begins with a result.
    server = first[0].lower()[:255] if first and "=" not in first[0] else ""
    results = [
        _result(part) for part in (parts[1:] if server or not first else parts)[:MAX_RESULTS]
    ]
    return Results(server, tuple(result for result in results if result is not None))


def _result(part: str) -> Result | None:
    words = _WORD.findall(part[:MAX_VALUE])
    if not words or words[0][0].lower() == "none":
        return None
    pairs = [(name.lower(), told.strip('"').lower()[:400]) for name, told in words]
    method, value = pairs[0]
    said: dict[str, str] = {}
    for name, told in pairs[1:]:
        said.setdefault(name, told)
    return Result(method.partition("/")[0], value, said)


_WORD = re.compile(r'([A-Za-z0-9./_-]{1,60})\s{0,10}=\s{0,10}("[^"\r\n]{0,400}"|[^\s";]{1,400})')


def _without_comments(value: str) -> str:
    """RFC 5322 3.2.2: comments nest, and in quoted strings there are none."""
    kept: list[str] = []
    depth, is_quoted, position = 0, False, 0
    while position < len(value):
        char = value[position]
        if char == "\\":
            position += 1  # a quoted pair
        elif char == '"' and not depth:
            is_quoted = not is_quoted
        if not is_quoted and char == "(":
            depth += 1
        elif not is_quoted and char == ")" and depth:
            depth -= 1
        elif not depth:
            # Separators in a quoted string separate nothing.
            kept.append("," if is_quoted and char == ";" else char)
        position += 1
    return "".join(kept)
