"""The words of a mail: our templates in the reader's language, or the mailbox's own text for that kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import css_inline
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.html import escape

from helpdesk import markdown
from helpdesk.models import MailTemplate
from helpdesk.models.person import STAFF_ROLES
from helpdesk.remembered import remembered
from helpdesk.templatetags.mailtext import shown, words
from inbound.models import Mailbox
from inbound.reading.headers import one_line


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    text: str
    html: str


def render(kind: str, context: Mapping[str, Any], *, mailbox: Mailbox, language: str) -> Words:
    """The mail in `language`. `context` has at least `mailbox`; which more, each template says by using it."""
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
    """A mailbox's own subject and Markdown body, with the placeholders filled in. What is filled in is
    never read as Markdown or HTML, except an agent's answer, which is both already."""
    text = _fill(body, {name: plain(context) for name, plain in PLACEHOLDERS.items()})
    # Filled in after the Markdown is HTML: a customer's name or subject can't add to it.
    marked = _PLACEHOLDER.sub(lambda found: f"xq{found[1].encode().hex()}qx", body)
    html = markdown.to_html(marked)
    for name, plain in PLACEHOLDERS.items():
        mark, value = f"xq{name.encode().hex()}qx", plain(context)
        if name == "signature":
            html = html.replace(f"<p>{mark}</p>", markdown.to_html(value)).replace(mark, markdown.to_html(value))
        if name == "message":
            whole = context["comment"].html or str(words(value)) if context.get("comment") else str(words(value))
            html = html.replace(f"<p>{mark}</p>", whole).replace(mark, whole)
        html = html.replace(mark, escape(value).replace("\n", "<br>"))
    everything = {**context, "own_html": html, "own_text": text}
    return Words(
        one_line(_fill(subject, {name: plain(context) for name, plain in PLACEHOLDERS.items()}))[:600],
        _tidy(render_to_string("mail/own.txt", everything)),
        _inliner.inline(render_to_string("mail/own.html", everything)),
    )


def unknown_placeholders(text: str) -> list[str]:
    return [name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]


def signature(mailbox: Mailbox, agent: object) -> str:
    """The mailbox's signature in Markdown: its own, or the agent's name over the mailbox's."""
    identity = getattr(mailbox, "identity", None)
    name = agent_name(mailbox, agent)
    if identity is None or not identity.signature:
        return "\n".join(filter(None, (name, mailbox.name or mailbox.address)))
    return _fill(identity.signature, {"agent": name, "mailbox": mailbox.name or mailbox.address})


def agent_name(mailbox: Mailbox, agent: Any) -> str:
    """The name under which an agent answers from that mailbox; "" where it is not to be shown."""
    identity = getattr(mailbox, "identity", None)
    return "" if identity is not None and not identity.shows_agent else str(getattr(agent, "name", "") or "")


def name_for_customers(person: Any, mailbox: Mailbox) -> str:
    """How customers are shown somebody who wrote on a ticket. An agent, also one who has left, by the name under which
    they answer from that mailbox, never by their address."""
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
        return f"{date_format(timezone.localtime(at), 'DATETIME_FORMAT')} ({timezone.localtime(at).tzname()})"

    return read


def _of(name: str, attribute: str = "") -> Any:
    def read(context: Mapping[str, Any]) -> str:
        value = context.get(name)
        value = getattr(value, attribute, "") if attribute and value is not None else value
        return "" if value is None else str(value)

    return read


# What an admin can write into a text of their own, and where each comes from.
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
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
# No style sheet is ever fetched; the @media rules for dark mode stay where they are understood.
_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


def _own_text(kind: str, mailbox: Mailbox, language: str) -> MailTemplate | None:
    found = {text.language: text for text in _texts(mailbox.pk) if text.kind == kind}
    return found.get(language) or found.get("")


@remembered
def _texts(mailbox: int) -> list[MailTemplate]:
    return list(MailTemplate.objects.filter(mailbox=mailbox))


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
