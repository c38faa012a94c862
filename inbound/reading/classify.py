"""What a mail is: a person's, a machine's, a bounce or a list's.

The answer is a value with a named reason. Words prove nothing: people write about deliveries that failed and about
being out of toner. A mail is a machine's by a sign in its structure (a header that no mail program writes, the null
sender, a daemon's address, a report's parts); words alone withhold our acknowledgement, no more.
"""

import re
from collections.abc import Collection

from inbound.reading.message import Envelope, Kind, ParsedMail, Verdict
from inbound.reading.sender import names_a_form

_DAEMONS = re.compile(
    r"^(?:mailer[-_.]?daemon|postmaster|mail[-_.]?daemon|mdaemon|mailer|bounces?|bounce[-_]notification|mailmaster"
    r"|mail[-_]?delivery(?:[-_]subsystem)?|mmdf|uucp|maildelivery|mail[-_]?system|microsoftexchange[0-9a-f]{6,}"
    r"|delivery[-_]?(?:status|system|subsystem)|mail\.?administrator|autoresponder-bounce|smtp[-_]?daemon|root|.*[-_.]?mailer-daemon)(?:@|\+|$|=)",
    re.IGNORECASE,
)
_DAEMON_NAMES = re.compile(
    r"mail(?:er)?[\s-]*(?:delivery|daemon)|delivery\s+(?:subsystem|system|notification|status)|postmaster|mail\s+administrator"
    r"|internet\s+mail\s+delivery|system\s+administrator|mail\s+system|mail\s+router|mail\s+server|mail\s+delivery",
    re.IGNORECASE,
)
_BOUNCE_SUBJECTS = re.compile(
    r"""undeliver(?:ed|able)|non[-\s]?deliver|delivery\s+(?:status|failure|failed|report|problem|error|notification|unsuccessful|has\s+failed)
      |mail\s+delivery\s+(?:failed|failure|problem|status|error|system)|failure\s+notice|returned\s+(?:mail|e-?mail|message|to\s+sender)
      |(?:mail|message|e-?mail)\s+(?:could\s+not\s+be|not|was\s+not|cannot\s+be)\s+deliver|could\s+not\s+(?:send|deliver)|not\s+delivered
      |mail\s+(?:error|failure|system\s+error|not\s+delivered)|delivery\s+of\s+.{0,60}\s+failed|warning:.{0,60}(?:not|could|still|delayed)
      |message\s+(?:delayed|status|delivery)|(?:unzustellbar|nicht\s+zugestellt|zustellung)|(?:no\s+(?:se\s+ha\s+)?entreg|error\s+de\s+entrega)
      |(?:non\s+remis|échec\s+de\s+la\s+remise|remise\s+impossible)|niet\s+(?:bezorg|afgeleverd)|配信(?:不能|エラー|失敗)|退信|无法投递|недоставлен
      |unknown\s+(?:user|recipient|address)|user\s+unknown|undelivery|failed\s+mail|bounced?\s+(?:mail|message)|banned\s+contents
      |error\s+sending|delayed\s+mail|address\s+(?:error|change|problem)|nondeliverable|problem\s+delivering|unable\s+to\s+deliver
      |deliver(?:y|able)\s+.{0,20}(?:fail|delay)|notificación\s+de\s+estado|mail\s+could\s+not|transient\s+failure|considered\s+unsolicited
      |rejected\s+(?:mail|message|posting)|your\s+message\s+to\s+.{0,80}(?:couldn|could\s+not|was\s+not)""",
    re.VERBOSE | re.IGNORECASE,
)
_AUTO_SUBJECTS = re.compile(
    r"""^\s*(?:(?:re|aw|sv|antw)\s?:\s*)?\[?(?:auto(?:matic|mated)?[\s:-]*(?:re(?:ply|sponse|sponder)|answer|confirmation|message)?\s?[:\]]
      |auto(?:matic|mated)[\s-]+(?:re(?:ply|sponse)|response)|autore(?:ply|sponse)|out\s+of\s+(?:the\s+)?office|ooo\b.{0,3}:|away\s+from\s+(?:the\s+|my\s+)?(?:office|mail|e-?mail|desk)
      |on\s+(?:vacation|holiday|leave)\b|vacation\s+(?:reply|response|message|notice)|i(?:'|\s?a)m\s+(?:away|on\s+(?:vacation|holiday|leave)|out\s+of)
      |automatische\s+(?:antwort|empfangsbestätigung)|abwesen(?:d|heits)|abwesenheitsnotiz|réponse\s+automatique|absen(?:t|ce)\s+(?:du|de)
      |respuesta\s+automática|fuera\s+de\s+(?:la\s+)?oficina|resposta\s+automática|risposta\s+automatica|automatisch\s+antwoord|afwezig
      |autosvar|automatiskt\s+svar|automatisk\s+svar|自动回复|自動回覆|自動応答|自動返信|автоответ|autoodpowied|automatická\s+odpověď)""",
    re.VERBOSE | re.IGNORECASE,
)
_AUTO_LOCAL_PARTS = re.compile(
    r"^(?:no-?reply|do-?not-?reply|noreply-.*|donotreply|nobody|notifications?|alerts?|autoreply)@"
)


# What only an automatic reply has for its whole subject, or before a colon.
_SAYS_IT_IS_AUTOMATIC = re.compile(
    r"""(?:(?:re|aw|sv|antw)\ ?:\ ?)?\[?(?:auto(?:matic|mated)?[\ -]?(?:reply|response|answer)|automatische\ (?:antwort|empfangsbestätigung)
      |abwesenheits(?:notiz|nachricht|meldung|assistent)|réponse\ automatique|message\ d['’]absence|respuesta\ automática|out\ of\ (?:the\ )?office(?:\ (?:auto)?reply)?
      |ooo|resposta\ automática|risposta\ automatica|automatisch\ antwoord|autosvar|automatiskt\ svar|automatisk\ svar|自动回复|自動回覆|自動応答|自動返信
      |автоответ|autoodpowiedź|automatická\ odpověď)(?:\ ?[:：\]]|$)""",
    re.VERBOSE | re.IGNORECASE,
)


def classify(parsed: ParsedMail, envelope: Envelope, ours: Collection[str], *, signed_path: bool = False) -> Verdict:
    """`ours` are our mailbox addresses in lower case. `signed_path`: it came to the return path that only those know
    who got a certain mail of ours. The order matters: the surest signs first."""
    if bounce := _bounce(parsed, envelope, signed_path=signed_path):
        return bounce
    if reason := _auto_reply(parsed, envelope):
        return Verdict(Kind.AUTO_REPLY, *reason)
    by_our_list = _is_our_list(parsed, ours)
    in_list = parsed.header("list-id") or parsed.header("list-post") or parsed.header("precedence").lower() == "list"
    if in_list and not by_our_list:
        return Verdict(Kind.LIST, "list-header", str(in_list)[:200])
    if reason := _automatic(parsed, envelope, ours, by_our_list=by_our_list):
        return Verdict(Kind.AUTOMATIC, *reason)
    if reason := _wants_no_answer(parsed):
        return Verdict(Kind.PERSON, *reason, is_quiet=True)
    return Verdict(Kind.PERSON, "no-sign-of-a-machine")


def _bounce(parsed: ParsedMail, envelope: Envelope, *, signed_path: bool) -> Verdict | None:
    content_type = parsed.header("content-type").lower()
    if content_type.startswith("multipart/report"):
        if "feedback-report" in content_type or "disposition-notification" in content_type:
            return None
        if "delivery-status" in content_type or _has_part(parsed, *_STATUS_PARTS):
            return Verdict(Kind.BOUNCE, "delivery-status-report", content_type[:120])
    if _has_part(parsed, "message/feedback-report"):
        return None
    from_daemon, machine = _from_daemon(parsed, envelope), _machine_made(parsed, envelope)
    if machine and (failed := parsed.header("x-failed-recipients")):
        return Verdict(
            Kind.BOUNCE, "failed-recipients-header", failed[:200], is_sure=_returns_mail(parsed, strictly=True)
        )
    if machine and _has_part(parsed, *_STATUS_PARTS):
        return Verdict(Kind.BOUNCE, "delivery-status-part", machine)
    if not (machine or signed_path) or (_auto_reply(parsed, envelope) and not from_daemon):
        return None
    subject = _BOUNCE_SUBJECTS.search(parsed.subject)
    words = subject[0] if subject else _speaks_of_failure(parsed.text)
    returns = _returns_mail(parsed)
    # Quoting looks like returned mail; a part of its own, or the lines of servers, is what reports have.
    null = _null_sender(parsed, envelope)
    sure = null and _returns_mail(parsed, strictly=True)
    if signed_path and machine and (words or null):
        return Verdict(Kind.BOUNCE, "signed-return-path", words, is_sure=null and (sure or bool(words)))
    if sure:
        return Verdict(Kind.BOUNCE, "returned-mail", machine)
    if not machine or not words or _AUTO_SUBJECTS.match(parsed.subject):
        return None
    if from_daemon or (subject and returns):
        return Verdict(Kind.BOUNCE, "mail-daemon" if from_daemon else "returned-mail", machine, is_sure=False)
    return None


_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")


def _machine_made(parsed: ParsedMail, envelope: Envelope) -> str:
    """The sign that no person's mail program made this, or ""."""
    if _from_daemon(parsed, envelope):
        return parsed.from_.address or parsed.from_.name
    if _null_sender(parsed, envelope):
        return "null sender"
    if not parsed.from_.address:
        return "no sender"  # every mail program writes From
    submitted = _keyword(parsed.header("auto-submitted"))
    return f"auto-submitted {submitted}" if submitted and submitted != "no" else ""


def _auto_reply(parsed: ParsedMail, envelope: Envelope) -> tuple[str, str] | None:
    submitted = _keyword(parsed.header("auto-submitted"))
    if submitted == "auto-replied":
        return "auto-submitted", submitted
    for name in _AUTO_REPLY_HEADERS:
        if name in parsed.headers and parsed.header(name).lower() != "no":
            return "auto-reply-header", name
    precedence = parsed.header("precedence").lower()
    if precedence in {"auto_reply", "auto-reply"}:
        return "precedence", precedence
    if match := _AUTO_SUBJECTS.match(parsed.subject):
        # RFC 3834 5: half of the responders set no Auto-Submitted, but one of these.
        if _suppresses(parsed):
            return "auto-response-suppress", match[0][:100]
        if _null_sender(parsed, envelope):
            return "null-sender-and-subject", match[0][:100]
        if precedence in {"bulk", "junk"}:
            return "precedence-and-subject", match[0][:100]
    return None


_AUTO_REPLY_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-vacation", "x-mailer-autoresponder",
)  # fmt: skip


def _wants_no_answer(parsed: ParsedMail) -> tuple[str, str] | None:
    """Signs too weak to call it a machine's, and strong enough not to send it an automatic mail."""
    if _suppresses(parsed):
        return "auto-response-suppress", parsed.header("x-auto-response-suppress")[:100]
    if match := _SAYS_IT_IS_AUTOMATIC.match(parsed.subject):
        return "words-of-an-automatic-reply", match[0][:100]
    return None


def _suppresses(parsed: ParsedMail) -> bool:
    """[MS-OXCMAIL] 2.1.3.2.20: what its sender does not want to get in answer."""
    asked = {word.strip() for word in parsed.header("x-auto-response-suppress").lower().split(",")}
    return bool(asked & {"all", "autoreply", "oof"})


def _is_our_list(parsed: ParsedMail, ours: Collection[str]) -> bool:
    """Whether the list is our own address: a Google Group that the mailbox is, say. Who writes to it writes to us."""
    named = f"{parsed.header('list-id')} {parsed.header('list-post')}".lower()
    return any(address in named or address.replace("@", ".") in named for address in ours)


def _automatic(
    parsed: ParsedMail, envelope: Envelope, ours: Collection[str], *, by_our_list: bool
) -> tuple[str, str] | None:
    submitted = _keyword(parsed.header("auto-submitted"))
    if submitted and submitted != "no":
        return "auto-submitted", submitted
    precedence = parsed.header("precedence").lower()
    if precedence in {"bulk", "junk"}:
        return "precedence", precedence
    if _has_part(parsed, "message/disposition-notification") or "disposition-notification" in parsed.header(
        "content-type"
    ):
        return "read-receipt", ""
    if _has_part(parsed, "message/feedback-report"):
        return "feedback-report", ""
    if parsed.header("list-unsubscribe") and not by_our_list:
        return "bulk-mail", "List-Unsubscribe"
    if parsed.header("feedback-id") or parsed.header("x-campaign") or parsed.header("x-campaignid"):
        return "bulk-mail", "campaign header"
    if _null_sender(parsed, envelope):
        return "null-sender", ""
    if names_a_form(parsed, ours):
        return None  # a form speaks for the person whom it names
    if _AUTO_LOCAL_PARTS.match(parsed.from_.address) or _from_daemon(parsed, envelope):
        return "no-reply-address", parsed.from_.address
    return None


def _keyword(value: str) -> str:
    """Auto-Submitted's keyword, without the parameters and comments that may follow (RFC 3834 section 5)."""
    return re.split(r"[;(\s]", value[:200].strip().lower())[0]


def _has_part(parsed: ParsedMail, *kinds: str) -> bool:
    return any(attachment.content_type in kinds for attachment in parsed.attachments)


def _from_daemon(parsed: ParsedMail, envelope: Envelope) -> bool:
    """By its address; by its name only where nobody could answer: system administrators are people."""
    local = parsed.from_.address.partition("@")[0]
    if _DAEMONS.match(local):
        return True
    return bool(_DAEMON_NAMES.search(parsed.from_.name)) and (
        not parsed.from_.address or _null_sender(parsed, envelope)
    )


def _null_sender(parsed: ParsedMail, envelope: Envelope) -> bool:
    """Whether the envelope's sender is the null one. Where nobody told us, Return-Path does (RFC 5321 4.4)."""
    if envelope.mail_from is not None:
        return not envelope.mail_from
    return parsed.header("return-path").replace(" ", "").lower() in {"<>", "<mailer-daemon>"}


_FAILURE = re.compile(
    r"""(?:could|can)\s?n(?:o|')t\s+be\s+(?:delivered|sent|reached|completed)|not\s+(?:be\s+)?deliver|undeliver|permanent\s+(?:fatal\s+)?error|delivery\s+(?:has\s+)?fail
      |fail(?:ed|ure)\s+(?:to\s+deliver|permanently|recipient)|returned?\s+(?:message|mail|to\s+sender)|user\s+unknown|unknown\s+user|no\s+such\s+(?:user|mailbox|address)
      |mailbox\s+(?:is\s+)?(?:full|unavailable|not\s+found|unknown)|recipient.{0,40}(?:reject|fail|not|unknown|invalid)|unable\s+to\s+(?:deliver|send|relay)|addresses?\s+had
      |does\s+not\s+exist|over\s+quota|\b[45]\d\d[\s-]\#?[45]\.\d+\.\d+|\b5[05]\d\b|wasn't\s+delivered|was\s+not\s+delivered|nicht\s+zugestellt|destinatai?re|配信|送信できません|delayed
      |status:\s*[45]\.""",
    re.VERBOSE | re.IGNORECASE,
)
_RETURNED = re.compile(
    r"^[ \t>]*+(?:Received|Message-ID|Return-Path|From|Subject|To)\s?:[ \t]?\S.*+\n(?:.*+\n){0,12}?[ \t>]*+(?:Subject|To|Date|Message-ID|From)\s?:",
    re.IGNORECASE | re.MULTILINE,
)


def _speaks_of_failure(text: str) -> str:
    found = _FAILURE.search(text[:20_000])
    return found[0][:100] if found else ""


def _returns_mail(parsed: ParsedMail, *, strictly: bool = False) -> bool:
    """Whether the mail carries (part of) the mail that failed. `strictly`: as a part of its own, or with the lines that
    servers write; not as people's mail programs quote."""
    if _has_part(parsed, "message/rfc822", "text/rfc822-headers", "message/partial", "message/global"):
        return True
    return bool((_RETURNED_BY_SERVERS if strictly else _RETURNED).search(parsed.text[:50_000]))


_RETURNED_BY_SERVERS = re.compile(
    r"^[ \t>]*+(?:Received|Message-ID|Return-Path)\s?:[ \t]?\S.*+\n(?:.*+\n){0,20}?[ \t>]*+(?:Subject|To|Date|Message-ID|From)\s?:",
    re.IGNORECASE | re.MULTILINE,
)
