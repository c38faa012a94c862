"""Plain text whose lines its sender has broken (format=flowed)."""


def unflow(text: str, *, delsp: bool) -> str:
    """format=flowed (RFC 3676 section 4) with its soft line breaks undone."""
    lines: list[str] = []
    flowing: list[str] = []  # the pieces of a line that goes on
    depth = 0
    for line in text.split("\n"):
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content[1:] if content.startswith(" ") else content
        soft = content.endswith(" ") and content != "-- "
        if flowing and quotes != depth:
            lines.append("".join(flowing))
            flowing = []
        if not flowing and quotes:
            content = ">" * quotes + " " + content
        flowing.append(content[:-1] if soft and delsp else content)
        depth = quotes
        if not soft:
            lines.append("".join(flowing))
            flowing = []
    return "\n".join([*lines, "".join(flowing)] if flowing else lines)
