"""What mail programs put between an answer and the mail that it answers: a line of dashes with a
word in it, or the old mail's "From: … Sent: … To: … Subject: …"."""

import re

MAX_DIVIDER = 200  # characters; a longer line is text
MAX_HEADER_LINE = 500

# Between two runs of dashes: what Outlook and Thunderbird write, and others after them.
_BETWEEN_DASHES = (
    r"Original (?:Message|Appointment)",  # English
    r"Forwarded [Mm]essage",  # English
    r"Urspr(?:ü|ue)ngliche Nachricht",  # German
    r"Weitergeleitete Nachricht",  # German
    r"Message (?:d'origine|original|transféré)",  # French
    r"Mensaje (?:original|reenviado)",  # Spanish
    r"Mensagem [Oo]riginal",  # Portuguese
    r"Messaggio (?:originale|inoltrato)",  # Italian
    r"Oorspronkelijk [Bb]ericht",  # Dutch
    r"Doorgestuurd bericht",  # Dutch
    r"Originalmeddelande",  # Swedish
    r"Ursprungligt meddelande",  # Swedish
    r"Oprindelig meddelelse",  # Danish
    r"Opprinnelig melding",  # Norwegian
    r"Alkuperäinen viesti",  # Finnish
    r"Původní zpráva",  # Czech
    r"Wiadomość oryginalna",  # Polish
    r"Исходное сообщение",  # Russian
    r"Пересылаемое сообщение",  # Russian
    r"原始邮件",  # Chinese, simplified
    r"原始郵件",  # Chinese, traditional
    r"元のメッセージ",  # Japanese
    r"Reply message",  # Samsung's mail
    r"Reply [Aa]bove.{0,100}?",  # helpdesks
)
# Whole lines of their own.
_DIVIDERS = (
    rf"[-_=~]{{2,}}+\s?(?:{'|'.join(_BETWEEN_DASHES)})\s?[-_=~]{{2,}}",
    r"-{5,}+\s?\w[\w'’ ]{4,40}-{5,}",  # whatever words, between longer runs
    # helpdesks' "please reply above this line"
    r"[-_#=]{2,}+.{0,20}(?:Please (?:reply|type)|Reply) (?:your reply )?above this line.*",
    r"Begin forwarded message:",  # Apple Mail, English
    r"Anfang der weitergeleiteten (?:E-Mail|Nachricht):",  # Apple Mail, German
    r"Début du message (?:réexpédié|transféré)\s?:",  # Apple Mail, French
)
# Asked of folded lines of MAX_DIVIDER characters at the most, and of nothing longer.
_DIVIDER = re.compile(rf"(?:{'|'.join(_DIVIDERS)})$", re.IGNORECASE)
_RULE = re.compile(r"(?:_{10,}+|-{20,}+)$")  # of a stripped line

_FROM = "|".join(
    (
        "From",  # English
        "Von",  # German
        "De",  # French, Spanish, Portuguese
        "Da",  # Italian
        "Van",  # Dutch
        "Från",  # Swedish
        "Fra",  # Danish, Norwegian
        "Lähettäjä",  # Finnish
        "Od",  # Czech, Polish
        "От",  # Russian
        "Kimden",  # Turkish
        "Feladó",  # Hungarian
        "发件人",  # Chinese, simplified
        "寄件者",  # Chinese, traditional
        "差出人",  # Japanese
        "보낸 사람",  # Korean
    )
)
_OTHER_NAMES = (
    "Sent|Date|To|Cc|Subject",  # English
    "Gesendet|Datum|An|Betreff",  # German
    "Envoyé|À|Objet",  # French
    "Enviado|Enviada|Para|Asunto|Assunto|Data",  # Spanish, Portuguese
    "Inviato|A|Oggetto",  # Italian
    "Verzonden|Aan|Onderwerp",  # Dutch
    "Skickat|Till|Ämne",  # Swedish
    "Sendt|Til|Emne",  # Danish, Norwegian
    "Lähetetty|Vastaanottaja|Aihe",  # Finnish
    "Odesláno|Komu|Předmět",  # Czech
    "Wysłano|Do|Temat",  # Polish
    "Отправлено|Кому|Тема|Дата",  # Russian
    "Gönderildi|Kime|Konu",  # Turkish
    "发送时间|收件人|主题|日期",  # Chinese
    "Reply-To|Importance|Message-ID",  # whatever the language
)
_HEADER_LINE = re.compile(
    rf"[\s>*|]*+(?:{_FROM}|{'|'.join(_OTHER_NAMES)})\s?\*?\s?[:：]\*?\s", re.IGNORECASE
)
_FROM_LINE = re.compile(rf"[\s>*|]*+(?:{_FROM})\s?\*?\s?[:：]\*?\s*\S", re.IGNORECASE)


def is_divider(line: str) -> bool:
    line = line[: 2 * MAX_DIVIDER + 1]
    folded = " ".join(line.split()).lstrip(" >*")
    if len(line) > 2 * MAX_DIVIDER or len(folded) > MAX_DIVIDER:
        return False
    return bool(_DIVIDER.match(folded))


def is_rule(line: str) -> bool:
    """Whether it is a long line of dashes and nothing else."""
    return bool(_RULE.match(line.strip()))


def is_header_line(line: str) -> bool:
    """Whether it is one of those lines: "Sent: Monday"."""
    return bool(_HEADER_LINE.match(line[:MAX_HEADER_LINE]))


def is_header_block(lines: list[str], number: int) -> bool:
    """Whether a mailer's "From: … Sent: … To: … Subject: …" begins there, over quoted text without
    any marks."""
    if not _FROM_LINE.match(lines[number]):
        return False
    following = [line for line in lines[number : number + 9] if line.strip()][:6]
    return sum(1 for line in following if _HEADER_LINE.match(line)) >= 3
