"""What a mail server's reply says of whose fault it is: a table with the source of each row."""

from dataclasses import dataclass

from helpdesk.outbound.whose_fault import Whose

MAIL_FROM, RCPT_TO, DATA = "MAIL", "RCPT", "DATA"
ANY = frozenset({MAIL_FROM, RCPT_TO, DATA})


@dataclass(frozen=True, slots=True)
class Row:
    """The first row whose stage, reply code, enhanced code and words all match says whose fault it
    is."""

    whose: Whose
    code: str  # of the reply's three digits
    # of subject.detail (RFC 3463), where there is one; "-": there is none, or one that says nothing
    enhanced: str = ""
    said: str = ""  # anywhere in the server's words
    stages: frozenset[str] = ANY
    source: str = ""


AT_MAIL, AT_RCPT, AT_DATA = frozenset({MAIL_FROM}), frozenset({RCPT_TO}), frozenset({DATA})
RELAYING = (
    r"relay(?:ing)?(?: access| mail| is| of mail)? ?(?:denied|not (?:permitted|allowed)|"
    r"prohibited|rejected)|unable to relay|(?:not|n't|cannot|refus\w+ to|no) ?(?:allowed to |"
    r"permitted to )?relay|rcpthosts|delivery is not allowed to this"
)
ABOUT_US = (
    r"authenticat|\bauth\b|not authori[sz]ed|denied|prohibit|polic(?:y|ies)|block(?:ed|list)|"
    r"black ?list|deny ?list|\brbl\b|dnsbl|spamhaus|reputation|\bspf\b|dkim|dmarc|\bptr\b|"
    r"reverse dns|rdns|helo|sender verif|verify failed|not verified|unverified|"
    r"verified sender|\bsender\b|from address|sandbox|test purposes|trial|\bcredits?\b|"
    r"your account|permissions?\b|submit|rate ?limit|too (?:many|much)|(?:sending|daily|"
    r"hourly|message) (?:limit|quota)|spam|banned|suspended"
)
OUR_SENDER = (
    r"\bsender(?:'s)? (?:address |domain |verification |"
    r"id )?(?:<?\S{1,300}@\S{1,300} )?(?:is |was )?(?:rejected|denied|refused|not|unknown|"
    r"invalid|failed)|SendAsDenied|OutboundSpam|STOREDRV\.Submission"
)
OUR_SERVER = (
    r"\byour (?:ip|server|host|network|mail ?server|client|domain|country)\b|\b(?:is|"
    r"are) listed\b|blocked (?:using|by|at)|sending from|ip[- ]?adress|adresse ip|"
    r"dirección ip|client host|connection (?:rejected|refused|denied)"
)
LATER = r"gr[ae]y ?-?list|try(?:ing)? again|\blater\b|temporar"
NOBODY = (
    r"(?:no such|unknown|invalid|nonexist\w*|non-exist\w*|bad|undeliverable|unrouteable|"
    r"inactive|disabled|no) (?:user|recipient|mailbox|address|account|person|destination|"
    r"local|here)|user (?:\S{1,300} )?(?:is )?unknown|not (?:found|exist|local|known|"
    r"listed in)|does ?n[o']t exist|unknown user|mailbox (?:name )?(?:is )?(?:unavailable|not|"
    r"inactive|disabled)|recipient (?:address )?(?:rejected|unknown|not|invalid)|"
    r"domain (?:missing|not found)|malformed|address rejected|please try <|no mailbox|"
    r"disabled|discontinued"
)
FULL = (
    r"over ?quota|quota (?:is |has been )?exceeded|exceed\w* (?:\w+ )?(?:quota|storage)|"
    r"(?:mailbox|inbox|user) (?:is )?(?:full|over)"
)
SIZE = r"\bsize\b|too (?:large|big|long)|exceeds? .{0,40}(?:maximum|limit)"

SMTP: tuple[Row, ...] = (
    Row(
        Whose.SERVER,
        "421",
        source="RFC 5321 4.2.2: the service is not available, the channel closes",
    ),
    Row(Whose.SERVER, "521", source="RFC 7504 3: the host takes no mail"),
    Row(Whose.ADDRESS, "556", source="RFC 7504 4: the recipient's domain takes no mail"),
    # Whatever codes a server puts beside these words. (Exim's are "550 relay not permitted",
    # qmail's "553 … rcpthosts".)
    Row(
        Whose.POLICY,
        "[45]..",
        said=RELAYING,
        source="Exim, qmail, hMailServer, Exchange: no relaying for us",
    ),
    Row(
        Whose.SERVER,
        "432|454|455|5[23][0-9]",
        source="RFC 4954 6, RFC 3207 4, RFC 5248: sign in, by TLS, or do it better",
    ),
    # MAIL FROM: our return path, or the size that we have announced.
    Row(
        Whose.MAIL,
        "5..",
        "3.4|2.3",
        stages=AT_MAIL,
        source="RFC 1870 6.1, RFC 3463: larger than it takes",
    ),
    Row(Whose.MAIL, "552", said=SIZE, stages=AT_MAIL, source="RFC 1870 6.1: larger than it takes"),
    Row(
        Whose.SERVER,
        "4..",
        stages=AT_MAIL,
        source="RFC 5321 4.2.3: it is short of space, or in trouble",
    ),
    Row(
        Whose.POLICY,
        "5..",
        stages=AT_MAIL,
        source="RFC 5321 4.2.3: it does not take mail from this address",
    ),
    Row(
        Whose.POLICY,
        "5..",
        "4.5|1.90",
        source="Google and Exchange Online: our sending limit is reached",
    ),
    Row(
        Whose.POLICY,
        "5..",
        said=OUR_SENDER,
        source="Exchange Online, IronPort: not from our address, whatever the code",
    ),
    Row(
        Whose.POLICY,
        "5..",
        said=OUR_SERVER,
        source="what is said of our server is not about the recipient, whatever the code",
    ),
    # Temporary ones.
    Row(
        Whose.SERVER,
        "4..",
        r"[35]\.\d+",
        source="RFC 3463 3.4, 3.6: the server's own state, or the conversation",
    ),
    Row(Whose.POLICY, "4..", r"7\.\d+", source="RFC 3463 3.8: not from us, or not now"),
    Row(Whose.PASSES, "4..", source="RFC 5321 4.2.1: try again"),
    Row(
        Whose.PASSES,
        "5..",
        "mixed",
        source="a permanent reply that calls itself temporary: the safer of the two",
    ),
    Row(
        Whose.PASSES,
        "5..",
        "",
        LATER,
        source="a permanent reply that asks to be tried again: the safer of the two",
    ),
    # Permanent ones that say what they are about.
    Row(
        Whose.POLICY,
        "5..",
        r"7\.\d+|1\.[78]",
        source="RFC 3463 3.8 and 3.2: security, policy, or our own address",
    ),
    Row(Whose.PASSES, "55.", said=FULL, source="RFC 3463 3.3: full, by whatever code"),
    Row(Whose.PASSES, "5..", r"2\.2|3\.1|5\.3", source="RFC 3463: full, or too many at once"),
    Row(
        Whose.MAIL,
        "5..",
        r"2\.3|3\.[34]|6\.\d+",
        source="RFC 3463: too large, or its form is not taken",
    ),
    Row(Whose.SERVER, "5..", r"3\.[25]", source="RFC 3463 3.4: switched off, or set up wrongly"),
    Row(Whose.ADDRESS, "5..", r"[12]\.\d+", source="RFC 3463 3.2, 3.3: the address or its mailbox"),
    Row(
        Whose.ADDRESS,
        "5..",
        r"4\.\d+",
        stages=AT_RCPT,
        source="RFC 3463 3.5: no way there; Exchange Online: 5.4.1",
    ),
    Row(Whose.MAIL, "5..", r"4\.\d+", source="RFC 3463 3.5: it goes round in circles"),
    Row(
        Whose.ADDRESS,
        "501",
        r"5\.\d+",
        stages=AT_RCPT,
        source="RFC 5321 4.2.3: it can't read the address",
    ),
    Row(Whose.ADDRESS, "550", r"5\.0", stages=AT_RCPT, source="Outlook.com: mailbox unavailable"),
    Row(Whose.SERVER, "5..", r"5\.\d+", source="RFC 3463 3.6: the conversation, not the mail"),
    # Permanent ones that don't.
    Row(Whose.MAIL, "552", said=SIZE, source="RFC 1870 6.3"),
    Row(
        Whose.PASSES,
        "552",
        source="RFC 5321 4.5.3.1.10: as often a full mailbox; to be treated as 452",
    ),
    Row(Whose.ADDRESS, "501", stages=AT_RCPT, source="RFC 5321 4.2.3: it can't read the address"),
    Row(
        Whose.SERVER,
        "50.|555",
        source="RFC 5321 4.2.2, 4.2.4: a command or parameter that it does not know",
    ),
    Row(
        Whose.POLICY, "5..", said=ABOUT_US, source="servers without enhanced codes say it in words"
    ),
    Row(
        Whose.ADDRESS,
        "55[0136]",
        said=NOBODY,
        stages=AT_RCPT,
        source="RFC 5321 4.2.3: no such mailbox, or not here",
    ),
    Row(
        Whose.UNCLEAR,
        "5..",
        source="RFC 5321 4.2.3: it refuses, for whatever reason; 550 is for policy, too",
    ),
)
