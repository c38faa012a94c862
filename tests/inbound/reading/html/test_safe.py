import re
from html import escape

import pytest

from inbound.reading.html.safe import safe_html, text_to_html


def test_html_is_made_harmless() -> None:
    dirty = (
        '<p onclick="x()">hi<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">go</a>'
        '<iframe src="//evil"></iframe><form action="//evil"><input></form><div style="position:fixed;background:url(//evil)">z</div>'
    )
    clean = safe_html(dirty)
    for word in (
        "script",
        "onclick",
        "onerror",
        "javascript",
        "iframe",
        "form",
        "position",
        "url(",
    ):
        assert word not in clean
    assert "hi" in clean


def test_a_plain_background_colour_survives_so_that_white_words_stay_readable() -> None:
    assert "background-color:#234" in safe_html(
        '<p style="background:#234;color:#fff">x</p>'
    ).replace(" ", "")
    assert "url" not in safe_html('<p style="background:#234 url(//evil)">x</p>')


@pytest.mark.parametrize(
    "address",
    [
        "/admin/inbound/imapaccount/1/compare/",
        "//evil.example/p.png",
        "admin/",
        "../admin/",
        "?all",
        "#end",
        "\\\\evil",
        "/\\evil",
        "https:/admin/",
        "https:admin/",
        "HTTP:admin",
        "ht\ttps:/admin/",
        " /admin/",
        "\x01/admin/",
        "https:\\admin",
        "http:///admin/",
        "javascript:alert(1)",
        "data:text/html,x",
        "blob:x",
        "file:///etc/passwd",
        "view-source:https://x.example",
        "",
    ],
)
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
    [
        "https://x.example/a?b=c#d",
        "HTTP://x.example",
        "mailto:cleo@example.net",
        "tel:+491234",
        "cid:picture@x",
        "https://[2001:db8::1]/",
    ],
)
def test_a_whole_address_stays(address: str) -> None:
    assert f'href="{address}"' in safe_html(f'<a href="{address}">x</a>')
    assert "rgb(1, 2, 3)" in safe_html('<p style="color:rgb(1, 2, 3)">x</p>')


def test_a_style_that_could_fetch_or_hide_from_us_what_it_does_is_left_out() -> None:
    for style in ("color:expression(1)", "color:\\72 ed", "background-color:image(x)"):
        assert ":" not in safe_html(f'<p style="{style}">x</p>'), style
    assert "color" in safe_html('<p style="color:hsl(1, 2%, 3%)">x</p>')


def test_a_link_opens_elsewhere_and_tells_nobody_where_it_stood() -> None:
    clean = safe_html('<a href="https://x.example" target="_top" rel="opener">x</a>')
    assert 'target="_blank"' in clean
    assert 'rel="noopener noreferrer nofollow"' in clean


def test_text_as_html_shows_its_signs_and_keeps_its_lines() -> None:
    shown = text_to_html("a <b> & c\n  d")
    assert "a &lt;b&gt; &amp; c\n  d" in shown
    assert "pre-wrap" in shown
