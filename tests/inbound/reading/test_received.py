from inbound.reading.received import MAX_HOPS, hops


def test_the_way_of_a_mail_is_told() -> None:
    raw = b"Received: from a.example (a.example [192.0.2.1]) by b.example with ESMTP; Mon, 2 Mar 2026 10:00:00 +0000\nFrom: a@b.c\n\nx"
    (hop,) = hops(raw)
    assert "a.example" in str(hop)


def test_the_header_block_alone_tells_it_whatever_its_grammar() -> None:
    assert hops(b"From: a@b.cc\n\nReceived: from x by y") == []
    assert "mx.example" in str(hops(b"Received: rubbish by mx.example\n\nx"))


def test_a_way_without_end_is_cut() -> None:
    line = b"Received: from a.example by b.example; Mon, 2 Mar 2026 10:00:00 +0000\n"
    assert 0 < len(hops(line * 200 + b"\nx")) <= MAX_HOPS
