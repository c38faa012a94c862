import re
from html import escape

import pytest

from inbound.reading.body import html_to_text, safe_html
from inbound.reading.quotes import split, split_text


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
    new, quoted = split_text("---------- Forwarded message ----------\nFrom: a@b.c\nDate: x\nSubject: y\n\nbody")
    assert new == ""
    assert "body" in quoted


def test_gmails_html_history_is_folded_with_its_attribution() -> None:
    html = '<div>My answer</div><div class="gmail_quote"><div class="gmail_attr">On Mon Ada wrote:</div><blockquote>old</blockquote></div>'
    done = split("My answer\n\nOn Mon, 2 Mar 2026, Ada wrote:\n> old", html)
    assert "old" not in done.html
    assert "old" in done.quoted_html
    assert done.text == "My answer"


def test_an_answer_below_the_quotation_is_shown_whole() -> None:
    html = '<blockquote type="cite">old</blockquote><p>My answer is here, below.</p>'
    assert "old" in split("> old\n\nMy answer is here, below.", html).html


def test_html_is_made_harmless() -> None:
    dirty = (
        '<p onclick="x()">hi<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">go</a>'
        '<iframe src="//evil"></iframe><form action="//evil"><input></form><div style="position:fixed;background:url(//evil)">z</div>'
    )
    clean = safe_html(dirty)
    for word in ("script", "onclick", "onerror", "javascript", "iframe", "form", "position", "url("):
        assert word not in clean
    assert "hi" in clean


def test_html_becomes_readable_text() -> None:
    assert html_to_text("<p>One</p><ul><li>a</li><li>b</li></ul><a href='https://x.org/y'>link</a>") == (
        "One\n\n* a\n* b\n\nlink (https://x.org/y)"
    )


def test_a_plain_background_colour_survives_so_that_white_words_stay_readable() -> None:
    assert "background-color:#234" in safe_html('<p style="background:#234;color:#fff">x</p>').replace(" ", "")
    assert "url" not in safe_html('<p style="background:#234 url(//evil)">x</p>')


@pytest.mark.parametrize(
    "address",
    [
        "/admin/inbound/imapaccount/1/compare/", "//evil.example/p.png", "admin/", "../admin/", "?all", "#end", "\\\\evil", "/\\evil",
        "https:/admin/", "https:admin/", "HTTP:admin", "ht\ttps:/admin/", " /admin/", "\x01/admin/", "https:\\admin", "http:///admin/",
        "javascript:alert(1)", "data:text/html,x", "blob:x", "file:///etc/passwd", "view-source:https://x.example", "",
    ],
)  # fmt: skip
def test_no_address_of_a_mail_is_completed_by_the_page_that_shows_it(address: str) -> None:
    shown = escape(address)
    clean = safe_html(
        f'<a href="{shown}">link</a><img src="{shown}" srcset="{shown} 2x" background="{shown}" longdesc="{shown}">'
        f'<blockquote cite="{shown}">q</blockquote><table background="{shown}"><tr><td background="{shown}">x</td></tr></table>'
        f'<p style="color:red;background-image:url({shown});list-style-type:url({shown});border-color:u\\72l({shown})">p</p>'
    )
    assert not re.search(r"href=|src|background|cite=|longdesc|url|\(", clean), clean
    assert "link" in clean


@pytest.mark.parametrize(
    "address",
    ["https://x.example/a?b=c#d", "HTTP://x.example", "mailto:cleo@example.net", "tel:+491234", "cid:picture@x", "https://[2001:db8::1]/"],
)  # fmt: skip
def test_a_whole_address_stays(address: str) -> None:
    assert f'href="{address}"' in safe_html(f'<a href="{address}">x</a>')
    assert "rgb(1, 2, 3)" in safe_html('<p style="color:rgb(1, 2, 3)">x</p>')
