"""The line over a quotation that says whose words it is: "On Monday, Ada wrote:"."""

import re

MAX_INTRODUCTION = 500

# Who wrote: the verbs, in the languages our customers' mailers speak.
_VERBS = (
    r"wrote|writes",  # English
    r"a écrit",  # French
    r"schrieb",  # German
    r"schreef|geschreven",  # Dutch
    r"escribió|escribi=C3=B3",  # Spanish, also as quoted-printable that nobody has decoded
    r"escreveu",  # Portuguese
    r"scritto",  # Italian
    r"skrev",  # Swedish, Danish, Norwegian
    r"kirjoitti",  # Finnish
    r"napisał\(?a?\)?",  # Polish
    r"napsal\(?a?\)?",  # Czech
    r"написал\(?а?\)?|пишет",  # Russian
    r"написа",  # Bulgarian
    r"yazdı",  # Turkish
    r"写道|写到|写了|寫道",  # Chinese
    r"のメッセージ",  # Japanese
    r"schrieb am",  # German, with the date behind it
    r"a scris",  # Romanian
    r"írta",  # Hungarian
    r"viết",  # Vietnamese
    r"έγραψε",  # Greek
    r"כתב",  # Hebrew
    r"작성",  # Korean
)
_WROTE = re.compile("|".join(_VERBS), re.IGNORECASE)
# How such a line begins.
_OPENINGS = (
    "On",  # English
    "Le",  # French
    "Am",  # German
    "El",  # Spanish
    "Em",  # Portuguese
    "Il",  # Italian
    "Op",  # Dutch
    "Den",  # Swedish, Danish, Norwegian
    "Dne",  # Czech
    "Dnia",  # Polish
    "W dniu",  # Polish
    "On the",  # English
    "Vào",  # Vietnamese
    "Pada",  # Indonesian, Malay
    "Ned",  # Slovenian, Croatian: a Sunday
    "Στις",  # Greek
    "Els?",  # Catalan
    "A la date",  # French
)
_OPENS = re.compile(rf"(?:{'|'.join(_OPENINGS)})\b", re.IGNORECASE)


_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w.-]{1,255}")
_DATED = re.compile(
    r"\d{4}[-/年.]\d{1,2}[-/月.]\d{1,2}.{0,150}<[\w.+-]{1,64}+@[\w.-]{1,255}>\s?[:：]?$"
)


def says_who_wrote(sentence: str) -> bool:
    """Whether it introduces a quotation: “On Monday Ada wrote:”."""
    sentence = sentence.strip()
    if len(sentence) > MAX_INTRODUCTION or not sentence.endswith((":", "：")):
        return False
    return bool(_WROTE.search(sentence)) or bool(_ADDRESS.search(sentence))


def attribution_lines(lines: list[str], number: int) -> int:
    """How many lines from `number` on are one "On …, … wrote:"; mailers wrap it over up to four."""
    first = lines[number]
    colons = (line.rstrip().endswith((":", "：")) for line in lines[number : number + 4])
    if len(first) > 400 or not any(colons) or not re.search(r"\w", first):
        return 0
    for span in (1, 2, 3, 4):
        block = lines[number : number + span]
        if len(block) < span or not block[-1].strip():
            return 0
        joined = " ".join(line.strip() for line in block)
        if len(joined) > 500 or any(_ends_sentence(line) for line in block[:-1]):
            return 0
        quoted = quoted_follows(lines, number + span)
        if joined.rstrip().endswith((":", "：")) and is_attribution(joined):
            is_whole = bool(re.search(r"\d", joined)) or quoted
            return span if is_whole and not _begins_later(block) else 0
        if joined.endswith((":", "：")) and span == 1 and "@" in joined and quoted:
            return 1
    return 0


def is_attribution(line: str) -> bool:
    """Whether one line of at most 500 characters says who wrote what follows, and when or from
    where."""
    line = line.strip()
    line = line[1:].lstrip() if line.startswith(">") else line
    return bool(_DATED.match(line)) or any(
        _is_verb_of_one(line, verb) for verb in _WROTE.finditer(line)
    )


def _is_verb_of_one(line: str, verb: re.Match[str]) -> bool:
    """Whether that "wrote" stands where it does in an attribution."""
    before, after = line[: verb.start()], line[verb.end() :]
    rest = line.rstrip(" :：")[verb.end() :]
    begins = _OPENS.match(line)
    if begins and 4 <= len(before) - begins.end() <= 300 and len(after) <= 200:
        return True
    if not line.endswith((":", "：")) or len(rest) > 160:
        return False
    whole_word = not after[:1].isalnum()
    if whole_word and len(rest) <= 100 and re.search(r"\d", before[-401:]):
        return True
    if len(before) <= 120 and not re.search(r"[:：]", rest) and re.search(r"\d", rest[:65]):
        return True
    return len(rest) <= 60 and bool(_ADDRESS.search(before[-320:]))


def _begins_later(block: list[str]) -> bool:
    """Whether a later line begins it: "Thanks!\nOn Monday, Bob wrote:" starts at the second."""
    return any(
        is_attribution(" ".join(line.strip() for line in block[start:]))
        and _STARTS.match(block[start].lstrip())
        for start in range(1, len(block))
    )


_STARTS = re.compile(r"(?:On|Le|Am|El|Em|Il|Op|Den|Dne|Dnia|W dniu)\b")


def _ends_sentence(line: str) -> bool:
    line = line.rstrip()
    return line.endswith((".", "!", "?")) and not _TIME_OF_DAY.search(line[-10:])


_TIME_OF_DAY = re.compile(r"\b(?:a\.m|p\.m|[ap]m)\.?$", re.IGNORECASE)


def quoted_follows(lines: list[str], number: int) -> bool:
    following = [line for line in lines[number : number + 4] if line.strip()]
    return bool(following) and following[0].lstrip().startswith((">", "|"))
