"""MAIL, RCPT and DATA in one write where the server offers it (RFC 2920), and what a server may answer
to that."""

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.core.mail import get_connection

from helpdesk.models import OutboundMail
from helpdesk.outbound import server_connections
from tasks import outbound
from tests.helpdesk.outbound.test_deadline import server
from tests.helpdesk.outbound.test_servers import mails
from tests.support.postfix import postfix
from tests.support.services import free_port, wait_for

pytestmark = pytest.mark.django_db
HANGS_UP = ""


@dataclass
class Relay:
    """Answers a group of commands once all of it has come; what it was told, by connection."""

    extensions: str = "250-PIPELINING\r\n"
    answers: dict[str, deque[str]] = field(default_factory=dict)
    said: list[list[str]] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    ends_after: int = 1000  # mails of one connection

    def talk(self, connection: socket.socket) -> None:
        heard: list[str] = []
        self.said.append(heard)
        connection.sendall(b"220 hello\r\n")
        lines, taken = connection.makefile("rb"), 0
        group: list[str] = []
        for line in lines:
            heard.append(line.decode().strip())
            group.append(heard[-1].split()[0].upper())
            if group[0] == "MAIL" and group[-1] != "DATA" and self.extensions:
                continue
            for command in group:
                answer = self.answer(command)
                if answer == HANGS_UP:
                    return
                connection.sendall(f"{answer}\r\n".encode())
                if answer.startswith("354"):
                    content = b"".join(iter(lines.readline, b".\r\n"))
                    heard.append(".")
                    if content:
                        self.mails.append(content)
                    taken += 1
                    answer = self.answer(".")
                    if answer == HANGS_UP:
                        return
                    connection.sendall(f"{answer}\r\n".encode())
            if group[-1] == "QUIT" or taken == self.ends_after:
                return
            group.clear()

    def answer(self, command: str) -> str:
        if waiting := self.answers.get(command):
            return waiting.popleft()
        usual = {"EHLO": f"250-me\r\n{self.extensions}250 8BITMIME", "DATA": "354 go"}
        return usual.get(command, "221 bye" if command == "QUIT" else "250 OK")


@pytest.fixture(autouse=True)
def _new_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_connections, "_kept", threading.local())


@contextmanager
def relay(settings, **how: object) -> Iterator[Relay]:
    found = Relay(**how)  # type: ignore[arg-type]
    with server(found.talk) as port:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
        yield found


def states() -> list[str]:
    return list(OutboundMail.objects.order_by("pk").values_list("state", flat=True))


def deliver() -> None:
    for mail in OutboundMail.objects.order_by("pk"):
        outbound.deliver(mail.pk)


def test_where_the_server_offers_it_it_is_told_all_at_once(settings) -> None:
    mails(3)
    with relay(settings) as found:  # it answers nothing before DATA
        deliver()
        assert len(found.mails) == 3
        (heard,) = found.said
        assert [line.split()[0] for line in heard] == ["ehlo", *["MAIL", "RCPT", "DATA", "."] * 3]
    assert states() == ["sent"] * 3


def test_where_it_does_not_one_after_the_other(settings) -> None:
    mails(2)
    with relay(settings, extensions="") as found:
        deliver()
        assert len(found.mails) == 2
    assert states() == ["sent"] * 2


@pytest.mark.parametrize(
    ("answers", "reason", "heard"),
    [
        ({"RCPT": "550 5.1.1 nobody", "DATA": "503 no recipient"}, "recipient refused", ["quit"]),
        ({"RCPT": "550 5.1.1 nobody", "DATA": "354 go"}, "recipient refused", ["."]),
        ({"RCPT": "550 5.1.1 nobody", "DATA": HANGS_UP}, "recipient refused", []),
        (
            {"MAIL": "552 5.3.4 too large", "RCPT": "503 no sender", "DATA": "503 no sender"},
            "message refused",
            ["quit"],
        ),
        (
            {"MAIL": "552 5.3.4 too large", "RCPT": "503 no sender", "DATA": "354 go"},
            "message refused",
            ["."],
        ),
        ({"DATA": "554 5.3.4 too large"}, "message refused", ["quit"]),
        ({".": "552 5.3.4 too large"}, "message refused", ["."]),
    ],
)
def test_what_is_refused_in_the_middle_is_that_mails_and_the_next_goes_out(
    answers: dict[str, str], reason: str, heard: list[str], settings
) -> None:
    first, _ = mails(2)
    with relay(settings) as found:
        found.answers = {command: deque([answer]) for command, answer in answers.items()}
        deliver()
        assert found.said[0][4:5] == heard
        assert [b"m1@example.com" in mail for mail in found.mails][-1:] == [True]
        assert len(found.mails) == 1 + ("." in answers)
    first.refresh_from_db()
    assert (first.state, first.reason) == ("failed", reason)
    assert states() == ["failed", "sent"]


def test_a_server_that_takes_a_recipient_of_a_mail_it_refused_is_given_no_empty_mail(
    settings,
) -> None:
    mails(1)
    with relay(settings) as found:
        found.answers = {"MAIL": deque(["552 5.3.4 too large"])}
        deliver()
        assert found.mails == []
        assert found.said[0][4:] == []  # not even a dot
    assert states() == ["failed"]


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("said", ["421 4.3.2 shutting down", HANGS_UP])
def test_a_server_that_ends_a_connection_between_two_mails_is_called_again_at_once(
    said: str, offers: bool, settings
) -> None:
    mails(2)
    with relay(settings, extensions="250-PIPELINING\r\n" if offers else "") as found:
        found.answers = {"MAIL": deque(["250 OK", said])}
        deliver()
        assert (len(found.mails), len(found.said)) == (2, 2)
    assert states() == ["sent"] * 2
    assert set(OutboundMail.objects.values_list("attempts", flat=True)) == {1}


def test_a_server_that_takes_few_mails_a_connection_gets_them_all(settings) -> None:
    mails(7)
    with relay(settings, ends_after=2) as found:
        deliver()
        assert (len(found.mails), len(found.said)) == (7, 4)
    assert states() == ["sent"] * 7


def test_a_server_that_says_it_is_busy_at_once_is_not_called_twice(settings) -> None:
    (mail,) = mails(1)
    with relay(settings) as found:
        found.answers = {"MAIL": deque(["421 4.3.2 busy"] * 5)}
        deliver()
        assert len(found.said) == 1
    mail.refresh_from_db()
    assert (mail.state, "421 4.3.2 busy" in mail.error) == ("queued", True)


def test_what_may_have_been_taken_is_not_sent_again_on_a_new_connection(settings) -> None:
    mails(2)
    with relay(settings) as found:
        found.answers = {".": deque(["250 OK", HANGS_UP])}
        deliver()
        assert (len(found.mails), len(found.said)) == (2, 1)
    second = OutboundMail.objects.get(message_id="m1@example.com")
    assert (second.state, second.error.partition(":")[0]) == ("queued", "MayBeSent")


def test_an_address_with_a_line_break_is_no_command(settings) -> None:
    with relay(settings) as found:
        backend = get_connection()
        backend.open()
        backend.connection.ehlo()
        with pytest.raises(ValueError, match="line break"):
            backend.connection.hand_over("a@example.com", "<>\r\nRSET", b"x", ())
        assert [line.split()[0] for line in found.said[0]][1:] == []


def test_a_real_relay_takes_mail_so(settings) -> None:
    mails(5)
    with postfix(free_port()) as real:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", real.port
        deliver()
        assert states() == ["sent"] * 5
        wait_for(lambda: all(f"message-id=<m{n}@" in real.log() for n in range(5)), 10)
