"""Which files under a path are mail. What becomes of their messages is in tests/flow/test_ingest_mbox.py."""

import gzip
from pathlib import Path

import pytest

from inbound.archives import Found, messages
from tests.support.mail import eml

LIMIT = 100_000
MBOX = b"From cleo@example.net Mon May  3 09:00:00 2027\n" + eml() + b"\n"


def found(path: Path, limit: int = LIMIT) -> list[Found]:
    return list(messages(path, limit))


def mails(path: Path) -> list[str]:
    return [Path(each.name.partition(",")[0]).name for each in found(path) if each.raw is not None]


@pytest.mark.parametrize("name", ["a.eml", "a.txt", "a.msg", "no-suffix", "A.EML"])
def test_what_is_given_by_its_own_name_is_mail(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(eml())
    (one,) = found(tmp_path / name)
    assert (one.raw, one.is_mail) == (eml(), True)


def test_of_a_folder_what_is_mail_by_its_name_or_its_beginning_is_taken_in_their_order(
    tmp_path: Path,
) -> None:
    files = {"b.eml": eml(), "a.mbox": MBOX, "Inbox": MBOX, "c.jpg": b"\xff\xd8", ".hidden": eml()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert mails(tmp_path) == ["Inbox", "a.mbox", "b.eml"]
    passed = [Path(each.name).name for each in found(tmp_path) if not each.is_mail]
    assert sorted(passed) == [".hidden", "c.jpg"]


def test_a_number_is_a_message_of_an_mh_folder_if_it_begins_as_one(tmp_path: Path) -> None:
    (tmp_path / "17").write_bytes(eml())
    (tmp_path / "18").write_bytes(b"no header")
    assert mails(tmp_path) == ["17"]


def test_of_a_maildir_what_is_being_delivered_is_no_mail_yet(tmp_path: Path) -> None:
    for box in ("cur", "new", "tmp"):
        (tmp_path / box).mkdir()
        (tmp_path / box / f"in-{box}").write_bytes(eml())
    assert mails(tmp_path) == ["in-cur", "in-new"]


def test_a_folder_of_a_maildir_is_read_though_it_is_hidden_and_another_hidden_one_is_not(
    tmp_path: Path,
) -> None:
    for folder, box in ((".Sent", "cur"), (".git", "objects")):
        (tmp_path / folder / box).mkdir(parents=True)
        (tmp_path / folder / box / "mail.eml").write_bytes(eml())
    names = [each.name for each in found(tmp_path) if each.raw is not None]
    assert names == [str(tmp_path / ".Sent" / "cur" / "mail.eml")]


def test_a_link_to_a_folder_is_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (one,) = found(tmp_path)
    assert (one.is_mail, one.why) == (False, "a link to a folder is not followed")


def test_one_that_is_too_large_is_named_with_its_size_and_not_held(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(eml("x" * 5000))
    (one,) = found(tmp_path / "a.eml", 1000)
    assert one.raw is None
    assert one.is_mail
    assert "more than MAX_MAIL_BYTES (1,000)" in one.why


def test_a_message_of_an_mbox_that_is_too_large_is_named_by_its_subject(tmp_path: Path) -> None:
    large = MBOX.replace(b"Subject: Help", b"Subject: Pictures").replace(b"Hello", b"x" * 5000)
    (tmp_path / "a.mbox").write_bytes(large + MBOX)
    first, second = found(tmp_path / "a.mbox", 1000)
    assert (first.raw, first.why.startswith("(Pictures) it has ")) == (None, True)
    assert second.raw == eml()


@pytest.mark.parametrize("data", [MBOX, eml()])
def test_what_is_compressed_is_what_is_in_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mbox.gz").write_bytes(gzip.compress(data))
    assert [each.raw for each in found(tmp_path)] == [eml()]


def test_what_is_cut_off_is_named_behind_what_came_whole(tmp_path: Path) -> None:
    packed = gzip.compress(MBOX * 3000)
    (tmp_path / "a.mbox.gz").write_bytes(packed[: len(packed) // 2])
    *whole, last = found(tmp_path)
    assert whole
    assert {each.raw for each in whole} == {eml()}
    assert (last.raw, "it cannot be read: EOFError" in last.why) == (None, True)
    assert f"behind message {len(whole)}" in last.name


def test_an_emlx_is_as_many_bytes_as_its_first_line_says(tmp_path: Path) -> None:
    path = tmp_path / "1.emlx"
    path.write_bytes(b"%d \n" % len(eml()) + eml() + b"<?xml version='1.0'?><plist/>")
    assert [each.raw for each in found(path)] == [eml()]
    path.write_bytes(b"9999\n" + eml())
    (one,) = found(path)
    assert (one.raw, "of the 9,999 that its first line says" in one.why) == (None, True)


def test_a_file_that_is_not_there_is_named() -> None:
    (one,) = found(Path("/nowhere/a.eml"))
    assert (one.raw, one.why.startswith("it cannot be read: FileNotFoundError")) == (None, True)
