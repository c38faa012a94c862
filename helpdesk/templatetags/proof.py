"""Whether mail is from whom it says, as the staff pages show it."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from helpdesk.models import Comment
from inbound.models import InboundMail

register = template.Library()


@register.filter
def whose_mail(mail: InboundMail | None) -> SafeString:
    """Whether a mail is from whom it says, as a mark beside it."""
    proof = (mail.proof if mail else None) or {}
    if mail is None or not proof or mail.is_history:
        return SafeString("")
    by = str(mail.evidence.get("requester_by", ""))
    if by.startswith("forwarded by"):
        return format_html('<span class="hd-proof hd-unproven">{}</span>', by)
    words, icon = {
        "authenticated": (f"proven to be from {proof['domain']}", "verified_user"),
        "failed": ("not from them", "gpp_bad"),
    }.get(proof["verdict"], ("can't be proven", ""))
    symbol = (
        format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span> ', icon)
        if icon
        else ""
    )
    kind = {"authenticated": "proven", "failed": "forged"}.get(proof["verdict"], "unproven")
    return format_html(
        '<span class="hd-proof hd-{}" title="{}">{}{}</span>', kind, _sentence(proof), symbol, words
    )


@register.filter
def proof_words(mail: InboundMail) -> str:
    return _sentence(mail.proof) if mail.proof else ""


def _sentence(proof: dict[str, Any]) -> str:
    """“Proven to be from nordwind.example: it bears the domain's signature.”"""
    begins = {
        "authenticated": f"Proven to be from {proof['domain']}",
        "failed": "Not from whom it says",
    }.get(proof["verdict"], "Can't be proven")
    return f"{begins}: {proof['why']}."


@register.filter
def ways(comment: Comment) -> list[str]:
    """How a held mail came, where an agent may trust that although nothing else proves its
    sender."""
    proof = (comment.mail.proof if comment.mail else None) or {}
    if comment.author is None or comment.author.is_staff or proof.get("verdict") == "authenticated":
        return []
    found = list(proof.get("ways", []))
    # Whoever else sends from there may say the same: a network only where there is nothing better.
    return ([way for way in found if not way.startswith("from ")] or found)[:2]
