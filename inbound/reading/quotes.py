"""Where the quoted history of a reply starts. It is folded, never deleted: both halves are kept.

When in doubt nothing is folded: a reply that shows too much is read, one that shows too little is
lost on its reader (people who answer between the quoted lines, forwards, bottom posters).
"""

from typing import NamedTuple

import lxml.html

from inbound.reading.html.text import element_to_text
from inbound.reading.html.tree import read_html, write_html
from inbound.reading.quoting.attributions import says_who_wrote
from inbound.reading.quoting.dividers import is_divider, is_header_line, is_rule
from inbound.reading.quoting.quoted_html import cut, first_quote, is_answered_below
from inbound.reading.quoting.quoted_text import split_text


class Split(NamedTuple):
    text: str  # what is new
    quoted_text: str  # the rest, from its first line on
    html: str
    quoted_html: str


def split(text: str, html: str) -> Split:
    """A body's two halves. Both keep everything: `text` and `html` are whole where nothing is
    quoted. HTML that is too much to be shown as such is left to its text."""
    root = read_html(html)
    if root is None:
        return Split(*split_text(text), "", "")
    node = first_quote(root)
    # Where there was no text part the text is made of the tree, which knows better than its lines.
    if node is None:
        if is_answered_below(root) and _is_text_of(root, text):
            # These have no marks: all below the attribution would be taken for a quotation.
            return Split(text, "", write_html(root), "")
        return Split(*split_text(text), write_html(root), "")
    new, quoted = cut(root, node)
    from_html, quoted_html = element_to_text(new), write_html(quoted)
    if not from_html:
        return Split(*split_text(text), write_html(root), "")
    if _is_text_of(root, text):
        return Split(from_html, element_to_text(quoted), write_html(new), quoted_html)
    new_text, quoted_text = split_text(text)
    if len(new_text) > len(from_html) + 20:
        new_text, quoted_text = from_html, text
    return Split(new_text, quoted_text, write_html(new), quoted_html)


def _is_text_of(root: lxml.html.HtmlElement, text: str) -> bool:
    return element_to_text(root).split() == text.split()


def introduces(line: str) -> bool:
    """Whether a line is one of those in which a mail program says whose words follow."""
    return is_divider(line) or says_who_wrote(line) or is_rule(line) or is_header_line(line)
