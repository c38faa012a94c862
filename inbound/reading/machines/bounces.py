"""Whether a mail says that one of ours was not delivered, and how sure that is."""

import re

from inbound.reading.machines.automatic_replies import AUTO_SUBJECT, auto_reply
from inbound.reading.machines.bounce_words import BOUNCE_SUBJECT, FAILURE
from inbound.reading.machines.signs import from_daemon, has_part, machine_made, null_sender
from inbound.reading.message import Envelope, Kind, ParsedMail, Verdict

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_PARTS = ("message/rfc822", "text/rfc822-headers", "message/partial", "message/global")


def bounce(parsed: ParsedMail, envelope: Envelope, *, signed_path: bool) -> Verdict | None:
    content_type = parsed.header("content-type").lower()
    if content_type.startswith("multipart/report"):
        if "feedback-report" in content_type or "disposition-notification" in content_type:
            return None
        if "delivery-status" in content_type or has_part(parsed, *_STATUS_PARTS):
            return Verdict(Kind.BOUNCE, "delivery-status-report", content_type[:120])
    if has_part(parsed, "message/feedback-report"):
        return None
    machine = machine_made(parsed, envelope)
    if machine and (failed := parsed.header("x-failed-recipients")):
        is_sure = _returns_mail(parsed, strictly=True)
        return Verdict(Kind.BOUNCE, "failed-recipients-header", failed[:200], is_sure=is_sure)
    if machine and has_part(parsed, *_STATUS_PARTS):
        return Verdict(Kind.BOUNCE, "delivery-status-part", machine)
    return _by_words(parsed, envelope, machine, signed_path=signed_path)


def _by_words(
    parsed: ParsedMail, envelope: Envelope, machine: str, *, signed_path: bool
) -> Verdict | None:
    """`machine` is the sign that a machine made it, or ""."""
    is_daemon = from_daemon(parsed, envelope)
    if not (machine or signed_path) or (auto_reply(parsed, envelope) and not is_daemon):
        return None
    subject = BOUNCE_SUBJECT.search(parsed.subject)
    words = subject[0] if subject else _speaks_of_failure(parsed.text)
    # Quoting looks like returned mail; a part of its own, or the lines of servers, is what reports
    # have.
    null = null_sender(parsed, envelope)
    sure = null and _returns_mail(parsed, strictly=True)
    if signed_path and machine and (words or null):
        is_sure = null and (sure or bool(words))
        return Verdict(Kind.BOUNCE, "signed-return-path", words, is_sure=is_sure)
    if sure:
        return Verdict(Kind.BOUNCE, "returned-mail", machine)
    if not machine or not words or AUTO_SUBJECT.match(parsed.subject):
        return None
    if is_daemon:
        return Verdict(Kind.BOUNCE, "mail-daemon", machine, is_sure=False)
    if subject and _returns_mail(parsed):
        return Verdict(Kind.BOUNCE, "returned-mail", machine, is_sure=False)
    return None


def _speaks_of_failure(text: str) -> str:
    found = FAILURE.search(text[:20_000])
    return found[0][:100] if found else ""


def _returns_mail(parsed: ParsedMail, *, strictly: bool = False) -> bool:
    """Whether the mail carries (part of) the mail that failed. `strictly`: as a part of its own, or
    with the lines that servers write; not as people's mail programs quote."""
    if has_part(parsed, *_RETURNED_PARTS):
        return True
    return bool((_RETURNED_BY_SERVERS if strictly else _RETURNED).search(parsed.text[:50_000]))


_RETURNED = re.compile(
    r"^[ \t>]*+(?:Received|Message-ID|Return-Path|From|Subject|To)\s?:[ \t]?\S.*+\n"
    r"(?:.*+\n){0,12}?[ \t>]*+(?:Subject|To|Date|Message-ID|From)\s?:",
    re.IGNORECASE | re.MULTILINE,
)
_RETURNED_BY_SERVERS = re.compile(
    r"^[ \t>]*+(?:Received|Message-ID|Return-Path)\s?:[ \t]?\S.*+\n"
    r"(?:.*+\n){0,20}?[ \t>]*+(?:Subject|To|Date|Message-ID|From)\s?:",
    re.IGNORECASE | re.MULTILINE,
)
