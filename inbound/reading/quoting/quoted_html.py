"""Where the quoted history starts in a page, by the marks that mail programs leave in it."""

import copy

import lxml.html

from inbound.reading.quoting.attributions import is_attribution

_CLASSES = "concat(' ', normalize-space(@class), ' ')"
# Elements with all of the quotation in them, and nothing else.
_CONTAINERS = (
    f"contains({_CLASSES}, ' gmail_quote ')",
    f"contains({_CLASSES}, ' gmail_quote_container ')",
    "contains(@class, 'yahoo_quoted')",
    "starts-with(@id, 'yahoo_quoted')",
    "contains(@class, 'protonmail_quote')",
    "contains(@class, 'tutanota_quote')",
    "contains(@class, 'zmail_extra')",  # Zoho
    "contains(@class, 'gmx_quote')",
    "@name='quote'",  # GMX and WEB.DE
    "@data-marker='__QUOTED_TEXT__'",  # Zimbra
    "contains(@class, 'mail-quote-collapse')",
    "contains(@class, 'moz-forward-container')",  # Thunderbird
    # Apple Mail, Thunderbird, and whoever means well
    "(self::blockquote"
    " and (@type='cite' or contains(@class, 'cite') or contains(@class, 'quote')))",
)
# Elements from which on all is quotation.
_STARTS = (
    "contains(@class, 'moz-cite-prefix')",  # Thunderbird
    "@id='divRplyFwdMsg'",  # Outlook on the web
    "@id='appendonsend'",  # Outlook on the web
    "@id='mail-editor-reference-message-container'",  # Outlook
    "contains(@class, 'OutlookMessageHeader')",
    # Hotmail, Zimbra
    "(self::hr and (@id='stopSpelling' or @id='zwchr' or @data-marker='__DIVIDER__'))",
    "contains(@class, 'gmail_attr')",
    "@id='reply-intro'",  # Roundcube
    # Outlook, by the line that it draws
    "(self::div and contains(translate(@style, ' ', ''), 'border:none;border-top:solid'))",
)
_FIND_QUOTE = f"//*[{' or '.join((*_CONTAINERS, *_STARTS))}]"
_IS_CONTAINER = f"boolean(self::*[{' or '.join(_CONTAINERS)}])"


def first_quote(root: lxml.html.HtmlElement) -> lxml.html.HtmlElement | None:
    """The element with which the history begins, where nothing is written below it."""
    found = root.xpath(_FIND_QUOTE)
    if not found:
        return None
    node: lxml.html.HtmlElement = found[0]
    if node.xpath(_IS_CONTAINER) and _text_after(node):
        return None  # an answer below the quotation, or between two
    return _attribution_before(node)


def is_answered_below(root: lxml.html.HtmlElement) -> bool:
    """Whether somebody wrote below a quotation, or between two."""
    found = root.xpath(_FIND_QUOTE)
    return any(node.xpath(_IS_CONTAINER) and _text_after(node) for node in found[:20])


def _text_after(node: lxml.html.HtmlElement) -> bool:
    """Whether anything readable follows `node` that is not a quotation itself."""
    current: lxml.html.HtmlElement | None = node
    while current is not None:
        if current.tail and current.tail.strip():
            return True
        for sibling in current.itersiblings():
            if sibling.xpath(_IS_CONTAINER):
                continue
            if "".join(sibling.itertext()).strip():
                return True
        current = current.getparent()
    return False


def _attribution_before(node: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    """The block "On …, … wrote:" just before the quotation, where there is one: the fold begins
    there."""
    previous = node.getprevious()
    while (
        previous is not None
        and not "".join(previous.itertext()).strip()
        and not (previous.tail or "").strip()
    ):
        previous = previous.getprevious()
    if previous is not None and isinstance(previous.tag, str):
        words = " ".join(" ".join(previous.itertext()).split())
        if words and len(words) < 400 and words.endswith((":", "：")) and is_attribution(words):
            return previous
    return node


def cut(
    root: lxml.html.HtmlElement, node: lxml.html.HtmlElement
) -> tuple[lxml.html.HtmlElement, lxml.html.HtmlElement]:
    """Two trees: everything before `node`, and `node` with everything after it."""
    place = _place(node)
    before, after = copy.deepcopy(root), copy.deepcopy(root)
    first = _at(before, place)
    current = first
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings()):
            parent.remove(sibling)
        current.tail = None
        current = parent
    if (parent := first.getparent()) is not None:
        parent.remove(first)
    current = _at(after, place)
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings(preceding=True)):
            if sibling.tag != "head":
                parent.remove(sibling)
        parent.text = None
        current = parent
    return before, after


def _place(node: lxml.html.HtmlElement) -> list[int]:
    """Where a node stands: which child of which child of the root. (A path of names fails where a
    name is none.)"""
    place: list[int] = []
    while (parent := node.getparent()) is not None:
        place.append(parent.index(node))
        node = parent
    return place[::-1]


def _at(root: lxml.html.HtmlElement, place: list[int]) -> lxml.html.HtmlElement:
    for number in place:
        root = root[number]
    return root
