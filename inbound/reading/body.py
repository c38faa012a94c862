"""Which text to show of a mail, and HTML that is safe to show. No part of a body is thrown away here."""

import re
from html import escape

import lxml.html
import nh3
from lxml import etree

MAX_HTML = 2_000_000  # characters; a longer body is shown as text alone

_TAGS = {
    "a", "abbr", "address", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code",
    "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s",
    "samp", "section", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"dir", "lang", "title", "align", "valign", "style"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap"},
    "table": {"width", "border", "cellpadding", "cellspacing", "bgcolor"},
    "tr": {"bgcolor"},
    "col": {"width", "span"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "ul": {"type"},
}
# No position, no z-index, no url(): a mail must not paint over the page or call home.
_STYLES = {
    "color", "background-color", "font-family", "font-size", "font-style", "font-weight", "text-align",
    "text-decoration", "text-indent", "line-height", "vertical-align", "white-space", "padding", "padding-left",
    "padding-right", "padding-top", "padding-bottom", "margin-left", "margin-bottom", "border", "border-left",
    "border-top", "border-bottom", "border-right", "border-collapse", "border-color", "border-style",
    "border-width", "list-style-type",
}  # fmt: skip
_DROPPED = {"script", "style", "head", "title", "noscript", "template", "object", "iframe", "svg", "math", "xml"}

_PLAIN_BACKGROUND = re.compile(
    r"""([;"'\s])background\s*:\s*(#[0-9a-f]{3,8}|rgba?\([\d\s,.%]+\)|[a-z]+)(?=\s*[;"'])""", re.IGNORECASE
)
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    filter_style_properties=_STYLES,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"loading": "lazy"}},
)


def safe_html(html: str) -> str:
    """`html` without script, forms, frames, positioned or tracking styles; links and cid: images stay."""
    # The shorthand is not let through (it can hold url()); a plain colour in it is what makes white text readable.
    return _CLEANER.clean(_PLAIN_BACKGROUND.sub(r"\1background-color:\2", html))


def text_to_html(text: str) -> str:
    """Plain text as HTML that looks the same."""
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def read_html(html: str) -> lxml.html.HtmlElement | None:
    """The tree of a mail's HTML, or None where there is nothing in it (or too much)."""
    if not html.strip() or len(html) > MAX_HTML:
        return None
    html = re.sub(r"^\s*<\?xml[^>]*>", "", html)  # lxml refuses text that declares an encoding
    try:
        root = lxml.html.document_fromstring(html, parser=_parser())
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    return root


def write_html(root: lxml.html.HtmlElement) -> str:
    return lxml.html.tostring(root, encoding="unicode", method="html")


def html_to_text(html: str) -> str:
    """What a reader of the HTML sees, as plain text: blocks on their own lines, links after their words."""
    root = read_html(html)
    if root is None:
        return re.sub(r"<[^>]{0,2000}>", "", html) if len(html) > MAX_HTML else ""
    return element_to_text(root)


def element_to_text(root: lxml.html.HtmlElement) -> str:
    out = _Text()
    _render(root, out, depth=0)
    text = "".join(out.pieces).replace("\u00a0", " ")
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def unflow(text: str, *, delsp: bool) -> str:
    """format=flowed (RFC 3676 section 4) with its soft line breaks undone."""
    lines: list[str] = []
    flowing, depth = False, 0
    for line in text.split("\n"):
        quotes = len(line) - len(line.lstrip(">"))
        content = line[quotes:]
        content = content[1:] if content.startswith(" ") else content
        soft = content.endswith(" ") and content != "-- "
        if soft and delsp:
            content = content[:-1]
        if flowing and quotes == depth and lines:
            lines[-1] += content
        else:
            lines.append((">" * quotes + " " if quotes else "") + content)
        flowing, depth = soft, quotes
    return "\n".join(lines)


def _parser() -> lxml.html.HTMLParser:
    return lxml.html.HTMLParser(encoding=None, remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)


_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
    "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
}  # fmt: skip
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "table", "pre"}


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


def _render(element: lxml.html.HtmlElement, out: _Text, depth: int) -> None:
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in _DROPPED or depth > 200:
        return
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
    before = len(out.pieces)
    out.pre += tag == "pre"
    if element.text:
        out.words(element.text)
    for child in element:
        _render(child, out, depth + 1)
        if child.tail:
            out.words(child.tail)
    out.pre -= tag == "pre"
    if tag == "a":
        href = (element.get("href") or "").strip()
        label = "".join(out.pieces[before:]).strip()
        if href.startswith(("http://", "https://")) and label and not _same_link(label, href):
            out.words(f" ({href})")
    if tag in _BLOCKS:
        out.block(tag in _PARAGRAPHS)


def _same_link(label: str, href: str) -> bool:
    plain = re.sub(r"^https?://(www\.)?|/$", "", href)
    return plain.startswith(re.sub(r"^https?://(www\.)?|/$|…$|\.\.\.$", "", label))
