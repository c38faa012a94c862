"""What a mail is: a person's, a machine's, a bounce or a list's.

The answer is a value with a named reason. Words prove nothing: people write about deliveries that
failed and about being out of toner. A mail is a machine's by a sign in its structure (a header that
no mail program writes, the null sender, a daemon's address, a report's parts); words alone withhold
our acknowledgement, no more.
"""

import re
from collections.abc import Collection

from inbound.reading.machines.automatic_replies import auto_reply, wants_no_answer
from inbound.reading.machines.bounces import bounce
from inbound.reading.machines.signs import from_daemon, has_part, keyword, null_sender
from inbound.reading.message import Envelope, Kind, ParsedMail, Verdict
from inbound.reading.sender import names_a_form


def classify(
    parsed: ParsedMail, envelope: Envelope, ours: Collection[str], *, signed_path: bool = False
) -> Verdict:
    """`ours` are our mailbox addresses in lower case. `signed_path`: it came to the return path
    that only those know who got a certain mail of ours. The order matters: the surest signs first.
    """
    if report := bounce(parsed, envelope, signed_path=signed_path):
        return report
    if reason := auto_reply(parsed, envelope):
        return Verdict(Kind.AUTO_REPLY, *reason)
    by_our_list = _is_our_list(parsed, ours)
    in_list = (
        parsed.header("list-id")
        or parsed.header("list-post")
        or parsed.header("precedence").lower() == "list"
    )
    if in_list and not by_our_list:
        return Verdict(Kind.LIST, "list-header", str(in_list)[:200])
    if reason := _automatic(parsed, envelope, ours, by_our_list=by_our_list):
        return Verdict(Kind.AUTOMATIC, *reason)
    if reason := wants_no_answer(parsed):
        return Verdict(Kind.PERSON, *reason, is_quiet=True)
    return Verdict(Kind.PERSON, "no-sign-of-a-machine")


def _is_our_list(parsed: ParsedMail, ours: Collection[str]) -> bool:
    """Whether the list is our own address: a Google Group that the mailbox is, say. Who writes to
    it writes to us."""
    named = f"{parsed.header('list-id')} {parsed.header('list-post')}".lower()
    return any(address in named or address.replace("@", ".") in named for address in ours)


def _automatic(
    parsed: ParsedMail, envelope: Envelope, ours: Collection[str], *, by_our_list: bool
) -> tuple[str, str] | None:
    submitted = keyword(parsed.header("auto-submitted"))
    if submitted and submitted != "no":
        return "auto-submitted", submitted
    precedence = parsed.header("precedence").lower()
    if precedence in {"bulk", "junk"}:
        return "precedence", precedence
    receipt = "disposition-notification"
    if has_part(parsed, f"message/{receipt}") or receipt in parsed.header("content-type"):
        return "read-receipt", ""
    if has_part(parsed, "message/feedback-report"):
        return "feedback-report", ""
    if parsed.header("list-unsubscribe") and not by_our_list:
        return "bulk-mail", "List-Unsubscribe"
    if parsed.header("feedback-id") or parsed.header("x-campaign") or parsed.header("x-campaignid"):
        return "bulk-mail", "campaign header"
    if null_sender(parsed, envelope):
        return "null-sender", ""
    if names_a_form(parsed, ours):
        return None  # a form speaks for the person whom it names
    if _AUTO_LOCAL_PARTS.match(parsed.from_.address) or from_daemon(parsed, envelope):
        return "no-reply-address", parsed.from_.address
    return None


_AUTO_LOCAL_PARTS = re.compile(
    r"^(?:no-?reply|do-?not-?reply|noreply-.*|donotreply|nobody|notifications?|alerts?|autoreply)@"
)
