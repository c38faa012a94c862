from inbound.reading.quotes import split


def test_gmails_html_history_is_folded_with_its_attribution() -> None:
    html = '<div>My answer</div><div class="gmail_quote"><div class="gmail_attr">On Mon Ada wrote:</div><blockquote>old</blockquote></div>'
    done = split("My answer\n\nOn Mon, 2 Mar 2026, Ada wrote:\n> old", html)
    assert "old" not in done.html
    assert "old" in done.quoted_html
    assert done.text == "My answer"


def test_an_answer_below_the_quotation_is_shown_whole() -> None:
    html = '<blockquote type="cite">old</blockquote><p>My answer is here, below.</p>'
    assert "old" in split("> old\n\nMy answer is here, below.", html).html
