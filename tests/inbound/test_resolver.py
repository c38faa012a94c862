"""The resolver against a name server on this machine, with what name servers really answer."""

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from inbound import resolver

RECORDS = {
    ("long.example.", "TXT"): '"v=DKIM1; " "p=AAAA"',
    ("mx.example.", "MX"): "10 mail.mx.example.",
    ("a.example.", "A"): "198.41.0.4",
    ("a.example.", "AAAA"): "2001:db8::1",
    ("4.0.41.198.in-addr.arpa.", "PTR"): "a.example.",
}


@pytest.fixture
def server(monkeypatch) -> Iterator[list[str]]:
    """Answers from RECORDS; "broken." with SERVFAIL, "silent." not at all."""
    asked: list[str] = []
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.05)
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            try:
                data, peer = sock.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(data)
            question = query.question[0]
            name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
            asked.append(name)
            if name.startswith("silent."):
                continue
            said = dns.message.make_response(query)
            said.flags |= dns.flags.RA
            if name.startswith("broken."):
                said.set_rcode(dns.rcode.SERVFAIL)
            elif (name, kind) in RECORDS:
                said.answer.append(dns.rrset.from_text(name, 60, "IN", kind, RECORDS[name, kind]))
            elif not any(name == known for known, _ in RECORDS):
                said.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(said.to_wire(), peer)

    thread = threading.Thread(target=answer)
    thread.start()

    def ours() -> dns.resolver.Resolver:
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], sock.getsockname()[1]
        return found

    monkeypatch.setattr(resolver, "_resolver", ours)
    monkeypatch.setattr(resolver, "source", resolver.ask_dns)
    resolver.forget()
    yield asked
    over.set()
    thread.join()
    sock.close()
    resolver.forget()


def test_each_kind_of_record_is_read_as_it_is(server) -> None:
    with resolver.within(3):
        assert resolver.ask("long.example", "TXT") == [
            b"v=DKIM1; p=AAAA"
        ]  # its strings belong together
        assert resolver.ask("mx.example", "MX") == [(10, "mail.mx.example")]
        assert resolver.ask("a.example", "A") == ["198.41.0.4"]
        assert resolver.ask("a.example", "AAAA") == ["2001:db8::1"]
        assert resolver.ask("4.0.41.198.in-addr.arpa", "PTR") == ["a.example"]


@pytest.mark.parametrize(
    "name",
    ["nobody.example", "a" * 64 + ".example", "a..example", "x." * 130, "ü" * 80 + ".example"],
)
def test_what_is_not_there_or_no_name_is_nothing(server, name) -> None:
    with resolver.within(3):
        assert resolver.ask(name, "TXT") == []


def test_a_name_with_other_records_has_none_of_that_kind(server) -> None:
    with resolver.within(3):
        assert resolver.ask("a.example", "MX") == []


@pytest.mark.parametrize("name", ["silent.example", "broken.example"])
def test_no_answer_is_no_answer_and_takes_no_longer_than_it_may(server, name) -> None:
    with resolver.within(0.3), pytest.raises(resolver.Away):
        resolver.ask(name, "TXT")
    with resolver.within(0), pytest.raises(resolver.Away):
        resolver.ask("a.example", "A")


def test_an_answer_is_kept_and_a_fault_is_not(server) -> None:
    with resolver.within(3):
        for _ in range(3):
            resolver.ask("a.example", "A")
            resolver.ask("nobody.example", "A")
    assert server.count("a.example.") == server.count("nobody.example.") == 1


def test_the_name_servers_of_the_setting_are_asked(settings) -> None:
    settings.DNS_SERVERS = ["192.0.2.53"]
    assert resolver._resolver().nameservers == ["192.0.2.53"]
