"""What a server writes when it refuses a mail: because the address is no good, or for another
reason."""

import re

_NOBODY_THERE = (
    r"(?:user|recipient|mailbox|address|account|addressee|person|name)\s?(?:\S+\s+){0,4}?"
    r"(?:is\s+|was\s+)?(?:unknown|not\s+found|does(?:\s+not|n't)\s+exist|doesn't\s+exist"
    r"|no\s+longer|disabled|invalid|unavailable|inactive|not\s+(?:known|listed|exist))",
    r"(?:unknown|no\s+such|invalid|non-?existent)\s+(?:\S+\s+)?"
    r"(?:user|recipient|mailbox|address|account|person|local)",
    r"user\s+doesn't\s+have",  # Yahoo
    r"(?:host|domain)\s+(?:\S+\s+){0,3}?(?:unknown|not\s+found|does\s+not\s+exist)",
    r"host\s+unknown",  # sendmail
    r"name\s+or\s+service\s+not\s+known",  # Postfix, of the resolver
    r"no\s+mailbox\s+(?:here|by)",  # qmail
    r"not\s+our\s+customer",
    r"null\s?mx",  # RFC 7505
    r"does\s+not\s+accept\s+mail",
    r"has\s+moved",
)
NOBODY_THERE = re.compile("|".join(_NOBODY_THERE), re.IGNORECASE)
_OTHER_REASONS = (
    r"spam|blacklist|block(?:ed|\s?list)|reputation|policy|virus",  # what the mail is taken for
    r"dmarc|spf\b|dkim|reverse\s+dns|starttls",  # how it was sent
    r"sender\s+(?:address\s+)?(?:rejected|verify|domain)",
    r"over\s?quota|quota|mailbox\s+(?:is\s+)?full|too\s+(?:large|big|many)",  # no room
    r"relay(?:ing)?",
    r"rate\s?limit|try\s+again|greylist|timed?\s+out",  # not now
    r"suppression",  # a provider's own list
)
OTHER_REASON = re.compile("|".join(_OTHER_REASONS), re.IGNORECASE)
