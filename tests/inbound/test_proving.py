"""Whether a mail is from whom it says: signed with real keys, in a DNS of our own."""

import contextlib
from collections.abc import Iterator

import pytest
from django.utils import timezone

from inbound import proving, readers, resolver
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.reading.proof import Proof
from tests.support.mail import SUPPORT, eml
from tests.support.zone import Zone, crlf, only, sealed, signed

CLEO, STRANGERS = "cleo@nord-wind.example", "198.41.0.4 (mx.evil.example)"
OURS = "199.7.91.13 (mx.nord-wind.example)"


@pytest.fixture
def zone() -> Iterator[Zone]:
    with only(Zone().domain("nord-wind.example", spf="v=spf1 ip4:199.7.91.0/24 -all")) as dns:
        yield dns


def mail(**changed: str) -> bytes:
    return eml(
        "Die Rechnung stimmt nicht.",
        sender=f"Cleo <{CLEO}>",
        message_id="first@nord-wind.example",
        **changed,
    )


def proven(
    raw: bytes,
    *,
    mail_from: str | None = CLEO,
    client: str = STRANGERS,
    transport: str = "smtp",
    results: object = None,
    hurried: bool = False,
    **mailbox: object,
) -> Proof:
    row = InboundMail(
        transport=transport,
        mail_from=mail_from,
        client=client,
        received_at=timezone.now(),
        results=results,
        mailbox=Mailbox(address=SUPPORT, **mailbox),
        rcpt_to=[SUPPORT],
    )
    reading = readers.read(raw, Envelope(mail_from, (SUPPORT,), client), {SUPPORT})
    return proving.prove(row, raw, reading, hurried=hurried)


# --- DKIM


@pytest.mark.parametrize(
    "canonical", ["relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed"]
)
def test_the_domains_signature_proves_a_mail_wherever_it_comes_from(zone, canonical) -> None:
    proof = proven(signed(mail(), "nord-wind.example", canonical=canonical))
    assert (proof.verdict, proof.by, proof.domain) == ("authenticated", "dkim", "nord-wind.example")
    assert proof.is_replayable


def test_the_signature_holds_behind_our_own_mail_server_too(zone) -> None:
    for client in ("127.0.0.1 (localhost)", "10.0.0.7 (mta)", "local (-)"):
        assert proven(signed(mail(), "nord-wind.example"), client=client).by == "dkim"


def test_a_mail_that_was_changed_after_it_was_signed_is_not_proven(zone) -> None:
    raw = signed(mail(), "nord-wind.example")
    for changed in (
        raw.replace(b"nicht", b"nichd"),
        raw.replace(b"Subject: Help", b"Subject: Held"),
    ):
        assert changed != raw
        assert proven(changed).verdict == "failed"


def test_a_signature_of_another_domain_proves_nothing(zone) -> None:
    zone.domain("evil.example")
    proof = proven(signed(mail(), "evil.example"))
    assert proof.verdict == "failed"
    assert "signed by evil.example" in proof.ways


def test_a_key_that_is_not_the_domains_proves_nothing(zone) -> None:
    assert proven(signed(mail(), "nord-wind.example", key="evil.example")).verdict == "failed"


def test_the_second_signature_may_be_the_one_that_holds(zone) -> None:
    zone.domain("relay.example")
    assert proven(signed(signed(mail(), "nord-wind.example"), "relay.example")).by == "dkim"


def test_a_domain_below_its_own_is_aligned_unless_the_policy_is_strict(zone) -> None:
    zone.domain("mail.nord-wind.example", dmarc="")
    raw = signed(mail(), "mail.nord-wind.example")
    assert proven(raw).by == "dkim"
    zone.txt("_dmarc.nord-wind.example", "v=DMARC1; p=none; adkim=s")
    resolver.forget()
    assert proven(raw).verdict == "failed"


@pytest.mark.parametrize(
    ("one", "other"), [("a.co.uk", "b.co.uk"), ("a.github.io", "b.github.io"), ("co.uk", "b.co.uk")]
)
def test_two_owners_under_one_public_suffix_are_not_aligned(zone, one, other) -> None:
    zone.domain(other)
    zone.txt(f"_dmarc.{one}", "v=DMARC1; p=none")
    raw = signed(eml("Hi", sender=f"x@{one}"), other)
    assert proven(raw, mail_from=f"x@{other}").verdict == "failed"


def test_a_signature_that_leaves_from_or_the_end_of_the_body_out_proves_nothing(zone) -> None:
    raw = (
        signed(mail(), "nord-wind.example", length=True)
        + b"\r\nTransfer it to this account instead.\r\n"
    )
    assert proven(raw).verdict == "failed"
    unsigned = signed(mail(), "nord-wind.example").replace(b"h=from : to", b"h=to : to")
    assert proven(unsigned).verdict == "failed"


@pytest.mark.parametrize(
    "field", ["From: Boss <boss@nord-wind.example>", "Subject: Pay", "To: x@y", "Reply-To: a@b"]
)
def test_a_field_that_stands_there_twice_is_not_what_was_signed(zone, field) -> None:
    # On top of the signed one: a reader that takes the first shows what nobody signed.
    raw = (
        field.encode() + b"\r\n" + signed(mail(reply_to="c@nord-wind.example"), "nord-wind.example")
    )
    assert proven(raw).verdict == "failed"


def test_a_line_that_ends_for_one_reader_alone_hides_nothing(zone) -> None:
    zone.domain("evil.example")
    raw = signed(
        b"X: 1\rFrom: cleo@nord-wind.example\r\n" + eml("Hi", sender="m@evil.example"),
        "evil.example",
    )
    assert proven(raw).verdict != "authenticated"


@pytest.mark.parametrize(
    "record",
    ["", "v=DKIM1; p=", "rubbish", "v=DKIM1; k=rsa; p=" + "A" * 4000, "v=DKIM1; k=rsa; p=AAAA"],
)
def test_a_key_that_is_none_proves_nothing_and_stops_nothing(zone, record) -> None:
    zone.txt("s1._domainkey.nord-wind.example", *[record] if record else [])
    assert proven(signed(mail(), "nord-wind.example")).verdict == "failed"


@pytest.mark.parametrize(
    "tags",
    [
        "v=1; a=rsa-sha1; d=nord-wind.example; s=s1; h=from; bh=AAAA; b=AAAA",
        "v=1",
        "",
        ";;;=;",
        "d=nord-wind.example; s=s1",
        "v=1; a=rsa-sha256; d=nord-wind.example; s=s1; h=from" + ":x" * 500 + "; bh=AAAA; b=AAAA",
        "v=1; a=rsa-sha256; d=nord-wind.example; s=s1; h=from; bh=AAAA; b=AAAA; l=" + "9" * 70,
    ],
)
def test_a_signature_that_is_none_proves_nothing_and_stops_nothing(zone, tags) -> None:
    assert proven(b"DKIM-Signature: " + tags.encode() + b"\r\n" + crlf(mail())).verdict == "failed"


def test_a_megabyte_of_blanks_is_checked_in_no_time(zone) -> None:
    raw = signed(mail(), "nord-wind.example") + b" " * 1_000_000 + b"x\r\n" + b"\r\n" * 200_000
    assert proven(raw).parts["dkim"][0]["result"] == "fail"  # and not: it took too long


# --- SPF


def test_a_server_that_may_send_for_the_domain_proves_a_mail(zone) -> None:
    proof = proven(mail(), client=OURS)
    assert (proof.verdict, proof.by, proof.is_replayable) == ("authenticated", "spf", False)


def test_a_server_that_may_send_for_another_domain_proves_nothing(zone) -> None:
    zone.txt("evil.example", "v=spf1 ip4:198.41.0.4 -all")
    proof = proven(mail(), mail_from="m@evil.example")
    assert proof.verdict == "failed"
    assert proof.ways == ("sent for evil.example", "from 198.41.0.0/24")


def test_a_null_sender_is_judged_by_its_helo(zone) -> None:
    zone.txt("mx.nord-wind.example", "v=spf1 ip4:199.7.91.0/24 -all")
    assert proven(mail(), client=OURS, mail_from="").by == "spf"


def test_spf_is_not_asked_about_servers_of_our_own(zone, settings) -> None:
    settings.SMTP_TRUSTED = ["127.0.0.0/8", "199.7.91.0/24"]
    for client in (
        "127.0.0.1 (x)",
        "10.1.2.3 (x)",
        "192.168.0.9 (x)",
        "fd00::1 (x)",
        OURS,
        "local (-)",
    ):
        assert proven(mail(), client=client).verdict == "unknown"
    assert zone.asked == []


def test_a_list_of_servers_without_end_is_no_proof(zone) -> None:
    zone.txt("nord-wind.example", "v=spf1 include:nord-wind.example -all")
    assert proven(mail(), client=OURS).verdict == "failed"


def test_a_mail_with_two_authors_is_from_none_of_them(zone) -> None:
    raw = b"From: Boss <boss@nord-wind.example>\r\n" + crlf(mail())
    assert proven(raw, client=OURS).verdict == "failed"


# --- What can't be told


def test_a_domain_that_publishes_nothing_is_unknown(zone) -> None:
    assert (
        proven(eml("Hi", sender="x@quiet.example"), mail_from="x@quiet.example").verdict
        == "unknown"
    )


@pytest.mark.parametrize(
    "name", ["_dmarc.nord-wind.example", "nord-wind.example", "s1._domainkey.nord-wind.example"]
)
def test_a_dns_that_is_away_is_no_failure(zone, name) -> None:
    zone.away.add(name)
    proof = proven(signed(mail(), "nord-wind.example").replace(b"nicht", b"nichd"))
    assert (proof.verdict, proof.is_fault) == ("unknown", True)


def test_while_others_wait_a_slow_dns_is_asked_later(zone) -> None:
    zone.away.add("_dmarc.nord-wind.example")
    with pytest.raises(proving.NeedsTime):
        proven(mail(), hurried=True)


def test_names_that_never_answer_cost_two_seconds_together(zone, monkeypatch) -> None:
    def slow(name: str, kind: str, seconds: float) -> tuple[list[object], float]:
        import time

        time.sleep(min(seconds, 5))
        raise resolver.Away(name)

    monkeypatch.setattr(resolver, "source", slow)
    monkeypatch.setattr(proving, "SECONDS", 0.2)
    assert proven(signed(mail(), "nord-wind.example")).is_fault


def test_rubbish_in_the_dns_is_no_policy(zone) -> None:
    for record in (
        "v=DMARC1",
        "v=DMARC1; p=",
        "p=reject",
        "v=DMARC1x; p=reject",
        "V=DMARC1; p=reject",
        "\xff" * 300,
    ):
        resolver.forget()
        zone.txt("_dmarc.nord-wind.example", record)
        assert proven(mail()).verdict == "unknown", record
    zone.txt("_dmarc.nord-wind.example", "v=DMARC1; p=none", "v=DMARC1; p=reject")
    resolver.forget()
    assert proven(mail()).verdict == "unknown"


def test_the_policy_of_the_owners_domain_holds_below_it(zone) -> None:
    raw = eml("Hi", sender="x@dept.nord-wind.example")
    assert proven(raw, mail_from="x@evil.example").verdict == "failed"


# --- Forwarded: ARC


def test_a_forwarder_that_is_trusted_vouches_for_what_it_had_checked(zone) -> None:
    zone.domain("google.com")
    broken = signed(mail(), "nord-wind.example").replace(b"nicht", b"nicht [list]")
    raw = sealed(
        broken,
        "google.com",
        "dkim=pass header.d=nord-wind.example; dmarc=pass header.from=nord-wind.example",
    )
    assert (proven(raw).verdict, proven(raw).by) == ("authenticated", "arc")


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=fail header.from=nord-wind.example",
        "dmarc=pass header.from=evil.example",
        "dkim=pass header.d=evil.example",
    ],
)
def test_a_trusted_forwarder_that_saw_a_forgery_does_not_vouch_for_it(zone, results) -> None:
    zone.domain("google.com")
    assert proven(sealed(mail(), "google.com", results)).verdict == "failed"


def test_a_forwarder_that_nobody_trusts_vouches_for_nothing(zone) -> None:
    zone.domain("evil.example")
    raw = sealed(mail(), "evil.example", "dmarc=pass header.from=nord-wind.example")
    assert proven(raw).verdict == "failed"


def test_a_forgery_that_is_sealed_by_a_stranger_in_a_trusted_name_is_none(zone) -> None:
    zone.domain("google.com")
    raw = sealed(mail(), "google.com", "dmarc=pass header.from=nord-wind.example")
    for changed in (
        raw.replace(b"dmarc=pass", b"dmarc=past", 1),
        raw.replace(b"stimmt", b"stimme"),
        raw.replace(b"Cleo <cleo@", b"Boss <boss@"),
        b"From: boss@nord-wind.example\r\n" + raw,
    ):
        assert changed != raw
        assert proven(changed).verdict == "failed"


def test_what_a_stranger_says_before_a_trusted_hop_counts_for_nothing(zone) -> None:
    zone.domain("google.com").domain("evil.example")
    first = sealed(mail(), "evil.example", "dmarc=pass header.from=nord-wind.example")
    raw = sealed(first, "google.com", "arc=pass; dmarc=fail header.from=nord-wind.example")
    proof = proven(raw)
    assert proof.parts["arc"]["result"] == "pass"
    assert proof.verdict == "failed"


# --- What the server before us says

GOOGLE = "Authentication-Results: mx.google.com;\r\n       dkim=pass header.i=@nord-wind.example header.s=s1 header.b=Q1w2;\r\n       spf=pass (google.com: domain of cleo@nord-wind.example designates 199.7.91.13 as permitted sender) smtp.mailfrom=cleo@nord-wind.example;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=nord-wind.example\r\n"
MICROSOFT = "Authentication-Results: spf=pass (sender IP is 199.7.91.13)\r\n smtp.mailfrom=nord-wind.example; dkim=pass (signature was verified)\r\n header.d=nord-wind.example;dmarc=pass action=none\r\n header.from=nord-wind.example;compauth=pass reason=100\r\n"
RSPAMD = 'Authentication-Results: mail.example.com;\r\n\tdkim=pass header.d=nord-wind.example header.s=s1 header.b="Ab/c=d";\r\n\tdmarc=pass (policy=none) header.from=nord-wind.example;\r\n\tspf=pass (mail.example.com: domain of cleo@nord-wind.example designates 199.7.91.13 as permitted sender) smtp.mailfrom=cleo@nord-wind.example\r\n'
OPENDKIM = 'Authentication-Results: mail.example.com;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=nord-wind.example header.i=@nord-wind.example header.a=rsa-sha256 header.s=s1 header.b="xY";\r\n\tdkim-atps=neutral\r\n'
RECEIVED = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"


def behind(results: str, **how: object) -> Proof:
    return proven(RECEIVED.encode() + results.encode() + crlf(mail()), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("results", "client"),
    [
        (GOOGLE, "support@x.example@imap.gmail.com:993/INBOX"),
        (MICROSOFT, "s@x@outlook.office365.com:993/INBOX"),
    ],
)
def test_mail_from_google_and_microsoft_is_judged_by_what_they_say(zone, results, client) -> None:
    assert behind(results, transport="imap", client=client, mail_from=None).by == "server"
    failed = results.replace("dmarc=pass", "dmarc=fail").replace("dkim=pass", "dkim=fail")
    assert behind(failed, transport="imap", client=client, mail_from=None).verdict == "failed"
    # Below theirs anybody may have written one.
    forged = failed + results
    assert behind(forged, transport="imap", client=client, mail_from=None).verdict == "failed"
    # Another mailbox's headers say nothing.
    elsewhere = behind(
        results, transport="imap", client="gmail.com@mail.example.com:993/INBOX", mail_from=None
    )
    assert elsewhere.verdict == "unknown"


@pytest.mark.parametrize("results", [RSPAMD, OPENDKIM])
@pytest.mark.parametrize("transport", ["smtp", "lmtp", "ingest", "imap"])
def test_the_mail_server_before_us_is_believed_where_it_is_named(
    zone, results, transport, settings
) -> None:
    how = {"transport": transport, "client": "127.0.0.1 (localhost)"}
    assert behind(results, authserv_id="mail.example.com", **how).by == "server"
    assert behind(results, authserv_id="other.example.com", **how).verdict == "unknown"
    assert behind(results, **how).verdict == "unknown"
    settings.AUTHSERV_ID = "mail.example.com"
    assert behind(results, **how).by == "server"


def test_what_a_stranger_who_connects_to_us_says_in_a_servers_name_is_not_believed(zone) -> None:
    for client in (STRANGERS, "10.0.0.1 (docker)"):
        assert (
            behind(RSPAMD, client=client, authserv_id="mail.example.com").verdict != "authenticated"
        )


def test_where_a_server_found_no_policy_its_other_results_count(zone) -> None:
    none = RSPAMD.replace("dmarc=pass (policy=none)", "dmarc=none")
    assert behind(none, client="127.0.0.1 (x)", authserv_id="mail.example.com").by == "server"
    nothing = none.replace("dkim=pass", "dkim=none").replace("spf=pass", "spf=softfail")
    assert (
        behind(nothing, client="127.0.0.1 (x)", authserv_id="mail.example.com").verdict == "unknown"
    )


def test_a_servers_failure_is_one(zone) -> None:
    failed = (
        RSPAMD.replace("dkim=pass", "dkim=none")
        .replace("dmarc=pass", "dmarc=fail")
        .replace("spf=pass", "spf=fail")
    )
    assert (
        behind(failed, client="127.0.0.1 (x)", authserv_id="mail.example.com").verdict == "failed"
    )


def test_a_result_about_another_sender_is_not_about_this_one(zone) -> None:
    for changed in (
        RSPAMD.replace("header.from=nord-wind", "header.from=evil"),
        OPENDKIM.replace("nord-wind", "evil"),
    ):
        assert (
            behind(changed, client="127.0.0.1 (x)", authserv_id="mail.example.com").verdict
            == "unknown"
        )


def test_a_comment_or_a_quoted_string_is_no_result(zone) -> None:
    for value in (
        "(dmarc=pass header.from=nord-wind.example)",
        'reason="; dmarc=pass header.from=nord-wind.example"',
        "((x)dmarc=pass;)",
        "dmarc=passx header.from=nord-wind.example",
    ):
        said = f"Authentication-Results: mail.example.com; {value}\r\n"
        assert (
            behind(said, client="127.0.0.1 (x)", authserv_id="mail.example.com").verdict
            == "unknown"
        ), value


def test_a_verdict_that_names_no_sender_is_about_the_only_one_there_is(zone) -> None:
    passed = [{"method": "dmarc", "value": "pass", "said": {}}]
    assert proven(mail(), transport="webhook", client="Amazon SES", results=passed).by == "server"
    for author in (
        f"{CLEO}, m@evil.example",
        f'"{CLEO}" <m@evil.example>',
        f"<{CLEO}> m@evil.example",
    ):
        raw = mail().replace(f"From: Cleo <{CLEO}>".encode(), f"From: {author}".encode())
        assert author.encode() in raw
        assert (
            proven(raw, transport="webhook", client="Amazon SES", results=passed).verdict
            != "authenticated"
        ), author


def test_a_providers_own_verdict_is_believed(zone) -> None:
    spf = {"method": "spf", "value": "pass", "said": {"smtp.mailfrom": CLEO}}
    assert proven(mail(), transport="webhook", client="SendGrid", results=[spf]).by == "server"
    failed = [{**spf, "value": "fail"}]
    assert (
        proven(mail(), transport="webhook", client="SendGrid", results=failed).verdict == "failed"
    )
    assert proven(mail(), transport="webhook", client="SendGrid").verdict == "unknown"


def test_postmarks_field_is_believed_and_mailguns_only_where_it_is_named(zone) -> None:
    received = b"Received-SPF: Pass (sender SPF authorized) identity=mailfrom; client-ip=199.7.91.13; envelope-from=cleo@nord-wind.example; receiver=x+y@inbound.postmarkapp.com\r\n"
    assert proven(received + crlf(mail()), transport="webhook", client="Postmark").by == "server"
    assert (
        proven(received + crlf(mail()), transport="webhook", client="Mailgun").verdict == "unknown"
    )
    spam = b"X-Mailgun-Spf: Pass\r\nX-Envelope-From: cleo@nord-wind.example\r\n" + crlf(mail())
    assert proven(spam, transport="webhook", client="Mailgun").verdict == "unknown"
    assert proven(spam, transport="webhook", client="Mailgun", authserv_id="mailgun").by == "server"


# --- The resolver


def test_what_was_asked_is_remembered_and_what_failed_is_not(zone) -> None:
    with resolver.within(2):
        assert resolver.ask("nord-wind.example", "TXT") == resolver.ask("Nord-Wind.example.", "TXT")
        assert len(zone.asked) == 1
        zone.away.add("away.example")
        for _ in range(2):
            with pytest.raises(resolver.Away):
                resolver.ask("away.example", "TXT")
    assert len(zone.asked) >= 3


def test_a_strangers_broken_domains_do_not_stop_the_look_ups_for_others(zone) -> None:
    zone.records[".", "NS"] = ["a.root-servers.net"]
    with resolver.within(2):
        for number in range(20):
            zone.away.add(f"{number}.evil.example")
            with contextlib.suppress(resolver.Away):
                resolver.ask(f"{number}.evil.example", "TXT")
        assert resolver.ask("nord-wind.example", "TXT")


def test_nobody_waits_for_a_dns_that_is_away_altogether(zone) -> None:
    zone.away.add(".")
    with resolver.within(2):
        for number in range(20):
            zone.away.add(f"{number}.example")
            with contextlib.suppress(resolver.Away):
                resolver.ask(f"{number}.example", "TXT")
        assert len(zone.asked) < 12
        with pytest.raises(resolver.Away):
            resolver.ask("nord-wind.example", "TXT")
