import pytest

from inbound.reading.mime.charset import clean, decode


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        ("Grüße".encode(), "", "Grüße"),
        ("Grüße".encode("latin-1"), "", "Grüße"),
        ("5 €".encode("cp1252"), "iso-8859-1", "5 €"),  # what Windows calls Latin-1
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Лампа".encode("cp1251"), '"Windows-1251"', "Лампа"),
        ("照明".encode("iso-2022-jp"), "", "照明"),
        ("照明".encode("gb18030"), "gb2312", "照明"),
        ("Grüße".encode(), "utf-16", "Grüße"),  # most mislabelled mail is UTF-8
        (b"abc", "hex", "abc"),  # a codec, and not of text
        (b"abc", "no such", "abc"),
    ],
)
def test_bytes_are_read_by_their_label_or_by_their_content(
    data: bytes, label: str, expected: str
) -> None:
    assert decode(data, label) == expected


def test_clean_text_has_nothing_that_no_database_takes_and_keeps_its_lines() -> None:
    assert clean("a\x00b\x07\ufeff\tc\nd") == "ab\tc\nd"
    clean("a\ud800").encode()
    assert clean("😀") == "😀"
