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
MAX_DIVIDER = 200  # characters; a longer line is text
MAX_INTRODUCTION = 500

# Who wrote: the verbs of "On …, … wrote:" in the languages our customers' mailers speak.
_WROTE = (
    r"wrote|writes|a écrit|schrieb|schreef|geschreven|escribió|escribi=C3=B3|escreveu|scritto|skrev|kirjoitti|napisał\(?a?\)?"
    r"|napsal\(?a?\)?|написал\(?а?\)?|пишет|написа|yazdı|写道|写到|写了|寫道|のメッセージ|schrieb am|a scris|írta|viết"
    r"|έγραψε|כתב|작성"
).replace(" ", r"\ ")  # the patterns below ignore white space
_WROTE_ANYWHERE = re.compile(_WROTE, re.VERBOSE | re.IGNORECASE)
_BEGINS = re.compile(
    r"(?:On|Le|Am|El|Em|Il|Op|Den|Dne|Dnia|W\ dniu|On\ the|Vào|Pada|Ned|Στις|Els?|A\ la\ date)\b",
    re.VERBOSE | re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w.-]{1,255}")
_DATED = re.compile(r"\d{4}[-/年.]\d{1,2}[-/月.]\d{1,2}.{0,150}<[\w.+-]{1,64}+@[\w.-]{1,255}>\s?[:：]?$")
# These two are asked of folded lines of MAX_DIVIDER characters at the most, and of nothing longer.
_DIVIDER = re.compile(
    r"""(?:
      [-_=~]{2,}+\s?(?:Original\ (?:Message|Appointment)|Forwarded\ [Mm]essage|Urspr(?:ü|ue)ngliche\ Nachricht|Weitergeleitete\ Nachricht
        |Message\ (?:d'origine|original|transféré)|Mensaje\ (?:original|reenviado)|Mensagem\ [Oo]riginal|Messaggio\ (?:originale|inoltrato)
        |Oorspronkelijk\ [Bb]ericht|Doorgestuurd\ bericht|Originalmeddelande|Ursprungligt\ meddelande|Oprindelig\ meddelelse|Opprinnelig\ melding
        |Alkuperäinen\ viesti|Původní\ zpráva|Wiadomość\ oryginalna|Исходное\ сообщение|Пересылаемое\ сообщение|原始邮件|原始郵件|元のメッセージ
        |Reply\ message|Reply\ [Aa]bove.{0,100}?)\s?[-_=~]{2,}
    | -{5,}+\s?\w[\w'’ ]{4,40}-{5,}
    | [-_#=]{2,}+.{0,20}(?:Please\ (?:reply|type)|Reply)\ (?:your\ reply\ )?above\ this\ line.*
    | Begin\ forwarded\ message: | Anfang\ der\ weitergeleiteten\ (?:E-Mail|Nachricht): | Début\ du\ message\ (?:réexpédié|transféré)\s?:
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
_HEADER_LINE = re.compile(rf"[\s>*|]*+(?:{_HEADER_NAMES})\s?\*?\s?[:：]\*?\s", re.IGNORECASE | re.VERBOSE)
_FROM_LINE = re.compile(rf"[\s>*|]*+(?:{_FROM})\s?\*?\s?[:：]\*?\s*\S", re.IGNORECASE | re.VERBOSE)
_RULE = re.compile(r"(?:_{10,}+|-{20,}+)$")  # of a stripped line
_SIGNATURE = re.compile(r"^(?:-- ?|—|__+|--+)$")
_SIGNED = re.compile(r"^[-—–]{1,2} ?[A-ZÀ-Þ][\w.'-]*(?: [A-ZÀ-Þ][\w.'-]*){0,3}$")
_SENT_FROM = re.compile(
    r"""[*_\[(]*+(?:(?:Sent|Get)\ (?:from|via|with|using)\ (?:my|a|the|Outlook|Mail|Yahoo|Samsung|Gmail|Proton|Spark|Front|BlueMail|WhatsApp|AOL|Nine)\b[^,.!?]{0,60}
      |(?:(?:Get|Télécharger|Obtenir|Obtener|Holen\ Sie\ sich)\ )?Outlook\ (?:for|für|pour|para)\ (?:iOS|Android|Mac)(?:\ (?:beziehen|holen))?(?:\s?<[^<>\s]{1,120}>)?
      |(?:Von\ meinem|Gesendet\ (?:von|mit))\ .{0,80}(?:gesendet)?|Envoyé\ (?:de|depuis)\ (?:mon|Outlook|Yahoo).{0,60}|Enviado\ (?:desde|do)\ (?:mi|meu|Outlook|Yahoo|Correo).{0,60}
      |Inviato\ da(?:l\ mio)?\ .{0,60}|Verzonden\ (?:vanaf|met|vanuit)\ .{0,60}|Skickat\ från\ .{0,60}|Sendt\ fra\ .{0,60}
      |Отправлено\ с\ .{0,60}|发自我的.{0,60})$""",
    re.VERBOSE | re.IGNORECASE,
)


class Split(NamedTuple):
    text: str  # what is new
    quoted_text: str  # the rest, from its first line on
    html: str
    quoted_html: str


def split(text: str, html: str) -> Split:
    """A body's two halves. Both keep everything: `text` and `html` are whole where nothing is quoted. HTML that is too
    much to be shown as such is left to its text."""
    root = read_html(html)
    new_html, quoted_html, from_html = write_html(root) if root is not None else "", "", None
    node = _first_quote(root) if root is not None else None
    if root is not None and node is not None:
        new, quoted = _cut(root, node)
        from_html = element_to_text(new)
        if from_html:
            new_html, quoted_html = write_html(new), write_html(quoted)
    if root is not None and from_html and quoted_html and element_to_text(root).split() == text.split():
        # There was no text part: the tree knows better than the lines made from it.
        return Split(from_html, element_to_text(quoted), new_html, quoted_html)
    if root is not None and node is None and _is_answered_below(root) and element_to_text(root).split() == text.split():
        # The lines made from the tree have no marks: everything below the attribution would be taken for a quotation.
        return Split(text, "", new_html, "")
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


def says_who_wrote(sentence: str) -> bool:
    """Whether it introduces a quotation: “On Monday Ada wrote:”."""
    sentence = sentence.strip()
    if len(sentence) > MAX_INTRODUCTION or not sentence.endswith((":", "：")):
        return False
    return bool(_WROTE_ANYWHERE.search(sentence)) or bool(_ADDRESS.search(sentence))


def introduces(line: str) -> bool:
    """Whether a line is one of those in which a mail program says whose words follow."""
    return (
        _is_divider(line) or says_who_wrote(line) or bool(_RULE.match(line.strip())) or bool(_HEADER_LINE.match(line[:MAX_INTRODUCTION]))
    )  # fmt: skip


def _quote_start(lines: list[str]) -> int:
    for number, line in enumerate(lines[:MAX_LINES]):
        if not line.strip():
            continue
        if number == 0 and not _attribution_lines(lines, number) and not _is_divider(line):
            if line.lstrip().startswith(">"):
                return len(lines)  # begins with a quotation: the answer is below it or between
            continue
        if _is_divider(line) or _header_block(lines, number):
            return _with_rule_before(lines, number)
        if span := _attribution_lines(lines, number):
            if _answers_between(lines, number + span):
                return _trailing_quote(lines, len(lines))
            return number
    return _trailing_quote(lines, len(lines))


def _is_divider(line: str) -> bool:
    line = line[: 2 * MAX_DIVIDER + 1]
    folded = " ".join(line.split()).lstrip(" >*")
    return len(line) <= 2 * MAX_DIVIDER and len(folded) <= MAX_DIVIDER and bool(_DIVIDER.match(folded))


def _is_attribution(line: str) -> bool:
    """Whether one line of at most 500 characters says who wrote what follows, and when or from where."""
    line = line.strip()
    line = line[1:].lstrip() if line.startswith(">") else line
    if _DATED.match(line):
        return True
    said = line.rstrip(" :：")
    begins = _BEGINS.match(line)
    for verb in _WROTE_ANYWHERE.finditer(line):
        before, after = line[: verb.start()], line[verb.end() :]
        rest = said[verb.end() :]
        if begins and 4 <= len(before) - begins.end() <= 300 and len(after) <= 200:
            return True
        if not line.endswith((":", "：")) or len(rest) > 160:
            continue
        whole_word = not after[:1].isalnum()
        if whole_word and len(rest) <= 100 and re.search(r"\d", before[-401:]):
            return True
        if len(before) <= 120 and not re.search(r"[:：]", rest) and re.search(r"\d", rest[:65]):
            return True
        if len(rest) <= 60 and _ADDRESS.search(before[-320:]):
            return True
    return False


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
        if joined.rstrip().endswith((":", "：")) and _is_attribution(joined):
            if not re.search(r"\d", joined) and not _quoted_follows(lines, number + span):
                return 0
            # Not before the line that begins it: "Thanks!\nOn Monday, Bob wrote:" starts at the second.
            later = range(1, span)
            if any(_is_attribution(" ".join(x.strip() for x in block[i:])) and _starts_on(block[i]) for i in later):
                return 0
            return span
        if joined.endswith((":", "：")) and span == 1 and "@" in joined and _quoted_follows(lines, number + 1):
            return 1
    return 0


def _ends_sentence(line: str) -> bool:
    line = line.rstrip()
    return line.endswith((".", "!", "?")) and not re.search(r"\b(?:a\.m|p\.m|[ap]m)\.?$", line[-10:], re.IGNORECASE)


def _starts_on(line: str) -> bool:
    return bool(re.match(r"(?:On|Le|Am|El|Em|Il|Op|Den|Dne|Dnia|W dniu)\b", line.lstrip()))


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
        if _RULE.match(lines[back].strip()):
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
        if _says_sent_from(line) or (_SIGNATURE.match(line.rstrip("\r")) and position > 0):
            return position
    return end


def _says_sent_from(line: str) -> bool:
    folded = " ".join(line[:MAX_DIVIDER].split()).rstrip(" *_])")
    return len(line) < MAX_DIVIDER and bool(_SENT_FROM.match(folded))


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


def _is_answered_below(root: lxml.html.HtmlElement) -> bool:
    found = root.xpath(_FIND_QUOTE)
    return any(node.xpath(_IS_CONTAINER) and _text_after(node) for node in found[:20])


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
        if words and len(words) < 400 and words.endswith((":", "：")) and _is_attribution(words):
            return previous
    return node


def _cut(
    root: lxml.html.HtmlElement, node: lxml.html.HtmlElement
) -> tuple[lxml.html.HtmlElement, lxml.html.HtmlElement]:
    """Two trees: everything before `node`, and `node` with everything after it."""
    place = _place(node)
    before, after = copy.deepcopy(root), copy.deepcopy(root)
    cut = _at(before, place)
    current = cut
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings()):
            parent.remove(sibling)
        current.tail = None
        current = parent
    if (parent := cut.getparent()) is not None:
        parent.remove(cut)
    current = _at(after, place)
    while (parent := current.getparent()) is not None:
        for sibling in list(current.itersiblings(preceding=True)):
            if sibling.tag != "head":
                parent.remove(sibling)
        parent.text = None
        current = parent
    return before, after


def _place(node: lxml.html.HtmlElement) -> list[int]:
    """Where a node stands: which child of which child of the root. (A path of names fails where a name is none.)"""
    place: list[int] = []
    while (parent := node.getparent()) is not None:
        place.append(parent.index(node))
        node = parent
    return place[::-1]


def _at(root: lxml.html.HtmlElement, place: list[int]) -> lxml.html.HtmlElement:
    for number in place:
        root = root[number]
    return root
