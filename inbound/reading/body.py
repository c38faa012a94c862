"""Which text to show of a mail, and HTML that is safe to show. No part of a body is thrown away here."""

import re
from html import escape, unescape

import lxml.html
import nh3
from lxml import etree

MAX_HTML = 2_000_000  # characters; a longer body is shown as text alone, as is one of more elements
MAX_ELEMENTS = 20_000
MAX_DEPTH = 100
MAX_FORMATS = 6  # elements such as <b> within each other
MAX_ATTRIBUTE, MAX_LINK = 1000, 4000

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
    r"""([;"'\s])background\s*+:\s*+(#[0-9a-f]{3,8}+|rgba?\([\d\s,.%]{1,60}+\)|[a-z]{1,30}+)(?=\s{0,9}[;"'])""",
    re.IGNORECASE,
)
_FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "calc"}  # of CSS: those that fetch nothing


def _harmless(tag: str, name: str, value: str) -> str | None:
    """An attribute's value, or None. An address must be whole: what a browser would complete with the address of the
    page that shows the mail (/admin/…, //host, https:admin) is ours to it, and asked for as whoever reads the mail."""
    if name in {"href", "src"}:
        # A browser leaves these out before it looks (WHATWG URL 4.4).
        plain = re.sub(r"[\t\r\n]", "", value).strip("".join(map(chr, range(33))))
        return plain if _WHOLE.match(plain) else None
    if name == "style":
        return ";".join(declaration for declaration in value.split(";") if _fetches_nothing(declaration))
    return value


def _fetches_nothing(declaration: str) -> bool:
    # What stands before each bracket; in time with the length, whatever the blanks.
    before = [part.rstrip()[-20:] for part in declaration.lower().split("(")[:-1]]
    functions = {found[0] for part in before if (found := re.search(r"[\w-]*$", part))}
    return "\\" not in declaration and functions <= _FUNCTIONS


_WHOLE = re.compile(r"https?://[^/\\\s]|mailto:|tel:|cid:", re.IGNORECASE)
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED,
    attributes=_ATTRIBUTES,
    attribute_filter=_harmless,
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    url_relative="deny",
    filter_style_properties=_STYLES,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"loading": "lazy"}},
)


def safe_html(html: str) -> str:
    """`html`, as `read_html` and `write_html` leave it, without script, forms, frames, positioned or tracking
    styles, or addresses that are not whole; links and cid: images stay. "" where it would become much larger than it was."""
    # The shorthand is not let through (it can hold url()); a plain colour in it is what makes white text readable.
    safe = _CLEANER.clean(_PLAIN_BACKGROUND.sub(r"\1background-color:\2", html))
    return safe if len(safe) <= 3 * len(html) + 10_000 else ""


def text_to_html(text: str) -> str:
    """Plain text as HTML that looks the same."""
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def read_html(html: str) -> lxml.html.HtmlElement | None:
    """The tree of a mail's HTML, or None where there is nothing in it (or too much to be shown as HTML)."""
    if not html.strip() or len(html) > MAX_HTML:
        return None
    html = re.sub(r"^\s*+<\?xml[^>]*+>", "", html)  # lxml refuses text that declares an encoding
    # libxml2 compares each attribute with all before it. What is so long is a picture in a data: URL, or no good.
    html = re.sub(r"<([a-zA-Z][a-zA-Z0-9]{0,20})[^<>]{4000,}+", r"<\1", html)
    try:
        root, is_cut = _tree(html)
        if is_cut:
            root, is_cut = _tree(_flattened(html))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    return None if is_cut or not _tidy(root) else root


def _tree(html: str) -> tuple[lxml.html.HtmlElement, bool]:
    """The tree, and whether the parser gave up before the end: libxml2 ends where it is nested too deeply."""
    parser = _parser()
    root = lxml.html.document_fromstring(html, parser=parser)
    return root, any(entry.type_name in _GAVE_UP for entry in parser.error_log)


_GAVE_UP = {"ERR_INTERNAL_ERROR", "ERR_RESOURCE_LIMIT", "ERR_NO_MEMORY"}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20}+)([^<>]*+)>?")
_NO_END = {"br", "hr", "img", "input", "meta", "link", "col", "wbr", "area", "base", "embed", "source", "track"}


def _flattened(html: str) -> str:
    """The same text with the tags left out that lie deeper than MAX_DEPTH."""
    pieces: list[str] = []
    depth, left_out, end = 0, 0, 0
    for match in _TAG.finditer(html):
        pieces.append(html[end : match.start()])
        end = match.end()
        if match[2].lower() in _NO_END:
            pieces.append(match[0])
        elif match[1]:
            left_out, drop = max(0, left_out - 1), left_out > 0
            depth -= not drop and depth > 0
            pieces.append("" if drop else match[0])
        elif depth >= MAX_DEPTH:
            left_out += 1
            pieces.append(" ")
        else:
            depth += 1
            pieces.append(match[0])
    return "".join(pieces) + html[end:]


_FORMATTING = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}


def _tidy(root: lxml.html.HtmlElement) -> bool:
    """Takes from the tree what would let a browser's algorithm multiply it; False where there is too much of it.

    HTML's parser opens every formatting element again in each block that follows its misnested end (13.2.4.3, "reconstruct
    the active formatting elements"): 50 KB of <font> become 100 MB. So they are nested a few deep at the most.
    """
    open_formats, elements = 0, 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        is_format = element.tag in _FORMATTING
        if event == "end":
            open_formats -= is_format
            continue
        elements += 1
        if elements > MAX_ELEMENTS:
            return False
        for name, value in element.attrib.items():
            if len(value) > (MAX_LINK if name in {"href", "src"} else MAX_ATTRIBUTE):
                del element.attrib[name]
        if is_format and open_formats >= MAX_FORMATS:
            element.tag = "span"
            element.attrib.clear()
        else:
            open_formats += is_format
    return True


def write_html(root: lxml.html.HtmlElement) -> str:
    return lxml.html.tostring(root, encoding="unicode", method="html")


def html_to_text(html: str) -> str:
    """What a reader of the HTML sees, as plain text: blocks on their own lines, links after their words."""
    root = read_html(html)
    return without_tags(html) if root is None else element_to_text(root)


def without_tags(html: str) -> str:
    """The words of HTML that is too much to be read as such."""
    text = re.sub(
        r"<(?:br|/p|/div|/tr|/li)\b[^<>]{0,2000}+>", "\n", _without(html, "script", "style"), flags=re.IGNORECASE
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


def element_to_text(root: lxml.html.HtmlElement) -> str:
    out = _Text()
    _render(root, out)
    return _plain("".join(out.pieces))


def _plain(text: str) -> str:
    text = "\n".join(line.rstrip(" \t") for line in text.replace("\u00a0", " ").split("\n"))
    return re.sub(r"\n{3,}+", "\n\n", text).strip()


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


def _render(element: lxml.html.HtmlElement, out: _Text) -> None:
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in _DROPPED:
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
        _render(child, out)
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
