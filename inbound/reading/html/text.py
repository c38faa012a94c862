"""HTML as its reader sees it, in plain text: blocks on their own lines, links after their words."""

import re
from html import unescape

import lxml.html

from inbound.reading.html.tree import read_html


class _Text:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.at_line_start = True
        self.pre = 0

    def words(self, text: str) -> None:
        if self.pre:
            self.pieces.append(text)
            self.at_line_start = text.endswith("\n")
            return
        folded = re.sub(r"[ \t\r\n\f]+", " ", text)
        if self.at_line_start:
            folded = folded.lstrip(" ")
        if folded:
            self.pieces.append(folded)
            self.at_line_start = False

    def line_break(self) -> None:
        self.pieces.append("\n")
        self.at_line_start = True

    def block(self, paragraph: bool) -> None:
        if not self.at_line_start:
            self.line_break()
        if paragraph and self.pieces and self.pieces[-1] != "\n\n":
            self.pieces.append("\n")


def html_to_text(html: str) -> str:
    """What a reader of the HTML sees, as plain text: blocks on their own lines, links after their
    words."""
    root = read_html(html)
    return without_tags(html) if root is None else element_to_text(root)


def element_to_text(root: lxml.html.HtmlElement) -> str:
    out = _Text()
    _render(root, out)
    return _plain("".join(out.pieces))


def _render(element: lxml.html.HtmlElement, out: _Text) -> None:
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in _UNREAD:
        return
    _begin(element, tag, out)
    before = len(out.pieces)
    out.pre += tag == "pre"
    if element.text:
        out.words(element.text)
    for child in element:
        _render(child, out)
        if child.tail:
            out.words(child.tail)
    out.pre -= tag == "pre"
    if tag == "a":
        _name_the_link(element, "".join(out.pieces[before:]).strip(), out)
    if tag in _BLOCKS:
        out.block(tag in _PARAGRAPHS)


def _begin(element: lxml.html.HtmlElement, tag: str, out: _Text) -> None:
    """What an element shows before its own words."""
    if tag == "br":
        out.line_break()
    elif tag == "hr":
        out.block(False)
        out.pieces.append("---\n")
    elif tag == "img":
        if alt := (element.get("alt") or "").strip():
            out.words(f"[{alt}]")
    elif (tag == "td" or tag == "th") and not out.at_line_start:
        out.words(" ")
    if tag in _BLOCKS:
        out.block(tag in _PARAGRAPHS)
    if tag == "li":
        out.words("* ")


def _name_the_link(element: lxml.html.HtmlElement, label: str, out: _Text) -> None:
    href = (element.get("href") or "").strip()
    if href.startswith(("http://", "https://")) and label and not _same_link(label, href):
        out.words(f" ({href})")


def _same_link(label: str, href: str) -> bool:
    plain = re.sub(r"^https?://(www\.)?|/$", "", href)
    return plain.startswith(re.sub(r"^https?://(www\.)?|/$|…$|\.\.\.$", "", label))


_UNREAD = set("script style head title noscript template object iframe svg math xml".split())
_BLOCKS = set(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure"
    " footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tr"
    " ul".split()
)
_PARAGRAPHS = set("p h1 h2 h3 h4 h5 h6 ul ol blockquote table pre".split())


def without_tags(html: str) -> str:
    """The words of HTML that is too much to be read as such."""
    text = re.sub(
        r"<(?:br|/p|/div|/tr|/li)\b[^<>]{0,2000}+>",
        "\n",
        _without(html, "script", "style"),
        flags=re.IGNORECASE,
    )
    return _plain(unescape(re.sub(r"<[!/a-zA-Z][^<>]{0,2000}+>", "", text)))


def _without(html: str, *tags: str) -> str:
    """Without those elements; one that does not end ends with the text."""
    for tag in tags:
        small, pieces, end = html.lower(), [], 0
        while (begin := small.find(f"<{tag}", end)) >= 0:
            pieces.append(html[end:begin])
            end = small.find(f"</{tag}", begin)
            if end < 0:
                end = len(html)
        html = "".join(pieces) + html[end:]
    return html


def _plain(text: str) -> str:
    text = "\n".join(line.rstrip(" \t") for line in text.replace("\u00a0", " ").split("\n"))
    return re.sub(r"\n{3,}+", "\n\n", text).strip()
