"""What mail systems say of mail that could not be delivered, in its subject and in its text."""

import re

_SUBJECTS = (
    r"undeliver(?:ed|able)",  # Postfix, Exchange
    r"non[-\s]?deliver",
    r"delivery\s+(?:status|failure|failed|report|problem|error|notification|unsuccessful"
    r"|has\s+failed)",  # sendmail, exim, Google, Exchange, Lotus Notes
    r"mail\s+delivery\s+(?:failed|failure|problem|status|error|system)",  # exim
    r"failure\s+notice",  # qmail, Yahoo
    r"returned\s+(?:mail|e-?mail|message|to\s+sender)",  # sendmail
    r"(?:mail|message|e-?mail)\s+(?:could\s+not\s+be|not|was\s+not|cannot\s+be)\s+deliver",
    r"could\s+not\s+(?:send|deliver)",
    r"not\s+delivered",
    r"mail\s+(?:error|failure|system\s+error|not\s+delivered)",
    r"delivery\s+of\s+.{0,60}\s+failed",
    r"warning:.{0,60}(?:not|could|still|delayed)",  # sendmail
    r"message\s+(?:delayed|status|delivery)",
    r"(?:unzustellbar|nicht\s+zugestellt|zustellung)",  # German
    r"(?:no\s+(?:se\s+ha\s+)?entreg|error\s+de\s+entrega)",  # Spanish
    r"(?:non\s+remis|échec\s+de\s+la\s+remise|remise\s+impossible)",  # French
    r"niet\s+(?:bezorg|afgeleverd)",  # Dutch
    r"配信(?:不能|エラー|失敗)",  # Japanese
    r"退信",  # Chinese
    r"无法投递",  # Chinese
    r"недоставлен",  # Russian
    r"unknown\s+(?:user|recipient|address)",
    r"user\s+unknown",
    r"undelivery",
    r"failed\s+mail",
    r"bounced?\s+(?:mail|message)",
    r"banned\s+contents",  # amavis
    r"error\s+sending",
    r"delayed\s+mail",  # Postfix
    r"address\s+(?:error|change|problem)",
    r"nondeliverable",
    r"problem\s+delivering",
    r"unable\s+to\s+deliver",
    r"deliver(?:y|able)\s+.{0,20}(?:fail|delay)",
    r"notificación\s+de\s+estado",  # Spanish
    r"mail\s+could\s+not",
    r"transient\s+failure",
    r"considered\s+unsolicited",  # amavis
    r"rejected\s+(?:mail|message|posting)",
    r"your\s+message\s+to\s+.{0,80}(?:couldn|could\s+not|was\s+not)",
)
BOUNCE_SUBJECT = re.compile("|".join(_SUBJECTS), re.IGNORECASE)
_FAILURES = (
    r"(?:could|can)\s?n(?:o|')t\s+be\s+(?:delivered|sent|reached|completed)",
    r"not\s+(?:be\s+)?deliver",
    r"undeliver",
    r"permanent\s+(?:fatal\s+)?error",  # sendmail
    r"delivery\s+(?:has\s+)?fail",
    r"fail(?:ed|ure)\s+(?:to\s+deliver|permanently|recipient)",  # Google
    r"returned?\s+(?:message|mail|to\s+sender)",
    r"user\s+unknown",
    r"unknown\s+user",
    r"no\s+such\s+(?:user|mailbox|address)",  # qmail
    r"mailbox\s+(?:is\s+)?(?:full|unavailable|not\s+found|unknown)",
    r"recipient.{0,40}(?:reject|fail|not|unknown|invalid)",
    r"unable\s+to\s+(?:deliver|send|relay)",
    r"addresses?\s+had",  # sendmail
    r"does\s+not\s+exist",
    r"over\s+quota",
    r"\b[45]\d\d[\s-]#?[45]\.\d+\.\d+",  # an answer of SMTP with its enhanced status
    r"\b5[05]\d\b",  # and without one
    r"wasn't\s+delivered",
    r"was\s+not\s+delivered",
    r"nicht\s+zugestellt",  # German
    r"destinatai?re",  # French
    r"配信",  # Japanese
    r"送信できません",  # Japanese
    r"delayed",
    r"status:\s*[45]\.",  # a field of RFC 3464 among the words
)
FAILURE = re.compile("|".join(_FAILURES), re.IGNORECASE)
