"""What a mail is: a person's, a machine's, a bounce, a list's, or our own come back.

The answer is a value with a named reason. A null return path alone proves nothing: bounces carry it,
and so do vacation notices.
"""

import re
from collections.abc import Collection

from inbound.reading.message import Envelope, Kind, ParsedMail, Verdict

OUR_HEADER = "X-Helpdesk-Mail"  # on every mail we send, so that it is known when it comes back

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


def classify(parsed: ParsedMail, envelope: Envelope, ours: Collection[str]) -> Verdict:
    """`ours` are our mailbox addresses in lower case. The order matters: the surest signs first."""
    if reason := _own_mail(parsed, ours):
        return Verdict(Kind.LOOP, *reason)
    if reason := _bounce(parsed, envelope):
        return Verdict(Kind.BOUNCE, *reason)
    if reason := _auto_reply(parsed):
        return Verdict(Kind.AUTO_REPLY, *reason)
    if list_id := parsed.header("list-id") or parsed.header("list-post"):
        return Verdict(Kind.LIST, "list-header", list_id[:200])
    if reason := _automatic(parsed, envelope):
        return Verdict(Kind.AUTOMATIC, *reason)
    return Verdict(Kind.PERSON, "no-sign-of-a-machine")


def _own_mail(parsed: ParsedMail, ours: Collection[str]) -> tuple[str, str] | None:
    if parsed.header(OUR_HEADER):
        return "our-own-header", parsed.header(OUR_HEADER)[:100]
    if parsed.from_.address in ours:
        return "from-our-mailbox", parsed.from_.address
    return None


def _bounce(parsed: ParsedMail, envelope: Envelope) -> tuple[str, str] | None:
    content_type = parsed.header("content-type").lower()
    if content_type.startswith("multipart/report"):
        if "feedback-report" in content_type or "disposition-notification" in content_type:
            return None
        if "delivery-status" in content_type or _has_part(parsed, "message/delivery-status"):
            return "delivery-status-report", content_type[:120]
    if _has_part(parsed, "message/feedback-report"):
        return None
    if _has_part(parsed, "message/delivery-status", "message/global-delivery-status"):
        return "delivery-status-part", ""
    if failed := parsed.header("x-failed-recipients"):
        return "failed-recipients-header", failed[:200]
    if "auto-replied" in parsed.header("auto-submitted").lower() and not _from_daemon(parsed):
        return None
    if _AUTO_SUBJECTS.match(parsed.subject):
        return None
    subject = _BOUNCE_SUBJECTS.search(parsed.subject)
    if _from_daemon(parsed) and (subject or _speaks_of_failure(parsed.text)):
        return "mail-daemon", parsed.from_.address
    if subject and (_null_sender(parsed, envelope) or _speaks_of_failure(parsed.text)) and _returns_mail(parsed):
        return "bounce-subject", subject[0]
    return None


def _auto_reply(parsed: ParsedMail) -> tuple[str, str] | None:
    submitted = _keyword(parsed.header("auto-submitted"))
    if submitted == "auto-replied":
        return "auto-submitted", submitted
    for name in (
        "x-autoreply",
        "x-autorespond",
        "x-autoresponder",
        "x-auto-reply",
        "x-vacation",
        "x-mailer-autoresponder",
    ):
        if name in parsed.headers and parsed.header(name).lower() != "no":
            return "auto-reply-header", name
    if parsed.header("precedence").lower() in {"auto_reply", "auto-reply"}:
        return "precedence", parsed.header("precedence")
    if parsed.header("x-auto-response-suppress").lower() == "all" and _AUTO_SUBJECTS.match(parsed.subject):
        return "auto-response-suppress", parsed.subject[:100]
    if parsed.header("return-path").strip() == "<>" and _AUTO_SUBJECTS.match(parsed.subject):
        return "null-sender-and-subject", parsed.subject[:100]
    if match := _AUTO_SUBJECTS.match(parsed.subject):
        return "auto-reply-subject", match[0][:100]
    return None


def _automatic(parsed: ParsedMail, envelope: Envelope) -> tuple[str, str] | None:
    submitted = _keyword(parsed.header("auto-submitted"))
    if submitted and submitted != "no":
        return "auto-submitted", submitted
    precedence = parsed.header("precedence").lower()
    if precedence in {"bulk", "junk", "list"}:
        return "precedence", precedence
    if _has_part(parsed, "message/disposition-notification") or "disposition-notification" in parsed.header(
        "content-type"
    ):
        return "read-receipt", ""
    if _has_part(parsed, "message/feedback-report"):
        return "feedback-report", ""
    if parsed.header("list-unsubscribe"):
        return "bulk-mail", "List-Unsubscribe"
    if parsed.header("feedback-id") or parsed.header("x-campaign") or parsed.header("x-campaignid"):
        return "bulk-mail", "campaign header"
    if _null_sender(parsed, envelope):
        return "null-sender", ""
    if _AUTO_LOCAL_PARTS.match(parsed.from_.address) or _from_daemon(parsed):
        return "no-reply-address", parsed.from_.address
    return None


def _keyword(value: str) -> str:
    """Auto-Submitted's keyword, without the parameters and comments that may follow (RFC 3834 section 5)."""
    return re.split(r"[;(\s]", value.strip().lower())[0]


def _has_part(parsed: ParsedMail, *kinds: str) -> bool:
    return any(attachment.content_type in kinds for attachment in parsed.attachments)


def _from_daemon(parsed: ParsedMail) -> bool:
    local = parsed.from_.address.partition("@")[0]
    return bool(_DAEMONS.match(local)) or bool(_DAEMON_NAMES.search(parsed.from_.name))


def _null_sender(parsed: ParsedMail, envelope: Envelope) -> bool:
    if envelope.rcpt_tos:
        return not envelope.mail_from
    return parsed.header("return-path").replace(" ", "") in {"<>", "<MAILER-DAEMON>"}


_FAILURE = re.compile(
    r"""(?:could|can)\s?n(?:o|')t\s+be\s+(?:delivered|sent|reached|completed)|not\s+(?:be\s+)?deliver|undeliver|permanent\s+(?:fatal\s+)?error|delivery\s+(?:has\s+)?fail
      |fail(?:ed|ure)\s+(?:to\s+deliver|permanently|recipient)|returned?\s+(?:message|mail|to\s+sender)|user\s+unknown|unknown\s+user|no\s+such\s+(?:user|mailbox|address)
      |mailbox\s+(?:is\s+)?(?:full|unavailable|not\s+found|unknown)|recipient.{0,40}(?:reject|fail|not|unknown|invalid)|unable\s+to\s+(?:deliver|send|relay)|addresses?\s+had
      |does\s+not\s+exist|over\s+quota|\b[45]\d\d[\s-]\#?[45]\.\d+\.\d+|\b5[05]\d\b|wasn't\s+delivered|was\s+not\s+delivered|nicht\s+zugestellt|destinatai?re|配信|送信できません|delayed
      |status:\s*[45]\.""",
    re.VERBOSE | re.IGNORECASE,
)
_RETURNED = re.compile(
    r"^[\s>]*(?:Received|Message-ID|Return-Path|From|Subject|To)\s?:\s?\S.*\n(?:.*\n){0,12}?[\s>]*(?:Subject|To|Date|Message-ID|From)\s?:",
    re.IGNORECASE | re.MULTILINE,
)


def _speaks_of_failure(text: str) -> bool:
    return bool(_FAILURE.search(text[:20_000]))


def _returns_mail(parsed: ParsedMail) -> bool:
    """Whether the mail carries (part of) the mail that failed, or names an SMTP answer."""
    if _has_part(parsed, "message/rfc822", "text/rfc822-headers", "message/partial", "message/global"):
        return True
    return bool(_RETURNED.search(parsed.text[:50_000])) or bool(re.search(r"\b[45]\d\d\b", parsed.text[:20_000]))
