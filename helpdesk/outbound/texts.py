"""The words of a mail: our templates in the reader's language, or the mailbox's own text for that
kind."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import css_inline
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.html import escape

from helpdesk.checks import placeholders
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.models import MailTemplate
from helpdesk.models.mailing import identity_of
from helpdesk.models.person import STAFF_ROLES
from helpdesk.outbound import markdown
from helpdesk.outbound.comment_text import shown, words
from inbound.models import Mailbox
from inbound.reading.headers import one_line


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    text: str
    html: str


def render(kind: str, context: Mapping[str, Any], *, mailbox: Mailbox, language: str) -> Words:
    """The mail in `language`. `context` has at least `mailbox`; which more, each template says by
    using it."""
    with translation.override(language):
        everything = {**context, "language": language}
        if own := _own_text(kind, mailbox, language):
            return of_own_text(own.subject, own.body, everything)
        return Words(
            one_line(render_to_string(f"mail/{kind}.subject.txt", everything))[:600],
            _tidy(render_to_string(f"mail/{kind}.txt", everything)),
            _inliner.inline(render_to_string(f"mail/{kind}.html", everything)),
        )


def of_own_text(subject: str, body: str, context: Mapping[str, Any]) -> Words:
    """A mailbox's own subject and Markdown body, with the placeholders filled in. What is filled in
    is never read as Markdown or HTML, except an agent's answer, which is both already. Where there
    is nothing to fill in, the sentence that wanted it is left out."""
    values = {name: plain(context) for name, plain in PLACEHOLDERS.items()}
    body = _without_empty_sentences(
        body, {name for name, value in values.items() if not value.strip()}
    )
    text = _fill(body, values)
    # Filled in after the Markdown is HTML: a customer's name or subject can't add to it.
    marked = placeholders.WRITTEN.sub(lambda found: f"xq{found[1].encode().hex()}qx", body)
    html = markdown.to_html(marked)
    for name, value in values.items():
        mark = f"xq{name.encode().hex()}qx"
        if name == "link":
            html = _with_links(html, mark, value)
        if name == "signature":
            html = html.replace(f"<p>{mark}</p>", markdown.to_html(value)).replace(
                mark, markdown.to_html(value)
            )
        if name == "message":
            whole = (
                context["comment"].html or str(words(value))
                if context.get("comment")
                else str(words(value))
            )
            html = html.replace(f"<p>{mark}</p>", whole).replace(mark, whole)
        html = html.replace(mark, escape(value).replace("\n", "<br>"))
    everything = {**context, "own_html": html, "own_text": text}
    return Words(
        one_line(_fill(subject, values))[:600],
        _tidy(render_to_string("mail/own.txt", everything)),
        _inliner.inline(render_to_string("mail/own.html", everything)),
    )


# A sentence ends with its full stop, or with its line, but for one that goes on in the middle of
# the next.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])(?=[ \t])|(?<=\n)(?!(?<=[\w}]\n)(?:[^\W\d_A-ZÄÖÜÉÈÀÑ]|\{\{))"
)


def _without_empty_sentences(body: str, empty: Collection[str]) -> str:
    if not any(name in empty for name in placeholders.WRITTEN.findall(body)):
        return body
    kept = []
    for sentence in _SENTENCE_END.split(body.replace("\r\n", "\n")):
        if not any(name in empty for name in placeholders.WRITTEN.findall(sentence)):
            kept.append(sentence)
        elif sentence.endswith("\n"):
            kept.append("\n")
    return "".join(kept)


def _with_links(html: str, mark: str, url: str) -> str:
    """A bare address becomes a link; one that stands in a link already is its address or its
    words."""
    inside, parts = 0, re.split(r"(<[^<>]*>)", html)
    for number, part in enumerate(parts):
        if part.startswith("<a ") or part == "<code>":
            inside += 1
        elif part in {"</a>", "</code>"}:
            inside -= 1
        elif not inside and not part.startswith("<"):
            parts[number] = part.replace(mark, f'<a href="{escape(url)}">{escape(url)}</a>')
    return "".join(parts)


def signature(mailbox: Mailbox, agent: object) -> str:
    """The mailbox's signature in Markdown: its own, or the agent's name over the mailbox's."""
    own, name = identity_of(mailbox).signature, agent_name(mailbox, agent)
    if not own:
        return "\n".join(filter(None, (name, mailbox.name or mailbox.address)))
    return _fill(own, {"agent": name, "mailbox": mailbox.name or mailbox.address})


def agent_name(mailbox: Mailbox, agent: Any) -> str:
    """The name under which an agent answers from that mailbox; "" where it is not to be shown."""
    return str(getattr(agent, "name", "") or "") if identity_of(mailbox).shows_agent else ""


def name_for_customers(person: Any, mailbox: Mailbox) -> str:
    """How customers are shown somebody who wrote on a ticket. An agent, also one who has left, by
    the name under which they answer from that mailbox, never by their address."""
    if person.role in STAFF_ROLES:
        return agent_name(mailbox, person) or mailbox.name or mailbox.address
    return str(person)


def _message(context: Mapping[str, Any]) -> str:
    comment = context.get("comment")
    return shown(comment) if comment is not None else ""


def _when(name: str) -> Any:
    def read(context: Mapping[str, Any]) -> str:
        at = context.get(name)
        if not at:
            return ""
        return (
            f"{date_format(timezone.localtime(at), 'DATETIME_FORMAT')} "
            f"({timezone.localtime(at).tzname()})"
        )

    return read


def _of(name: str, attribute: str = "") -> Any:
    def read(context: Mapping[str, Any]) -> str:
        value = context.get(name)
        value = getattr(value, attribute, "") if attribute and value is not None else value
        return "" if value is None else str(value)

    return read


# Where each placeholder of helpdesk.checks.placeholders comes from.
PLACEHOLDERS = {
    "customer": lambda context: str(context["person"]) if context.get("person") else "",
    "number": _of("ticket", "pk"),
    "subject": _of("ticket", "subject"),
    "mailbox": lambda context: context["mailbox"].name or context["mailbox"].address,
    "agent": _of("agent"),
    "message": _message,
    "link": _of("link"),
    "link_until": _when("link_until"),
    "answer_by": _when("answer_by"),
    "code": _of("code"),
    "signature": _of("signature"),
}
# No style sheet is ever fetched; the @media rules for dark mode stay where they are understood.
_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


def _own_text(kind: str, mailbox: Mailbox, language: str) -> MailTemplate | None:
    found = {text.language: text for text in _texts(mailbox.pk) if text.kind == kind}
    return found.get(language) or found.get("")


@kept_for_a_moment
def _texts(mailbox: int) -> list[MailTemplate]:
    return list(MailTemplate.objects.filter(mailbox=mailbox))


def _fill(text: str, values: Mapping[str, str]) -> str:
    return placeholders.WRITTEN.sub(lambda found: values.get(found[1], ""), text)


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
