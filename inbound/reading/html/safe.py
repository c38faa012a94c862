"""HTML that is safe to show: nothing in it runs, paints over the page, or asks for anything by an
address that is not whole. No part of what a body says is thrown away here."""

import re
from html import escape

import nh3

_TAGS = set(
    "a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del"
    " details dfn div dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol"
    " p pre q s samp section small span strike strong sub summary sup table tbody td tfoot th thead"
    " tr tt u ul var wbr".split()
)
# With all that is in them.
_DROPPED = set("script style head title noscript template object iframe svg math xml".split())


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
_STYLES = set(
    "color background-color font-family font-size font-style font-weight text-align text-decoration"
    " text-indent line-height vertical-align white-space padding padding-left padding-right"
    " padding-top padding-bottom margin-left margin-bottom border border-left border-top"
    " border-bottom border-right border-collapse border-color border-style border-width"
    " list-style-type".split()
)


_PLAIN_BACKGROUND = re.compile(
    r"""([;"'\s])background\s*+:\s*+"""
    r"""(#[0-9a-f]{3,8}+|rgba?\([\d\s,.%]{1,60}+\)|[a-z]{1,30}+)(?=\s{0,9}[;"'])""",
    re.IGNORECASE,
)
_FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "calc"}  # of CSS: those that fetch nothing
_WHOLE = re.compile(r"https?://[^/\\\s]|mailto:|tel:|cid:", re.IGNORECASE)


def safe_html(html: str) -> str:
    """`html`, as `tree.read_html` and `write_html` leave it, without script, forms, frames,
    positioned or tracking styles, or addresses that are not whole; links and cid: images stay. ""
    where it would become much larger than it was."""
    # The shorthand is not let through (it can hold url()); a plain colour in it is what makes white
    # text readable.
    safe = _CLEANER.clean(_PLAIN_BACKGROUND.sub(r"\1background-color:\2", html))
    return safe if len(safe) <= 3 * len(html) + 10_000 else ""


def text_to_html(text: str) -> str:
    """Plain text as HTML that looks the same."""
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def _harmless(tag: str, name: str, value: str) -> str | None:
    """An attribute's value, or None. An address must be whole: what a browser would complete with
    the address of the page that shows the mail (/admin/…, //host, https:admin) is ours to it, and
    asked for as whoever reads the mail."""
    if name in {"href", "src"}:
        # A browser leaves these out before it looks (WHATWG URL 4.4).
        plain = re.sub(r"[\t\r\n]", "", value).strip("".join(map(chr, range(33))))
        return plain if _WHOLE.match(plain) else None
    if name == "style":
        return ";".join(
            declaration for declaration in value.split(";") if _fetches_nothing(declaration)
        )
    return value


def _fetches_nothing(declaration: str) -> bool:
    # What stands before each bracket; in time with the length, whatever the blanks.
    before = [part.rstrip()[-20:] for part in declaration.lower().split("(")[:-1]]
    functions = {found[0] for part in before if (found := re.search(r"[\w-]*$", part))}
    return "\\" not in declaration and functions <= _FUNCTIONS


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
