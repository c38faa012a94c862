"""What we answer to each SMTP command. Faults of ours are 4xx; only the sender's are permanent."""

import ipaddress
import logging
from collections import Counter
from functools import lru_cache
from typing import Any

from aiosmtpd.smtp import Envelope, Session

from inbound import store
from inbound.reading.message import Envelope as MailEnvelope
from inbound.transports.smtp.clients import Clients
from inbound.transports.smtp.connection import TEMPORARY_FAULT, MustWait
from inbound.transports.smtp.protocol import Protocol
from inbound.transports.smtp.rates import Rates
from inbound.transports.smtp.recipients import Recipients
from inbound.transports.smtp.writer import Writer

log = logging.getLogger(__name__)

MAX_RECIPIENTS = 100  # RFC 5321 4.5.3.1.8 asks for no fewer


class Handler:
    """Shared by all connections of one listener."""

    def __init__(
        self, writer: Writer, *, transport: str, max_connections: int, max_per_client: int
    ) -> None:
        self.writer = writer
        self.transport = transport
        self.max_connections = max_connections
        self.max_per_client = max_per_client
        self._connections: dict[Protocol, str] = {}  # and whom each counts for
        self._of_client: Counter[str] = Counter()
        self._recipients = Recipients()
        self._clients = Clients()
        self._rates = Rates(self._clients)

    def connected(self, connection: Protocol) -> None:
        """Counts the connection, once (STARTTLS makes it anew), or refuses it, uncounted: refusals
        fill no limit."""
        if connection in self._connections:
            return
        # Whoever speaks LMTP is an MTA, and one address.
        client = self._clients.of(_host(connection.session)) if self.transport == "smtp" else ""
        if client and self._of_client[client] >= self.max_per_client:
            connection.refuse(
                "421 4.7.0 Too many connections from your address, please try again later"
            )
        elif len(self._connections) >= self.max_connections:
            connection.refuse("421 4.3.2 Too many connections, please try again later")
        else:
            self._connections[connection] = client
            self._of_client[client] += 1

    def disconnected(self, connection: Protocol) -> None:
        """However it ended; a second time changes nothing."""
        client = self._connections.pop(connection, None)
        if client is None:
            return
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def open_connections(self) -> int:
        return len(self._connections)

    async def handle_EHLO(
        self,
        server: Protocol,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        # Nobody signs in here: this listener takes mail for its own mailboxes only.
        kept = [line for line in responses if not line.startswith("250-AUTH")]
        lines = [*kept[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", kept[-1]]
        return ["\r\n".join(lines)]  # in one packet

    async def handle_MAIL(
        self,
        server: Protocol,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if refused := self._rates.over(
            _host(session), "" if address in {"<>", None} else address.lower()
        ):
            return refused
        envelope.mail_from = address  # aiosmtpd gives the null sender as "<>"
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        server: Protocol,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not _printable(address):
            return "553 5.1.3 That is no address"
        known = self._recipients.knows(address)
        if known is None:
            raise MustWait(self._ask(server, envelope, address))
        return _answer_to_rcpt(envelope, address, known=known)

    async def _ask(self, server: Protocol, envelope: Envelope, address: str) -> None:
        try:
            known = await self._recipients.ask(address)
        except store.TEMPORARY as error:
            log.error("cannot look up a recipient: %s", type(error).__name__)
            server.say(TEMPORARY_FAULT)
        else:
            server.say(_answer_to_rcpt(envelope, address, known=known))

    async def handle_DATA(self, server: Protocol, session: Session, envelope: Envelope) -> str:
        sender = "" if envelope.mail_from in {"<>", None} else str(envelope.mail_from)
        arrival = store.Arrival(
            raw=envelope.content if isinstance(envelope.content, bytes) else b"",
            envelope=MailEnvelope(
                _clean(sender), tuple(_clean(r) for r in envelope.rcpt_tos), _client(session)
            ),
            transport=self.transport,
        )
        try:
            ids = await self.writer.store(arrival)
        except store.UnknownRecipient:
            # Its mailbox was switched off between RCPT and now.
            answer = "550 5.1.1 No such mailbox here"
        except store.TEMPORARY as error:
            log.error("cannot store a mail of %d bytes: %s", len(arrival.raw), error)
            answer = TEMPORARY_FAULT
        else:
            answer = f"250 2.6.0 Stored as {ids[0]}"
        return answer


def _answer_to_rcpt(envelope: Envelope, address: str, *, known: bool) -> str:
    if not known:
        return "550 5.1.1 No such mailbox here"
    envelope.rcpt_tos.append(address)
    return "250 2.1.5 OK"


def _printable(address: str) -> bool:
    return (
        bool(address)
        and len(address) <= 320
        and not any(char.isspace() or ord(char) < 32 for char in address)
    )


def _clean(address: str) -> str:
    return address.encode("utf-8", "replace").decode("utf-8")


def _client(session: Session) -> str:
    return f"{_host(session)} ({session.host_name or '-'})"


def _host(session: Session) -> str:
    peer: Any = session.peer
    return _address(str(peer[0])) if isinstance(peer, tuple) and peer else "local"


@lru_cache(4096)
def _address(host: str) -> str:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(getattr(found, "ipv4_mapped", None) or found)
