"""Which words a text has, and how they stand in the index: the same for what is written and for
what is looked for, on both databases."""

import re
import unicodedata

SLICE_BITS = 14  # 16,384 comments: what is looked through at once, where a word is in all of them
MAX_TEXT = 100_000
MAX_WORD = 60  # of a longer one so much is kept, and looked for
MAX_WORDS = 10  # of what somebody looks for


def words_of(text: str) -> list[str]:
    """Its letters and digits in lower case and without accents, each word once."""
    text = text[:MAX_TEXT].lower()
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(part for part in parts if not unicodedata.combining(part))
    return list(dict.fromkeys(word[:MAX_WORD] for word in re.findall(r"[^\W_]+", text)))


def indexed(comment: int, text: str) -> str:
    """What the index holds of a comment: each word behind the comment's slice, and a space before
    each. FTS5 takes it as it is; and so does PostgreSQL, as a tsvector: letters and digits alone
    have no meaning there."""
    mark = slice_mark(slice_of(comment))
    return "".join(f" {mark}{word}" for word in words_of(text))


def slice_of(comment: int) -> int:
    return comment >> SLICE_BITS


def slice_mark(number: int) -> str:
    """Of one length, so that no word looks like another slice's; the index is told apart from
    words by nothing else."""
    return f"{number:06x}"
