from inbound.reading.html.text import html_to_text, without_tags


def test_html_becomes_readable_text() -> None:
    assert html_to_text(
        "<p>One</p><ul><li>a</li><li>b</li></ul><a href='https://x.org/y'>link</a>"
    ) == ("One\n\n* a\n* b\n\nlink (https://x.org/y)")


def test_what_no_reader_sees_is_no_text() -> None:
    page = "<title>t</title><style>p {}</style><script>x()</script><!-- c --><p>seen</p>"
    assert html_to_text(page) == "seen"


def test_lines_cells_pictures_and_rules_are_told_apart() -> None:
    assert html_to_text("one<br>two") == "one\ntwo"
    assert (
        html_to_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>") == "a b\nc"
    )
    assert html_to_text("<p>see <img src='cid:x' alt=' plan '></p>") == "see [plan]"
    assert html_to_text("<p>a</p><hr><p>b</p>").split() == ["a", "---", "b"]


def test_white_space_is_folded_but_where_it_was_meant() -> None:
    assert html_to_text("<p>a \n\t b&nbsp;c</p>") == "a b c"
    assert html_to_text("<pre>a\n  b</pre>") == "a\n  b"


def test_a_link_is_named_once() -> None:
    assert html_to_text('<a href="https://www.x.example/">x.example</a>') == "x.example"
    assert html_to_text('<a href="mailto:a@b.cc">write</a>') == "write"
    assert html_to_text('<a href="https://x.example/a"><img src="cid:p"></a>b') == "b"


def test_what_is_too_much_to_be_read_as_html_keeps_its_words() -> None:
    page = "<p>first &amp; second</p><style>none</style><div>third</div>"
    assert without_tags(page).split() == ["first", "&", "second", "third"]
    deep = "<div>" * 30_000 + "deep" + "</div>" * 30_000
    assert html_to_text(deep) == "deep"
