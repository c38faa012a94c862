import pytest

from inbound.reading.proofs.dmarc import (
    Policy,
    is_aligned,
    is_of,
    owner,
    read_policy,
    to_ascii,
)


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        (b"v=DMARC1; p=reject", Policy(True)),
        (b"v=DMARC1; p=none; adkim=s", Policy(True, True, True)),
        (b"v=DMARC1;p=Quarantine;aspf=S", Policy(True, is_strict_spf=True)),
        (b"v=DMARC1; rua=mailto:a@b.cc", Policy(True, True)),  # RFC 7489 6.6.3
        (b"v=DMARC1; p=rubbish", None),
        (b"v=DMARC10; p=reject", None),
        (b"v=spf1 -all", None),
    ],
)
def test_a_record_is_a_policy_or_none(record: bytes, policy: Policy | None) -> None:
    assert read_policy([b"other", record]) == policy


def test_two_policies_are_none() -> None:
    assert read_policy([b"v=DMARC1; p=none", b"v=DMARC1; p=reject"]) is None


def test_domains_are_aligned_by_their_owner_unless_the_policy_is_strict_or_away() -> None:
    def aligned(other: str, *, strict: bool = False, policy: Policy = Policy(True)) -> bool:  # noqa: B008
        return is_aligned("mail.example.com", other, strict=strict, policy=policy)

    assert aligned("MAIL.example.com.", strict=True)
    assert aligned("news.example.com")
    assert not aligned("news.example.com", strict=True)
    assert not aligned("news.example.com", policy=Policy(is_away=True))
    assert not aligned("example.org")
    assert not aligned("")
    assert not is_aligned("co.uk", "uk", strict=False, policy=Policy(True))


def test_a_domain_has_an_owner_and_a_public_suffix_has_none() -> None:
    assert owner("a.b.example.co.uk") == "example.co.uk"
    assert owner("co.uk") == ""
    assert is_of("a.example.com", "example.com")
    assert not is_of("badexample.com", "example.com")


def test_a_domain_is_written_as_the_dns_knows_it() -> None:
    assert to_ascii(" Münch.Example. ") == "xn--mnch-0ra.example"
    assert to_ascii("ex\u2028ample.com") == "ex\u2028ample.com"
