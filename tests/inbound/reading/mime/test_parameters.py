from inbound.reading.mime.parameters import parameter, parameters


def test_a_file_name_without_quotes_keeps_its_spaces() -> None:
    assert (
        parameters("attachment; filename=my holiday photo.jpg")[1]["filename"]
        == "my holiday photo.jpg"
    )


def test_file_names_in_pieces_and_charsets_are_joined() -> None:
    raw = "attachment; filename*0*=utf-8''Gr%C3%BC; filename*1*=%C3%9Fe; filename*2=.pdf"
    assert parameters(raw)[1]["filename"] == "Grüße.pdf"


def test_a_value_in_quotes_may_hold_what_separates() -> None:
    assert parameters('Text/Plain; name="a;b=c.txt"; charset=UTF-8') == (
        "text/plain",
        {"name": "a;b=c.txt", "charset": "UTF-8"},
    )


def test_the_extended_form_of_a_name_wins() -> None:
    assert parameters("a; name=x; name*=utf-8''%C3%BC")[1] == {"name": "ü"}


def test_a_quote_that_is_never_closed_ends_with_the_value() -> None:
    assert parameters('a; name="b.txt')[1] == {"name": "b.txt"}
    assert parameters("a; word; b=c")[1] == {"b": "c"}


def test_a_boundary_is_as_it_stands_there() -> None:
    assert parameter('multipart/mixed; Boundary="=?a  B?="', "boundary") == "=?a  B?="
    assert parameter("multipart/mixed", "boundary") == ""
