"""Whose fault it is that a mail was not taken: by one table for mail servers (server_replies), and
one for providers with an API (provider_errors).

An answer ends a mail only where it says so of that address or of that mail. Whatever else it says
is about us, about the server, or about this hour: the mail waits, and whoever looks after the
installation is shown the words.
"""

import re
import smtplib
from collections.abc import Mapping
from typing import Any

from helpdesk.outbound.provider_errors import PROVIDERS
from helpdesk.outbound.server_replies import DATA, MAIL_FROM, RCPT_TO, SMTP
from helpdesk.outbound.whose_fault import Whose
from inbound.faults import WRONG_SIGN_IN, in_words

_READ = 5_000  # characters of an answer


_ENHANCED = re.compile(
    r"(?m)^\W{0,2}#?([245])\.(\d{1,3}\.\d{1,3})(?!\.?\d)|\(#([245])\.(\d{1,3}\.\d{1,3})\b"
)
_SAYS_NOTHING = {"50.0", "53.0", "40.0"}  # "other or undefined"


def of_reply(stage: str, code: int, said: str) -> Whose:
    """Whose fault a reply of 400 to 599 is, given in answer to MAIL_FROM, RCPT_TO or DATA (the
    mail's end included)."""
    found = _ENHANCED.search(said)
    kind, detail = ((found[1] or found[3]), (found[2] or found[4])) if found else ("", "")
    enhanced = (
        "" if kind + detail in _SAYS_NOTHING else "mixed" if code >= 500 and kind == "4" else detail
    )
    for row in SMTP:
        if (
            stage in row.stages
            and re.fullmatch(row.code, str(code))
            and (not row.enhanced or re.fullmatch(row.enhanced, enhanced))
            and (not row.said or re.search(row.said, said, re.IGNORECASE))
        ):
            return row.whose
    return Whose.SERVER  # no reply of SMTP's at all


_TOO_LARGE = {413}
_THE_REQUEST = {400, 406, 412, 420, 422}  # it is refused as it is: for its sake or for ours


def of_provider(error: Any) -> Whose:
    """Whose fault an AnymailAPIError is."""
    status, said = _status(error), str(error)[:_READ]
    if status in _TOO_LARGE:
        return Whose.MAIL
    for row in PROVIDERS:
        if row.esp == error.esp_name and re.search(row.said, said, re.DOTALL | re.IGNORECASE):
            return row.whose
    # 200: Postal answers so to everything. Without any, it was not reached.
    return Whose.POLICY if status in _THE_REQUEST or status == 200 else Whose.SERVER


def _status(error: Any) -> int | None:
    if error.status_code is not None:
        return int(error.status_code)
    if isinstance(error.response, Mapping):  # botocore's
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status if isinstance(status, int) else None
    return None


def of_smtp(error: smtplib.SMTPException) -> tuple[Whose, str]:
    """Whose fault it is, and the server's words."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return _judged(RCPT_TO, code, words)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _judged(MAIL_FROM, error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPDataError):
        return _judged(DATA, error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Whose.SERVER, f"{WRONG_SIGN_IN}: {error.smtp_code} {_text(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return Whose.SERVER, f"{error.smtp_code} {_text(error.smtp_error)}"
    return Whose.SERVER, in_words(error)


def _judged(stage: str, code: int, words: bytes | str) -> tuple[Whose, str]:
    said = _text(words)[:_READ]
    return of_reply(stage, code, said), f"{code} {said}"


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
