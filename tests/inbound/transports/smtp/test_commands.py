"""What is answered to commands, however they come in: the same as aiosmtpd's own loop answers."""

import asyncio
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given, settings
from hypothesis import strategies as st

from inbound.transports.smtp.flight import Flight, Taken
from inbound.transports.smtp.message import Busy, Message, TooMuch
from inbound.transports.smtp.protocol import LmtpProtocol, Protocol


class Wire(asyncio.Transport):
    """What a protocol writes to, and whether it reads on."""

    def __init__(self) -> None:
        super().__init__()
        self.said = bytearray()
        self.is_reading = True
        self.is_closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if not self.is_closed:
            self.said += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 25) if name == "peername" else default


class Keeps:
    """A handler that has every mailbox, and keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    def connected(self, connection: object) -> None:
        pass

    def disconnected(self, connection: object) -> None:
        pass

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return f"250 2.6.0 Stored as {len(self.mails)}"


OPTIONS: dict[str, Any] = {"hostname": "mail.example.com"}


def ours(
    loop: asyncio.AbstractEventLoop, kind: type[Protocol] = Protocol, limit: int = 1 << 20
) -> Protocol:
    first = kind(
        Keeps(),
        flight=Flight(limit),
        max_bytes=100_000,
        idle_seconds=60,
        tls=None,
        loop=loop,
        **OPTIONS,
    )
    return first.another()


def stock(loop: asyncio.AbstractEventLoop) -> SMTP:
    return SMTP(
        Keeps(),
        data_size_limit=100_000,
        enable_SMTPUTF8=True,
        ident="ESMTP",
        timeout=60,
        loop=loop,
        auth_exclude_mechanism=["LOGIN", "PLAIN"],
        **OPTIONS,
    )


async def _settled() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def conversation(make: Any, pieces: list[bytes]) -> tuple[bytes, list[Any], bool]:
    """What is said to these pieces, one after the other; the mails; and whether it hung up."""

    async def talk() -> tuple[bytes, list[Any], bool]:
        protocol, wire = make(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        await _settled()
        for piece in pieces:
            if not wire.is_closed:
                protocol.data_received(piece)
                await _settled()
        said, hung_up = bytes(wire.said), wire.is_closed
        protocol.connection_lost(None)
        await _settled()
        return said, protocol.event_handler.mails, hung_up

    return asyncio.run(talk())


PATHS = st.sampled_from(
    [
        "<a@b.c>",
        "<>",
        "a@b.c",
        "<a@b.c> SIZE=5",
        "<a@b.c>SIZE=5",
        "<a@b.c> SIZE=100001",
        "<a@b.c> SIZE=x",
        "<a@b.c> BODY=8BITMIME SMTPUTF8 SIZE=10",
        "<a@b.c> BODY=BINARYMIME",
        "<a@b.c> SMTPUTF8=1",
        "<a@b.c> RET=HDRS",
        "<a.b+c=d@e-f.example>  ",
        "< a@b.c >",
        "<@x.y:a@b.c>",
        '<"a b"@c.d>',
        "<a..b@c.d>",
        "<a@b.c",
        "<a@b@c>",
        "<a@[192.0.2.1]>",
        "<a@b.c> (a comment) SIZE=1",
        "<jürgen@bücher.example> SMTPUTF8",
        "<a@b.c>>",
        "<a>",
        "<=?utf-8?q?a?=@b.c>",
        "",
        " ",
    ]
)
COMMANDS = st.one_of(
    st.builds("MAIL FROM:{}".format, PATHS),
    st.builds("RCPT TO:{}".format, PATHS),
    st.builds("mail from: {}".format, PATHS),
    st.sampled_from("EHLO x;HELO x;EHLO;NOOP;NOOP x;RSET;RSET x;HELP;HELP MAIL;QUIT x".split(";")),
    st.sampled_from("VRFY a@b.c;VRFY;EXPN x;MAIL;RCPT;MAIL FROM;RCPT TO:;; ;X;N\0OP;\0".split(";")),
    st.sampled_from("MAIL\tFROM:<a@b.c>;AUTH PLAIN;AUTH;STARTTLS;STARTTLS x;Ü x".split(";")),
    st.sampled_from([f"NOOP {'x' * 510}", f"MAIL FROM:<a@b.c> {'x' * 520}", f"NOOP {'x' * 2000}"]),
    st.text(max_size=20).map(lambda text: text.replace("\n", "")),
)
MAIL = ["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>", "DATA", "Subject: x", "", "..x", "."]
SESSIONS = st.lists(st.one_of(COMMANDS.map(lambda line: [line]), st.just(MAIL)), max_size=12).map(
    lambda some: [line for lines in [["EHLO y"], *some] for line in lines]
)


def _bytes(lines: list[str], end: bytes) -> bytes:
    return b"".join(line.encode("utf-8", "surrogatepass") + end for line in lines)


@settings(max_examples=300, deadline=None)
@given(SESSIONS, st.sampled_from([b"\r\n", b"\n", b"\r\r\n"]), st.integers(1, 4000))
def test_answers_are_those_of_aiosmtpd_however_they_are_cut(
    lines: list[str], end: bytes, piece: int
) -> None:
    if end != b"\r\n":
        lines = [line for line in lines if line not in MAIL[3:]]  # bare line ends are content
    whole = _bytes(lines, end)
    expected = conversation(stock, [whole])
    pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
    assert conversation(ours, pieces)[:2] == expected[:2]
    assert conversation(ours, [whole])[:2] == expected[:2]


HEAD = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"
BODY = b"Subject: x\r\n\r\n..one\r\n.\n.\r\r\n...\r\nend"
KEPT = b"Subject: x\r\n\r\n.one\r\n\n.\r\r\n..\r\nend\r\n"


def test_a_message_ends_wherever_its_bytes_are_cut() -> None:
    whole = HEAD + BODY + b"\r\n.\r\nNOOP\r\n"
    for at in range(1, len(whole)):
        said, mails, _ = conversation(ours, [whole[:at], whole[at:]])
        assert mails == [("a@b.c", ["d@e.f"], KEPT)]
        assert said.endswith(b"250 2.6.0 Stored as 1\r\n250 OK\r\n")


def test_a_message_may_come_byte_by_byte() -> None:
    whole = HEAD + BODY + b"\r\n.\r\nQUIT\r\n"
    said, mails, hung_up = conversation(ours, [bytes([byte]) for byte in whole])
    assert mails == [("a@b.c", ["d@e.f"], KEPT)]
    assert said.endswith(b"221 Bye\r\n")
    assert hung_up


def test_several_mails_in_one_write_are_stored_in_their_order() -> None:
    one = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n%d\r\n.\r\nRSET\r\n"
    said, mails, _ = conversation(ours, [b"EHLO x\r\n" + b"".join(one % n for n in range(60))])
    assert [content for _, _, content in mails] == [b"%d\r\n" % n for n in range(60)]
    assert said.count(b"Stored as") == 60


def test_rset_forgets_the_mail_that_was_begun() -> None:
    said, mails, _ = conversation(
        ours, [b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nRSET\r\nDATA\r\n"]
    )
    assert said.endswith(b"250 OK\r\n503 5.5.1 Error: need RCPT command\r\n")
    assert mails == []


def test_a_megabyte_of_commands_is_answered_in_turns_and_read_no_faster_than_that() -> None:
    async def talk() -> tuple[int, bool, bool]:
        protocol, wire = ours(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        protocol.data_received(b"NOOP\r\n" * 170_000)
        at_once, was_reading = wire.said.count(b"250 OK"), wire.is_reading
        while wire.said.count(b"250 OK") < 170_000:
            await asyncio.sleep(0)
        now_reading = wire.is_reading
        protocol.connection_lost(None)
        return at_once, was_reading, now_reading

    at_once, was_reading, now_reading = asyncio.run(talk())
    assert at_once == 50
    assert not was_reading
    assert now_reading


def test_who_does_not_read_answers_is_served_no_more_until_he_does() -> None:
    async def talk() -> list[int]:
        protocol, wire = ours(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        protocol.pause_writing()
        protocol.data_received(b"NOOP\r\n" * 2000)
        counts = [wire.said.count(b"250 OK")]
        assert not wire.is_reading
        protocol.resume_writing()
        await _settled()
        counts.append(wire.said.count(b"250 OK"))
        protocol.connection_lost(None)
        return counts

    assert asyncio.run(talk()) == [0, 2000]


def test_a_line_without_end_is_not_kept() -> None:
    async def talk() -> tuple[int, bytes]:
        protocol, wire = ours(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        for _ in range(100):
            protocol.data_received(b"x" * 10_000)
        held = len(protocol._buffer)
        protocol.data_received(b"\r\nNOOP\r\n")
        protocol.connection_lost(None)
        return held, bytes(wire.said)

    held, said = asyncio.run(talk())
    assert held <= 1001
    assert said.endswith(b"ESMTP\r\n500 Command line too long\r\n250 OK\r\n")


@pytest.mark.parametrize("cut", [b"MAIL FR", HEAD, HEAD + b"Subject: x\r\n" + b"y" * 5000])
def test_who_hangs_up_in_the_middle_leaves_nothing_behind(cut: bytes) -> None:
    async def talk() -> tuple[int, list[Any]]:
        protocol, wire = ours(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        protocol.data_received(cut)
        await _settled()
        protocol.connection_lost(ConnectionResetError())
        await _settled()
        return protocol.flight.held, protocol.event_handler.mails

    assert asyncio.run(talk()) == (0, [])


def test_who_hangs_up_right_behind_the_end_holds_no_bytes_either() -> None:
    async def talk() -> int:
        protocol, wire = ours(asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        protocol.data_received(HEAD + BODY + b"\r\n.\r\n")
        protocol.connection_lost(None)  # before the task that stores it has begun
        await _settled()
        return protocol.flight.held

    assert asyncio.run(talk()) == 0


def test_a_flight_that_is_full_is_said_and_the_next_mail_is_taken() -> None:
    lines = HEAD + b"x" * 5000 + b"\r\n.\r\n" + HEAD + b"x\r\n.\r\n"
    said, mails, _ = conversation(lambda loop: ours(loop, limit=4000), [lines])
    assert b"451 4.3.2 Too busy" in said
    assert [content for _, _, content in mails] == [b"x\r\n"]


def test_lmtp_has_no_helo_and_lhlo_is_ehlo() -> None:
    said, _, _ = conversation(
        lambda loop: ours(loop, LmtpProtocol), [b"HELO x\r\nEHLO x\r\nLHLO x\r\nNOOP\r\n"]
    )
    codes = [line[:4] for line in said.splitlines()]
    assert codes[:3] == [b"220 ", b"500 ", b"500 "]
    assert codes[-2:] == [b"250 ", b"250 "]


@given(st.binary(max_size=60), st.lists(st.integers(0, 80), max_size=6))
def test_a_message_is_what_stands_before_its_first_end(content: bytes, cuts: list[int]) -> None:
    content = content.replace(b"x", b"\r\n").replace(b"y", b".")
    sent = b"\r\n" + content + b"\r\n.\r\nNOOP\r\n"
    at = sent.find(b"\r\n.\r\n")
    bounds = sorted({0, *(min(cut, len(sent) - 2) for cut in cuts)})
    message, behind = Message(Taken(Flight(10_000)), 10_000), None
    for begin, end in zip(bounds, [*bounds[1:], len(sent) - 2], strict=True):
        behind = (
            message.feed(sent[2:][begin:end]) if behind is None else behind + sent[2:][begin:end]
        )
    assert behind == sent[at + 5 :]
    assert message.content() == sent[: at + 2].replace(b"\r\n.", b"\r\n")[2:]


@pytest.mark.parametrize(("limit", "room", "why"), [(10, 10_000, TooMuch), (10_000, 10, Busy)])
def test_a_message_that_is_too_much_is_read_to_its_end_and_not_kept(
    limit: int, room: int, why: type[Exception]
) -> None:
    message = Message(Taken(Flight(room)), limit)
    for _ in range(1000):
        assert message.feed(b"x" * 1000) is None
        assert len(message._data) <= 5
    assert message.feed(b"\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"
    with pytest.raises(why):
        message.content()
