"""The tree of a mail's HTML, bounded: of so few and so flat elements that whatever is done with it
afterwards takes no longer than in proportion to its length."""

import re

import lxml.html
from lxml import etree

MAX_HTML = 2_000_000  # characters; a longer body is shown as text alone, as is one of more elements
MAX_ELEMENTS = 20_000
MAX_DEPTH = 100
MAX_FORMATS = 6  # elements such as <b> within each other
MAX_ATTRIBUTE, MAX_LINK = 1000, 4000


def read_html(html: str) -> lxml.html.HtmlElement | None:
    """The tree of a mail's HTML, or None where there is nothing in it (or too much to be shown as
    HTML)."""
    if not html.strip() or len(html) > MAX_HTML:
        return None
    html = re.sub(r"^\s*+<\?xml[^>]*+>", "", html)  # lxml refuses text that declares an encoding
    # libxml2 compares each attribute with all before it. What is so long is a picture in a data:
    # URL, or no good.
    html = re.sub(r"<([a-zA-Z][a-zA-Z0-9]{0,20})[^<>]{4000,}+", r"<\1", html)
    try:
        root, is_cut = _tree(html)
        if is_cut:
            root, is_cut = _tree(_flattened(html))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    return None if is_cut or not _tidy(root) else root


def _tree(html: str) -> tuple[lxml.html.HtmlElement, bool]:
    """The tree, and whether the parser gave up before the end: libxml2 ends where it is nested too
    deeply."""
    parser = _parser()
    root = lxml.html.document_fromstring(html, parser=parser)
    return root, any(entry.type_name in _GAVE_UP for entry in parser.error_log)


def _parser() -> lxml.html.HTMLParser:
    return lxml.html.HTMLParser(
        encoding=None, remove_comments=True, remove_pis=True, no_network=True, huge_tree=False
    )


_GAVE_UP = {"ERR_INTERNAL_ERROR", "ERR_RESOURCE_LIMIT", "ERR_NO_MEMORY"}


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


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20}+)([^<>]*+)>?")
_NO_END = set("br hr img input meta link col wbr area base embed source track".split())


def _tidy(root: lxml.html.HtmlElement) -> bool:
    """Takes from the tree what would let a browser's algorithm multiply it; False where there is
    too much of it.

    HTML's parser opens every formatting element again in each block that follows its misnested end
    (13.2.4.3, "reconstruct the active formatting elements"): 50 KB of <font> become 100 MB. So they
    are nested a few deep at the most.
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


_FORMATTING = set("a b big code em font i nobr s small strike strong tt u".split())


def write_html(root: lxml.html.HtmlElement) -> str:
    return lxml.html.tostring(root, encoding="unicode", method="html")
