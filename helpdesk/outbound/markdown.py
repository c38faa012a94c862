"""Agents write Markdown; customers read HTML with the same words as plain text beside it."""

from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from inbound.reading.html.safe import safe_html


def to_html(text: str, images: Mapping[str, str] | None = None) -> str:
    """Safe HTML. A line break stays one, bare links become links, raw HTML is shown as it was
    typed.

    `images` names attached pictures by file name: `![](name)` shows the one with that Content-ID.
    Other pictures are shown by their http(s) address or not at all.
    """
    tokens = _markdown.parse(text)
    _place_images(tokens, images or {})
    return safe_html(str(_markdown.renderer.render(tokens, _markdown.options, {}))).strip()


def shows(text: str, name: str) -> bool:
    """Whether `text` shows the attached picture `name` in its place."""
    return any(
        token.type == "image" and token.attrGet("src") == _source(name)
        for block in _markdown.parse(text)
        for token in block.children or []
    )


def _place_images(tokens: list[Token], images: Mapping[str, str]) -> None:
    known = {_source(name): cid for name, cid in images.items()}
    for block in tokens:
        for number, token in enumerate(block.children or []):
            if token.type != "image":
                continue
            source = str(token.attrGet("src") or "")
            if source in known:
                token.attrSet("src", f"cid:{known[source]}")
            elif not source.startswith(("https://", "http://")):
                assert block.children is not None
                block.children[number] = Token("text", "", 0, content=token.content or source)


def _source(name: str) -> Any:
    return _markdown.normalizeLink(name)


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True}).enable(
    ["linkify", "strikethrough", "table"]
)
# `www.example.com` and addresses too, but not every word with a dot in it.
_markdown.linkify.set({"fuzzy_link": False})  # type: ignore[union-attr]
