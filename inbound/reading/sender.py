"""Who has written a mail, where From names somebody else: a website's form, or a group that is our
own address.

The rule: From says who writes. Where From is one of our own addresses, the first of
X-Original-From, X-Original-Sender, Reply-To and Sender that is not ours does. Where From is the
address of a form or of no-reply and Reply-To names exactly one other address, Reply-To says who has
filled it in; such a mail opens tickets and never speaks in one.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from inbound.reading import headers
from inbound.reading.message import Address, ParsedMail

FROM, BEHIND_OURS, FORM, NOBODY = "from", "behind our own address", "form", "nobody"


@dataclass(frozen=True, slots=True)
class Sender:
    """`by` is from, behind our own address, form, or nobody (From is ours, and no other address is
    named)."""

    address: Address
    by: str


def who_writes(parsed: ParsedMail, ours: Collection[str]) -> Sender:
    """`ours` are our mailbox addresses in lower case."""
    if is_ours(parsed.from_.address, ours):
        for named in _behind(parsed):
            if named.address and not is_ours(named.address, ours):
                return Sender(_without_via(named, parsed.from_), BEHIND_OURS)
        return Sender(parsed.from_, NOBODY)
    if names_a_form(parsed, ours):
        return Sender(_without_via(parsed.reply_to[0], Address("")), FORM)
    return Sender(parsed.from_, FROM)


def is_ours(address: str, ours: Collection[str]) -> bool:
    """Whether that is one of our addresses, with or without a +token."""
    local, at, domain = address.rpartition("@")
    return bool(at) and (address in ours or f"{local.partition('+')[0]}@{domain}" in ours)


def names_a_form(parsed: ParsedMail, ours: Collection[str]) -> bool:
    """Whether a form sent it for whom Reply-To names."""
    if (
        not _FORMS.match(parsed.from_.address)
        or parsed.header("list-id")
        or parsed.header("list-unsubscribe")
    ):
        return False
    others = {address.address for address in parsed.reply_to if address.address}
    return (
        len(others) == 1
        and not (others & {parsed.from_.address})
        and not is_ours(min(others), ours)
    )


_LOCAL_PARTS = (
    r"no-?_?reply",
    r"do-?_?not-?_?reply",
    r"wordpress",  # WordPress's own address
    r"(?:web|contact|kontakt)?-?_?(?:forms?|formular|formulaire|formulario)",
    r"form-?mail(?:er)?",  # FormMail
    r"www-data",  # what a web server is called on Debian
    r"apache",  # and elsewhere
    r"website",
    r"web",
)
_FORMS = re.compile(rf"(?:{'|'.join(_LOCAL_PARTS)})(?:[-+_.][^@]{{0,60}})?@")


def _behind(parsed: ParsedMail) -> list[Address]:
    # What a group writes before what the author of the mail could.
    found = [
        address
        for name in ("x-original-from", "x-original-sender")
        for address in headers.addresses(parsed.header(name))
    ]
    return [*found, *parsed.reply_to, *headers.addresses(parsed.header("sender"))]


def _without_via(named: Address, shown: Address) -> Address:
    """A name, at the latest the one that a group shows: "Joe via Support" is Joe."""
    name = named.name or re.sub(
        r"\s(?:via|über|por|durch)\s.{0,100}$", "", shown.name, flags=re.IGNORECASE
    )
    return replace(named, name=name.strip("'\" "))
