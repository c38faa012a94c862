from inbound.reading.quoting.quoted_text import split_text


def test_the_history_below_an_answer_is_folded() -> None:
    new, quoted = split_text(
        "Thanks, works.\n\nOn Mon, 2 Mar 2026 at 10:00, Ada <ada@example.com> wrote:\n> Try again.\n"
    )
    assert new == "Thanks, works."
    assert quoted.startswith("On Mon")


def test_other_languages_and_outlook_are_understood() -> None:
    for history in (
        "Am 02.03.2026 um 10:00 schrieb Ada:\n> x",
        "Le 2 mars 2026 à 10:00, Ada a écrit :\n> x",
        "-----Original Message-----\nFrom: Ada\nSent: Monday\nSubject: x",
        "________________________________\nFrom: Ada <a@b.c>\nSent: Monday\nTo: Cleo\nSubject: x\n\nolder",
    ):
        assert split_text(f"My answer.\n\n{history}")[0] == "My answer."


def test_answers_between_the_quoted_lines_stay() -> None:
    text = "On Mon, 2 Mar 2026, Ada wrote:\n> Which model?\n\nThe large one.\n\n> Since when?\n\nYesterday."
    new, _ = split_text(f"See below.\n{text}")
    assert "The large one." in new
    assert "Yesterday." in new


def test_nothing_is_lost_of_a_mail_that_is_all_quotation() -> None:
    new, quoted = split_text(
        "---------- Forwarded message ----------\nFrom: a@b.c\nDate: x\nSubject: y\n\nbody"
    )
    assert new == ""
    assert "body" in quoted


def test_a_mark_at_the_end_is_history_and_one_above_an_answer_is_not() -> None:
    assert split_text("Yes.\n\n> Is it?") == ("Yes.", "> Is it?")
    assert split_text("> Is it?\n\nYes.") == ("> Is it?\n\nYes.", "")


def test_both_halves_keep_every_word() -> None:
    text = "Yes.\n-- \nAda\n\nOn Mon, 2 Mar 2026, Cleo wrote:\n> Is it?\n"
    assert " ".join(split_text(text)).split() == text.split()
