from inbound.reading.html.tree import MAX_ELEMENTS, MAX_FORMATS, MAX_HTML, read_html, write_html


def test_there_is_no_tree_of_nothing_nor_of_too_much() -> None:
    assert read_html(" \n") is None
    assert read_html("x" * (MAX_HTML + 1)) is None
    assert read_html("<br>" * (MAX_ELEMENTS + 1)) is None
    assert read_html("<br>" * 100) is not None


def test_what_is_nested_too_deeply_is_flattened_and_no_word_is_lost() -> None:
    root = read_html("<div>" * 5000 + "deep" + "</div>" * 5000 + "<p>after</p>")
    assert root is not None
    assert "".join(root.itertext()).split() == ["deepafter"]
    assert write_html(root).count("<div") < 200


def test_formats_within_each_other_are_few() -> None:
    root = read_html("<p>" + "<b>" * 50 + "x")
    assert root is not None
    assert write_html(root).count("<b>") == MAX_FORMATS


def test_an_attribute_that_is_too_long_is_left_out_and_its_element_is_not() -> None:
    root = read_html(f'<p title="{"t" * 2000}" lang="en">x</p>')
    assert root is not None
    assert write_html(root).count("title") == 0
    assert 'lang="en"' in write_html(root)


def test_a_page_that_declares_an_encoding_is_read() -> None:
    root = read_html('<?xml version="1.0" encoding="utf-16"?><p>Grüße</p>')
    assert root is not None
    assert "".join(root.itertext()) == "Grüße"
