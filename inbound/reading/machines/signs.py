"""The signs that no person's mail program made a mail: whom it is from, its envelope, its parts."""

import re

from inbound.reading.message import Envelope, ParsedMail

# What daemons call themselves in their address, up to the @, a +, a = or the end.
_DAEMONS = (
    r"mailer[-_.]?daemon",  # sendmail, Postfix, exim, qmail, Google
    r"postmaster",  # Exchange, Microsoft 365
    r"mail[-_.]?daemon",
    r"mdaemon",  # MDaemon
    r"mailer",
    r"bounces?",
    r"bounce[-_]notification",
    r"mailmaster",
    r"mail[-_]?delivery(?:[-_]subsystem)?",
    r"mmdf",  # MMDF
    r"uucp",
    r"maildelivery",
    r"mail[-_]?system",
    r"microsoftexchange[0-9a-f]{6,}",  # Exchange
    r"delivery[-_]?(?:status|system|subsystem)",
    r"mail\.?administrator",
    r"autoresponder-bounce",
    r"smtp[-_]?daemon",
    r"root",
    r".*[-_.]?mailer-daemon",
)
_DAEMON = re.compile(rf"^(?:{'|'.join(_DAEMONS)})(?:@|\+|$|=)", re.IGNORECASE)
# And beside it.
_NAMES = (
    r"mail(?:er)?[\s-]*(?:delivery|daemon)",
    r"delivery\s+(?:subsystem|system|notification|status)",
    r"postmaster",
    r"mail\s+administrator",
    r"internet\s+mail\s+delivery",
    r"system\s+administrator",
    r"mail\s+system",
    r"mail\s+router",
    r"mail\s+server",
    r"mail\s+delivery",
)
_NAME = re.compile("|".join(_NAMES), re.IGNORECASE)


def machine_made(parsed: ParsedMail, envelope: Envelope) -> str:
    """The sign that no person's mail program made this, or ""."""
    if from_daemon(parsed, envelope):
        return parsed.from_.address or parsed.from_.name
    if null_sender(parsed, envelope):
        return "null sender"
    if not parsed.from_.address:
        return "no sender"  # every mail program writes From
    submitted = keyword(parsed.header("auto-submitted"))
    return f"auto-submitted {submitted}" if submitted and submitted != "no" else ""


def from_daemon(parsed: ParsedMail, envelope: Envelope) -> bool:
    """By its address; by its name only where nobody could answer: system administrators are
    people."""
    local = parsed.from_.address.partition("@")[0]
    if _DAEMON.match(local):
        return True
    return bool(_NAME.search(parsed.from_.name)) and (
        not parsed.from_.address or null_sender(parsed, envelope)
    )


def null_sender(parsed: ParsedMail, envelope: Envelope) -> bool:
    """Whether the envelope's sender is the null one. Where nobody told us, Return-Path does (RFC
    5321 4.4)."""
    if envelope.mail_from is not None:
        return not envelope.mail_from
    return parsed.header("return-path").replace(" ", "").lower() in {"<>", "<mailer-daemon>"}


def keyword(value: str) -> str:
    """Auto-Submitted's keyword, without the parameters and comments that may follow (RFC 3834
    section 5)."""
    return re.split(r"[;(\s]", value[:200].strip().lower())[0]


def has_part(parsed: ParsedMail, *kinds: str) -> bool:
    return any(attachment.content_type in kinds for attachment in parsed.attachments)
