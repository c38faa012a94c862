from inbound.reading.mime.file_names import safe_name


def test_a_file_name_cannot_leave_its_folder() -> None:
    assert safe_name("../../etc/passwd", "text/plain", 1) == "passwd"
    assert safe_name("..\\..\\evil\x00.exe", "application/x-msdownload", 1) == "evil.exe"
    assert safe_name("", "application/pdf", 3) == "part-3.pdf"


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_name(f"{'a' * 500}.pdf", "application/pdf", 1)
    assert name.endswith("a.pdf")
    assert len(name) <= 200
    assert safe_name("b" * 500, "application/pdf", 1) == "b" * 200


def test_a_file_without_a_name_is_called_by_its_place_and_its_type() -> None:
    assert safe_name("..", "image/webp", 2) == "part-2.webp"
    assert safe_name("", "application/x-odd", 7) == "part-7.bin"


def test_no_sign_of_a_name_has_a_meaning_to_a_file_system() -> None:
    assert safe_name('a<b>:"c"|?*.txt', "text/plain", 1) == "a_b___c____.txt"
