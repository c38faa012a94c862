"""Where the quoted history of a reply starts. It is folded, never deleted: both halves are kept.

When in doubt nothing is folded: a reply that shows too much is read, one that shows too little is
lost on its reader (people who answer between the quoted lines, forwards, bottom posters).
"""

import copy
import itertools
import re
from typing import NamedTuple

import lxml.html

from inbound.reading.body import element_to_text, read_html, write_html

MAX_LINES = 3000  # an answer longer than that is shown whole

# Who wrote: the verbs of "On …, … wrote:" in the languages our customers' mailers speak.
_WROTE = (
    r"wrote|writes|a écrit|schrieb|schreef|geschreven|escribió|escribi=C3=B3|escreveu|scritto|skrev|kirjoitti|napisał\(?a?\)?"
    r"|napsal\(?a?\)?|написал\(?а?\)?|пишет|написа|yazdı|写道|写到|写了|寫道|のメッセージ|schrieb am|a scris|írta|viết"
    r"|έγραψε|כתב|작성"
).replace(" ", r"\ ")  # the patterns below ignore white space
_ATTRIBUTION = re.compile(
    rf"""^\s*(?:>\s*)?(?:
      (?:On|Le|Am|El|Em|Il|Op|Den|Dne|Dnia|W\ dniu|On\ the|Vào|Pada|Ned|Στις|Els?|A\ la\ date)\b.{{4,300}}?(?:{_WROTE}).{{0,200}}?[:：]?\s*$
    | .{{0,200}}\d.{{0,200}}(?:{_WROTE})\b.{{0,100}}?\s?[:：]\s*$
    | .{{0,120}}(?:{_WROTE})[^:：]{{0,60}}\d{{1,4}}.{{0,60}}[:：]\s*$
    | .{{0,200}}<?[\w.+-]+@[\w.-]+>?.{{0,60}}(?:{_WROTE}).{{0,60}}[:：]\s*$
    | \d{{4}}[-/年.]\d{{1,2}}[-/月.]\d{{1,2}}.{{0,150}}<[\w.+-]+@[\w.-]+>\s*[:：]?\s*$
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_DIVIDER = re.compile(
    r"""^[\s>*]*(?:
      [-_=~]{2,}\s*(?:Original\ (?:Message|Appointment)|Forwarded\ [Mm]essage|Urspr(?:ü|ue)ngliche\ Nachricht|Weitergeleitete\ Nachricht
        |Message\ (?:d'origine|original|transféré)|Mensaje\ (?:original|reenviado)|Mensagem\ [Oo]riginal|Messaggio\ (?:originale|inoltrato)
        |Oorspronkelijk\ [Bb]ericht|Doorgestuurd\ bericht|Originalmeddelande|Ursprungligt\ meddelande|Oprindelig\ meddelelse|Opprinnelig\ melding
        |Alkuperäinen\ viesti|Původní\ zpráva|Wiadomość\ oryginalna|Исходное\ сообщение|Пересылаемое\ сообщение|原始邮件|原始郵件|元のメッセージ
        |Reply\ message|Reply\ [Aa]bove.*)\s*[-_=~]{2,}\s*
    | -{5,}\s*\w[\w'’ ]{4,40}\s*-{5,}\s*
    | [-_#=]{2,}.{0,20}(?:Please\ (?:reply|type)|Reply)\ (?:your\ reply\ )?above\ this\ line.*
    | Begin\ forwarded\ message:\s* | Anfang\ der\ weitergeleiteten\ (?:E-Mail|Nachricht):\s* | Début\ du\ message\ (?:réexpédié|transféré)\s?:\s*
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_FROM = r"From|Von|De|Da|Van|Från|Fra|Lähettäjä|Od|От|Kimden|Feladó|发件人|寄件者|差出人|보낸\ 사람"
_HEADER_NAMES = (
    _FROM
    + r"|Sent|Date|To|Cc|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado|Enviada|Para|Asunto|Assunto|Data"
    r"|Inviato|A|Oggetto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne|Sendt|Til|Emne|Lähetetty|Vastaanottaja|Aihe"
    r"|Odesláno|Komu|Předmět|Wysłano|Do|Temat|Отправлено|Кому|Тема|Дата|Gönderildi|Kime|Konu|发送时间|收件人|主题|日期"
    r"|Reply-To|Importance|Message-ID"
)
_HEADER_LINE = re.compile(rf"^[\s>*|]*\*?(?:{_HEADER_NAMES})\s?\*?\s?[:：]\*?\s", re.IGNORECASE | re.VERBOSE)
_FROM_LINE = re.compile(rf"^[\s>*|]*\*?(?:{_FROM})\s?\*?\s?[:：]\*?\s*\S", re.IGNORECASE | re.VERBOSE)
_RULE = re.compile(r"^\s*_{10,}\s*$|^\s*-{20,}\s*$")
_SIGNATURE = re.compile(r"^(?:-- ?|—|__+|--+)$")
_SIGNED = re.compile(r"^[-—–]{1,2} ?[A-ZÀ-Þ][\w.'-]*(?: [A-ZÀ-Þ][\w.'-]*){0,3}$")
_SENT_FROM = re.compile(
    r"""^\s*[*_\[(]*(?:(?:Sent|Get)\ (?:from|via|with|using)\ (?:my|a|the|Outlook|Mail|Yahoo|Samsung|Gmail|Proton|Spark|Front|BlueMail|WhatsApp|AOL|Nine)\b[^,.!?]{0,60}
      |(?:Von\ meinem|Gesendet\ (?:von|mit))\ .{0,80}(?:gesendet)?|Envoyé\ (?:de|depuis)\ (?:mon|Outlook|Yahoo).{0,60}|Enviado\ (?:desde|do)\ (?:mi|meu|Outlook|Yahoo|Correo).{0,60}
      |Inviato\ da(?:l\ mio)?\ .{0,60}|Verzonden\ (?:vanaf|met|vanuit)\ .{0,60}|Skickat\ från\ .{0,60}|Sendt\ fra\ .{0,60}
      |Отправлено\ с\ .{0,60}|发自我的.{0,60})\s*[*_\])]*\s*$""",
    re.VERBOSE | re.IGNORECASE,
)


class Split(NamedTuple):
    text: str  # what is new
    quoted_text: str  # the rest, from its first line on
    html: str
    quoted_html: str


def split(text: str, html: str) -> Split:
    """A body's two halves. Both keep everything: `text` and `html` are whole where nothing is quoted."""
    new_html, quoted_html, from_html = html, "", None
    if html and (root := read_html(html)) is not None and (node := _first_quote(root)) is not None:
        new, quoted = _cut(root, node)
        from_html = element_to_text(new)
        if from_html:
            new_html, quoted_html = write_html(new), write_html(quoted)
    if from_html and quoted_html and _same_words(text, html):
        # There was no text part: the tree knows better than the lines made from it.
        return Split(from_html, element_to_text(quoted), new_html, quoted_html)
    new_text, quoted_text = split_text(text)
    if from_html and quoted_html and len(new_text) > len(from_html) + 20:
        new_text, quoted_text = from_html, text
    return Split(new_text, quoted_text, new_html, quoted_html)


def split_text(text: str) -> tuple[str, str]:
    """(new, quoted) of a plain-text body; `new` is empty where all of it is a forward."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = _quote_start(lines)
    start = _signature_start(lines, start)
    new, quoted = "\n".join(lines[:start]).strip(), "\n".join(lines[start:]).strip("\n")
    return new, quoted


def _quote_start(lines: list[str]) -> int:
    for number, line in enumerate(lines[:MAX_LINES]):
        if not line.strip():
            continue
        if number == 0 and not _attribution_lines(lines, number) and not _DIVIDER.match(line):
            if line.lstrip().startswith(">"):
                return len(lines)  # begins with a quotation: the answer is below it or between
            continue
        if _DIVIDER.match(line) or _header_block(lines, number):
            return _with_rule_before(lines, number)
        if span := _attribution_lines(lines, number):
            if _answers_between(lines, number + span):
                return _trailing_quote(lines, len(lines))
            return number
    return _trailing_quote(lines, len(lines))


def _attribution_lines(lines: list[str], number: int) -> int:
    """How many lines from `number` on are one "On …, … wrote:"; mailers wrap it over up to four."""
    first = lines[number]
    if len(first) > 400 or not any(line.rstrip().endswith((":", "：")) for line in lines[number : number + 4]):
        return 0
    if not re.search(r"\w", first):
        return 0
    for span in (1, 2, 3, 4):
        block = lines[number : number + span]
        if len(block) < span or not block[-1].strip():
            return 0
        joined = " ".join(line.strip() for line in block)
        if len(joined) > 500:
            return 0
        if span > 1 and any(_ends_sentence(line) for line in block[:-1]):
            return 0
        if joined.rstrip().endswith((":", "：")) and _ATTRIBUTION.match(joined):
            if not re.search(r"\d", joined) and not _quoted_follows(lines, number + span):
                return 0
            # Not before the line that begins it: "Thanks!\nOn Monday, Bob wrote:" starts at the second.
            later = range(1, span)
            if any(_ATTRIBUTION.match(" ".join(x.strip() for x in block[i:])) and _starts_on(block[i]) for i in later):
                return 0
            return span
        if joined.endswith((":", "：")) and span == 1 and "@" in joined and _quoted_follows(lines, number + 1):
            return 1
    return 0


def _ends_sentence(line: str) -> bool:
    return bool(re.search(r"[.!?]\s*$", line)) and not re.search(r"\b(?:a\.m|p\.m|[ap]m)\.?\s*$", line, re.IGNORECASE)


def _starts_on(line: str) -> bool:
    return bool(re.match(r"\s*(?:On|Le|Am|El|Em|Il|Op|Den|Dne|Dnia|W dniu)\b", line))


def _quoted_follows(lines: list[str], number: int) -> bool:
    following = [line for line in lines[number : number + 4] if line.strip()]
    return bool(following) and following[0].lstrip().startswith((">", "|"))


def _answers_between(lines: list[str], number: int) -> bool:
    """Whether someone wrote between or below the quoted lines that follow."""
    rest = lines[number:]
    quoted = [position for position, line in enumerate(rest) if line.lstrip().startswith(">")]
    if not quoted:
        return False
    end = _signature_start(rest, len(rest))
    plain = [
        line for line in rest[quoted[0] : end]
        if line.strip() and not line.lstrip().startswith(">") and re.search(r"\w", line)
    ]  # fmt: skip
    # A quoted line that was wrapped on its way leaves a short stray line; an answer is more than that.
    strays = sum(
        1 for before, line in itertools.pairwise(rest)
        if before.lstrip().startswith(">") and len(before) > 60 and line.strip() and not line.lstrip().startswith(">")
    )  # fmt: skip
    return len(plain) > strays


def _header_block(lines: list[str], number: int) -> bool:
    """A mailer's "From: … Sent: … To: … Subject: …" over quoted text without any marks."""
    if not _FROM_LINE.match(lines[number]):
        return False
    following = [line for line in lines[number : number + 9] if line.strip()][:6]
    return sum(1 for line in following if _HEADER_LINE.match(line)) >= 3


def _with_rule_before(lines: list[str], number: int) -> int:
    for back in range(number - 1, max(-1, number - 4), -1):
        if _RULE.match(lines[back]):
            return back
        if lines[back].strip():
            break
    return number


def _trailing_quote(lines: list[str], end: int) -> int:
    """The start of a block of > lines with nothing but blank lines after it."""
    position = end
    while position and (not lines[position - 1].strip() or lines[position - 1].lstrip().startswith(">")):
        position -= 1
    if not any(line.lstrip().startswith(">") for line in lines[position:end]):
        return end
    for span in (1, 2, 3):
        if position >= span and _attribution_lines(lines, position - span) == span:
            return position - span
    return position


def _signature_start(lines: list[str], end: int) -> int:
    """A signature just before the quotation, or at the end, is folded with it."""
    floor = max(0, end - 12)
    last = next((position for position in range(end - 1, floor - 1, -1) if lines[position].strip()), 0)
    if last > 1 and _SIGNED.match(lines[last].strip()) and not lines[last - 1].strip():
        return last
    for position in range(end - 1, floor - 1, -1):
        line = lines[position]
        if _SENT_FROM.match(line) or (_SIGNATURE.match(line.rstrip("\r")) and position > 0):
            return position
    return end


_QUOTE_CONTAINERS = (
    "contains(concat(' ', normalize-space(@class), ' '), ' gmail_quote ')"
    " or contains(concat(' ', normalize-space(@class), ' '), ' gmail_quote_container ')"
    " or contains(@class, 'yahoo_quoted') or starts-with(@id, 'yahoo_quoted')"
    " or contains(@class, 'protonmail_quote') or contains(@class, 'tutanota_quote')"
    " or contains(@class, 'zmail_extra') or contains(@class, 'gmx_quote') or @name='quote'"
    " or @data-marker='__QUOTED_TEXT__' or contains(@class, 'mail-quote-collapse') or contains(@class, 'moz-forward-container')"
    " or (self::blockquote and (@type='cite' or contains(@class, 'cite') or contains(@class, 'quote')))"
)
_QUOTE_STARTS = (
    "contains(@class, 'moz-cite-prefix') or @id='divRplyFwdMsg' or @id='appendonsend' or @id='mail-editor-reference-message-container'"
    " or contains(@class, 'OutlookMessageHeader') or (self::hr and (@id='stopSpelling' or @id='zwchr' or @data-marker='__DIVIDER__'))"
    " or contains(@class, 'gmail_attr') or @id='reply-intro'"
    " or (self::div and contains(translate(@style, ' ', ''), 'border:none;border-top:solid'))"
)
_FIND_QUOTE = f"//*[{_QUOTE_CONTAINERS} or {_QUOTE_STARTS}]"
_IS_CONTAINER = f"boolean(self::*[{_QUOTE_CONTAINERS}])"


def _first_quote(root: lxml.html.HtmlElement) -> lxml.html.HtmlElement | None:
    found = root.xpath(_FIND_QUOTE)
    if not found:
        return None
    node: lxml.html.HtmlElement = found[0]
    if node.xpath(_IS_CONTAINER) and _text_after(node):
        return None  # an answer below the quotation, or between two
    return _attribution_before(node)


def _text_after(node: lxml.html.HtmlElement) -> bool:
    """Whether anything readable follows `node` that is not a quotation itself."""
    current: lxml.html.HtmlElement | None = node
    while current is not None:
        if current.tail and current.tail.strip():
            return True
        for sibling in current.itersiblings():
            if sibling.xpath(_IS_CONTAINER):
                continue
            if "".join(sibling.itertext()).strip():
                return True
        current = current.getparent()
    return False


def _attribution_before(node: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    """The block "On …, … wrote:" just before the quotation, where there is one: the fold begins there."""
    previous = node.getprevious()
    while previous is not None and not "".join(previous.itertext()).strip() and not (previous.tail or "").strip():
        previous = previous.getprevious()
    if previous is not None and isinstance(previous.tag, str):
        words = " ".join(" ".join(previous.itertext()).split())
        if words and len(words) < 400 and words.endswith((":", "：")) and _ATTRIBUTION.match(words):
            return previous
    return node


def _cut(
    root: lxml.html.HtmlElement, node: lxml.html.HtmlElement
) -> tuple[lxml.html.HtmlElement, lxml.html.HtmlElement]:
    """Two trees: everything before `node`, and `node` with everything after it."""
    path = root.getroottree().getpath(node)
    before, after = copy.deepcopy(root), copy.deepcopy(root)
    cut = before.getroottree().xpath(path)[0]
    current = cut
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings()):
            parent.remove(sibling)
        current.tail = None
        current = parent
    cut.getparent().remove(cut)
    current = after.getroottree().xpath(path)[0]
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings(preceding=True)):
            if sibling.tag != "head":
                parent.remove(sibling)
        parent.text = None
        current = parent
    return before, after


def _same_words(text: str, html: str) -> bool:
    """Whether `text` was made from the HTML (there was no text part of its own)."""
    from_html = read_html(html)
    return from_html is not None and element_to_text(from_html).split() == text.split()
