from inbound.reading.proofs.claims import NO_CLAIMS, claims

SIGNED = "DKIM-Signature: v=1; d=Example.com; s=S1; h=from\n"
FROM = "From: Cleo <cleo@example.com>\n"


def test_the_keys_of_its_signatures_are_named_each_once() -> None:
    found = claims(f"{SIGNED}{SIGNED}ARC-Seal: i=1; d=b.cc;\n s=t\n{FROM}\nx".encode())
    assert found.keys == ("s1._domainkey.example.com", "t._domainkey.b.cc")
    assert claims(f"DKIM-Signature: d=..; s=\n{FROM}\nx".encode()).keys == ()


def test_how_often_and_how_plainly_it_says_who_it_is_from() -> None:
    plain = claims(f"{FROM}\nx".encode())
    assert (plain.froms, plain.is_plain, plain.is_doubled) == (1, True, False)
    two = claims(f"{FROM}{FROM}\nx".encode())
    assert (two.froms, two.is_doubled) == (2, True)
    assert not claims(b"From: a@b.cc, d@e.ff\n\nx").is_plain
    assert claims(f"{FROM}Subject: a\nsubject: b\n\nx".encode()).is_doubled


def test_the_results_of_the_topmost_server_are_told_and_no_others() -> None:
    raw = (
        "Authentication-Results: mx.example; dkim=pass\nReceived: from a by mx.example\n"
        f"Authentication-Results: other.example; dkim=pass\n{FROM}\nx"
    )
    assert [found.server for found in claims(raw.encode()).results] == ["mx.example"]


def test_what_a_provider_says_in_fields_of_its_own_is_told() -> None:
    raw = f"X-Mailgun-Spf: Pass\nX-Envelope-From: <a@b.cc>\n{FROM}\nx"
    (found,) = claims(raw.encode()).provider
    assert [(one.method, one.value, one.said) for one in found.found] == [
        ("spf", "pass", {"smtp.mailfrom": "a@b.cc"})
    ]


def test_a_header_block_beyond_what_is_checked_claims_nothing() -> None:
    assert claims(f"{SIGNED}{FROM}X: {'x' * 140_000}\n\nx".encode()) == NO_CLAIMS
    assert claims(f"{SIGNED}{FROM}X: a\rb\n\nx".encode()) == NO_CLAIMS
    assert claims(f"{SIGNED}{FROM}X: \0\n\nx".encode()) == NO_CLAIMS
