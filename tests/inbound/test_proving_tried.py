"""What was tried to have a mail proven that is somebody else's. Each went through once."""

import time
from collections.abc import Iterator

import pytest
from django.utils import timezone

from helpdesk.models import ProvenDay, TrustedWay
from inbound import proving, readers, resolver
from inbound.addresses import reply_address
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.reading.proof import Proof
from tasks.inbound import process
from tests.support.mail import SUPPORT, agent, arrive, eml, receive, ticket_of
from tests.support.zone import Zone, crlf, only, signed

pytestmark = pytest.mark.django_db

CLEO, DOMAIN = "cleo@nordwind.example", "nordwind.example"
EVIL = {"client": "198.41.0.4 (mx.evil.example)", "mail_from": "m@evil.example"}
OWN = {"client": "199.7.91.13 (mx.nordwind.example)", "mail_from": CLEO}
BEHIND = {"client": "127.0.0.1 (localhost)", "mail_from": "m@evil.example"}


@pytest.fixture(autouse=True)
def zone() -> Iterator[Zone]:
    with only(
        Zone()
        .domain(DOMAIN, spf="v=spf1 ip4:199.7.91.0/24 -all")
        .domain("example.com", spf="v=spf1 -all")
    ) as dns:
        yield dns


def mail(text: str = "Hello", *, number: int = 1, **headers: str) -> bytes:
    return eml(text, sender=f"Cleo <{CLEO}>", message_id=f"m{number}@{DOMAIN}", **headers)


def said(results: str) -> bytes:
    return f"Authentication-Results: mail.example.com; {results}\r\n".encode()


def proven(
    raw: bytes,
    *,
    transport: str = "webhook",
    client: str = "Amazon SES",
    results: object = None,
    server: str = "",
) -> Proof:
    row = InboundMail(
        transport=transport,
        mail_from="m@evil.example",
        client=client,
        received_at=timezone.now(),
        results=results,
        mailbox=Mailbox(address=SUPPORT, authserv_id=server),
        rcpt_to=[SUPPORT],
    )
    return proving.prove(
        row, raw, readers.read(raw, Envelope("m@evil.example", (SUPPORT,), client), {SUPPORT})
    )


def slow(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name of evil.example ever answers."""

    def source(name: str, kind: str, seconds: float) -> tuple[list[object], float]:
        if "evil.example" in name:
            time.sleep(seconds)
            raise resolver.Away(name)
        return zone.answer(name, kind, seconds)

    monkeypatch.setattr(resolver, "source", source)
    resolver.forget()


def bogus(number: int) -> bytes:
    return f"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=s{number}; h=from; bh=AAAA; b=AAAA\r\n".encode()


def test_fifteen_names_that_never_answer_leave_time_for_what_decides(zone, monkeypatch) -> None:
    slow(zone, monkeypatch)
    seals = b"".join(
        f"ARC-Seal: i={n}; a=rsa-sha256; d=evil.example; s=t{n}; cv=none; b=AAAA\r\n".encode()
        for n in range(10)
    )
    row = receive(seals + b"".join(bogus(n) for n in range(5)) + crlf(mail()), **EVIL)
    assert (row.proof or {})["verdict"] == "failed"
    assert (row.proof or {})["parts"]["dmarc"] == "published"


def test_mails_whose_names_never_answer_soon_cost_nobody_any_time(zone, monkeypatch) -> None:
    slow(zone, monkeypatch)
    asked = []
    source = resolver.source
    monkeypatch.setattr(resolver, "source", lambda *what: (asked.append(what[0]), source(*what))[1])
    for number in range(12):
        row = arrive(bogus(number) + crlf(mail(number=number)), **EVIL)
        process(row.pk)
        row.refresh_from_db()
        assert (row.state, row.is_slow) == ("done", False)
    assert (
        sum("evil.example" in name for name in asked) <= resolver.SILENT_AFTER + 2
    )  # of those on their way


@pytest.mark.parametrize(
    "author",
    [
        "<cleo@nordwind.example.(>)evil.example>",
        "cleo@nordwind.example (x) .evil.example",
        "cleo@nordwind.example\r\n .evil.example",
        "<cleo@nordwind.example,.evil.example>",
        "cleo@nordwind.example;.evil.example",
        "cleo@nordwind.example=?utf-8?q??=",
    ],
)
def test_a_verdict_that_names_no_sender_is_about_no_from_that_another_reads_otherwise(
    author: str,
) -> None:
    raw = crlf(mail()).replace(f"Cleo <{CLEO}>".encode(), author.encode())
    assert (
        proven(raw, results=[{"method": "dmarc", "value": "pass", "said": {}}]).verdict
        != "authenticated"
    )


@pytest.mark.parametrize(
    "helo", ["x;envelope-from=cleo@nordwind.example", '"x;envelope-from=cleo@nordwind.example;y"']
)
def test_the_word_of_helo_is_no_envelope_sender(helo: str) -> None:
    field = f"Received-SPF: Pass (sender SPF authorized) identity=mailfrom; client-ip=198.41.0.4; helo={helo}; envelope-from=m@evil.example; receiver=a+b@inbound.postmarkapp.com\r\n"
    assert proven(field.encode() + crlf(mail()), client="Postmark").verdict != "authenticated"


def test_a_servers_word_about_a_signature_is_worth_what_the_signature_is(zone, settings) -> None:
    settings.AUTHSERV_ID = "mail.example.com"
    passed = said(
        "dkim=pass header.d=nordwind.example; spf=fail smtp.mailfrom=m@evil.example; dmarc=pass header.from=nordwind.example"
    )
    doubled = b"Subject: Pay now\r\n" + signed(mail(), DOMAIN)
    longer = signed(mail(number=2), DOMAIN, length=True) + b"\r\nPay to this account\r\n"
    for raw in (doubled, longer):
        assert (receive(passed + raw, **BEHIND).proof or {})["verdict"] != "authenticated"
    fine = receive(passed + signed(mail(number=3), DOMAIN), **BEHIND).proof or {}
    assert (fine["verdict"], fine["is_replayable"], "to" in fine["covers"]) == (
        "authenticated",
        True,
        True,
    )


def test_an_agents_mail_to_somebody_else_is_no_answer_because_a_server_has_checked_it(
    zone, settings
) -> None:
    settings.AUTHSERV_ID = "mail.example.com"
    ticket, ada = ticket_of(receive(mail(), **OWN)), agent()
    private = signed(
        eml(
            "I agree.",
            sender="Ada <ada@example.com>",
            to="m@evil.example",
            message_id="p@example.com",
        ),
        "example.com",
    )
    passed = said(
        "dkim=pass header.d=example.com; spf=fail smtp.mailfrom=m@evil.example; dmarc=pass header.from=example.com"
    )
    row = receive(passed + private, rcpt=reply_address(SUPPORT, ticket.pk, ada.pk), **BEHIND)
    assert row.reason == "hold"


def test_an_envelope_sender_that_ends_the_comment_in_which_it_stands_writes_no_result() -> None:
    field = said(
        'dmarc=fail (policy=reject) header.from=nordwind.example; spf=pass (mail.example.com: domain of "a); dmarc=pass '
        'header.from=nordwind.example; x=("@evil.example designates 198.41.0.4 as permitted sender) smtp.mailfrom=evil.example'
    )
    found = proven(
        field + crlf(mail()), transport="smtp", client="127.0.0.1 (x)", server="mail.example.com"
    )
    assert found.verdict == "failed"


def test_what_we_had_no_time_to_check_is_no_forgery(zone, monkeypatch) -> None:
    def late(raw: bytes, keys: object) -> object:
        raise readers.TooMuch("too long")

    monkeypatch.setattr(readers, "check", late)
    row = receive(
        signed(mail(), DOMAIN),
        client="198.41.0.4 (relay.example)",
        mail_from="bounce@relay.example",
    )
    assert ((row.proof or {})["verdict"], (row.proof or {})["is_fault"]) == ("unknown", True)


def test_a_trusted_way_lets_nothing_in_that_was_written_to_somebody_else(zone) -> None:
    receive(mail(), **OWN)
    zone.domain("list.example")
    TrustedWay.objects.create(address=CLEO, way="signed by list.example")
    tops = (
        f"In-Reply-To: <m1@{DOMAIN}>\r\n",
        f"In-Reply-To: <m1@{DOMAIN}>\r\nSubject: Delete my account?\r\n",
    )
    for number, top in enumerate(tops):
        public = eml(
            "Yes, go ahead.", sender=CLEO, to="all@list.example", message_id=f"l{number}@x"
        )
        assert receive(top.encode() + signed(public, "list.example"), **EVIL).reason == "hold"
    assert ProvenDay.objects.filter(address=CLEO).count() == 1
