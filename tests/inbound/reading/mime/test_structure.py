from inbound.reading.mime.structure import (
    MAX_DEPTH,
    MAX_PARTS,
    as_bytes,
    content_type,
    raw_header,
    read_structure,
)


def test_a_part_has_the_type_that_it_names_or_the_one_that_it_has_without() -> None:
    kinds = {
        b"": "text/plain",
        b"Content-Type: IMAGE/png; name=x\n": "image/png",
        b"Content-Type: html\n": "text/html",
        b"Content-Type: rubbish\n": "text/plain",
    }
    for head, expected in kinds.items():
        assert content_type(read_structure(head + b"\nx"))[0] == expected


def test_more_depth_than_is_followed_is_one_part_and_no_word_is_lost() -> None:
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(100)
    )
    root = read_structure(deep + b"\nthe words")
    assert sum(1 for _ in root.walk()) <= MAX_DEPTH + 1
    assert b"the words" in as_bytes(root)


def test_more_parts_than_are_read_are_one_and_no_word_is_lost() -> None:
    parts = b"".join(b"--b\n\nword %d\n" % n for n in range(2 * MAX_PARTS))
    root = read_structure(b"Content-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--\n")
    assert sum(1 for _ in root.walk()) <= MAX_PARTS + 1
    assert b"word %d" % (2 * MAX_PARTS - 1) in as_bytes(root)


def test_a_header_is_found_whatever_its_letters_and_written_as_it_was() -> None:
    raw = b"SUBJECT: a  b\n c\n\nx\n"
    message = read_structure(raw)
    assert raw_header(message, "subject") == "a  b\n c"
    assert raw_header(message, "to") == ""
    assert as_bytes(message) == raw
