"""Bytes in a charset that a stranger claims → text. Never raises; loses as little as possible."""

import codecs
import re
from functools import lru_cache

# What the label means in practice: supersets first (WHATWG's table), then names only mail knows.
SUPERSETS = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "unicode": "utf-8",
    "big5": "big5hkscs",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-unknown": "",
    "unknown-8bit": "",
    "unknown": "",
    "default": "",
    "binary": "",
}


def decode(data: bytes, label: str = "") -> str:
    """`data` as text in the charset called `label`, by its content where the label is wrong or
    missing."""
    label = re.sub(r"[\"'\s]", "", label[:100]).lower()
    if label in {"us-ascii", "ascii", "ansi_x3.4-1968"} or not label:
        if _is_iso_2022(data):
            label = "iso-2022-jp"
        elif (text := _strictly(data, "utf-8")) is not None:
            return text
    codec = _codec(SUPERSETS.get(label, label))
    if codec:
        if (text := _strictly(data, codec)) is not None:
            return text
        if codec != "cp1252":  # else guess below: most mislabelled mail is UTF-8
            if (text := _strictly(data, "utf-8")) is not None:
                return text
            return _leniently(data, codec)
    if (text := _strictly(data, "utf-8")) is not None:
        return text
    return data.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Without what no database or header takes: NUL, lone surrogates, and most control
    characters."""
    if _HARMFUL.search(text) is None:
        return text
    text = text.encode("utf-8", "replace").decode("utf-8") if _SURROGATES.search(text) else text
    return _CONTROLS.sub("", text)


def _is_iso_2022(data: bytes) -> bool:
    return b"\x1b$" in data and all(byte < 0x80 for byte in data[:4000])


@lru_cache(maxsize=500)  # a label that is none is looked for on disk each time
def _codec(label: str) -> str:
    """The codec of that name for text, or ""."""
    try:
        found = codecs.lookup(label) if label else None
        # "hex", "zip" and the like are codecs too, but not of text; idna and punycode are not of
        # bodies.
        if (
            found is None
            or not found._is_text_encoding
            or found.name in {"idna", "punycode", "undefined"}
        ):
            return ""
    except (LookupError, ValueError):
        return ""
    return label


def _leniently(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, ValueError):  # a codec that knows no replacing
        return data.decode("cp1252", "replace")


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        return None


_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_HARMFUL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")
