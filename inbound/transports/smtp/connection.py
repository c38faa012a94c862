"""aiosmtpd's SMTP on a buffer of our own.

The stock one reads each line through a stream and a task, and parses each address by the whole
grammar of RFC 5322: it spends more on the commands of a mail than storing it takes. Here commands
are served where they come in, in the loop's callback. What the commands mean, and what is answered,
is aiosmtpd's: its methods run as they are.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from copy import copy
from typing import Any, Self, cast

from aiosmtpd.smtp import BOGUS_LIMIT, SMTP, TLSSetupException

from inbound.transports.smtp.message import Message

log = logging.getLogger(__name__)

TEMPORARY_FAULT = "451 4.3.0 Temporary fault here, please try again later"

AT_ONCE = 50  # commands of one connection, before it is the others' turn
SHORT = (
    512  # bytes of a command (RFC 5321 4.5.3.1.4); parameters that EHLO offered make MAIL longer
)
READ_AHEAD = 4096  # bytes of commands that may wait; of more nothing is read
_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9-]+"
_PLAIN_PATH = re.compile(
    rf"<({_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*|)>[ ]*([A-Za-z0-9=-][A-Za-z0-9= -]*|)"
)

Method = Callable[[str | None], Coroutine[Any, Any, None]]


class MustWait(Exception):
    """What a command raises whose answer has to be waited for; `rest` gives it."""

    def __init__(self, rest: Coroutine[Any, Any, None]) -> None:
        super().__init__()
        self.rest = rest


class Connection(SMTP):
    """Takes the place of aiosmtpd's reader, writer and `_handle_client`. `_handler_coroutine` is
    the task of a command that waits for something; nothing else is served meanwhile."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, **options)
        self._begin()

    def another(self) -> Self:
        """A connection with the same settings. aiosmtpd looks through all members of itself and of
        the handler for each that it makes, and that takes longer than storing a mail."""
        made = copy(self)
        made._smtp_methods = {name: getattr(made, f"smtp_{name}") for name in self._smtp_methods}
        made._begin()
        return made

    def _begin(self) -> None:
        # aiosmtpd's own limits are one for all connections, and each EHLO raises them.
        self._size_limits: dict[str, int] = dict.fromkeys(self._smtp_methods, SHORT)
        self.command_size_limits = cast(Any, self._size_limits)
        self.message: Message | None = None  # while its content comes in
        self.transport: asyncio.BaseTransport | None = None
        self._buffer = bytearray()  # commands that are not served yet
        self._is_overlong = False  # the command whose beginning was thrown away
        self._bogus_budget = BOGUS_LIMIT
        self._is_unread = False  # the client does not read our answers
        self._is_reading = True
        self._turn: asyncio.Handle | None = None
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._active_at = 0.0

    # --- What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Twice, where STARTTLS was said."""
        self.wire = cast(asyncio.Transport, transport)
        self.transport = transport
        self._set_rset_state()
        self.session = self._create_session()
        self.session.peer = transport.get_extra_info("peername")
        self._reset_timeout()
        self.event_handler.connected(self)
        if self._tls_protocol is not None:
            self.session.ssl = self._tls_protocol._extra
            # RFC 3207 4.2 and 6: what was said in clear counts for nothing.
            self._buffer.clear()
        elif not self.wire.is_closing():
            self.say(f"220 {self.hostname} {self.__ident__}")

    def data_received(self, data: bytes) -> None:
        if self.message is None:
            self._buffer += data
        else:
            self._content_came(data)
        self._serve()

    def pause_writing(self) -> None:
        self._is_unread = True

    def resume_writing(self) -> None:
        self._is_unread = False
        self._serve()

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.disconnected(self)
        for handle in (self._timeout_handle, self._turn, self._handler_coroutine):
            if handle is not None:
                handle.cancel()
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = None

    # --- Commands, in their order

    def _serve(self) -> None:
        """Serves what has come, until a command has to wait or it is the others' turn."""
        if self._turn is None:
            for _ in range(AT_ONCE):
                if not self._is_free() or not self._serve_next():
                    break
            else:
                self._turn = self.loop.call_soon(self._serve_on)
        self._read_on(len(self._buffer) <= READ_AHEAD)

    def _read_on(self, wanted: bool) -> None:
        if wanted != self._is_reading and not self.wire.is_closing():
            self._is_reading = wanted
            if wanted:
                self.wire.resume_reading()
            else:
                self.wire.pause_reading()

    def _serve_on(self) -> None:
        self._turn = None
        self._serve()

    def _is_free(self) -> bool:
        return (
            self.message is None
            and self._handler_coroutine is None
            and not self._is_unread
            and not self.wire.is_closing()
        )

    def _serve_next(self) -> bool:
        """Serves the next line; False where none has come to its end."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > self.line_length_limit:
                self._buffer.clear()
                self._is_overlong = True
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r\n")
        del self._buffer[: end + 1]
        if self._is_overlong or end > self.line_length_limit:
            self._is_overlong = False
            self.say("500 Command line too long")
        else:
            self._command(line)
        return True

    def _command(self, line: bytes) -> None:
        """As aiosmtpd's `_handle_client` has it, answer by answer."""
        verb, _, argument = line.partition(b" ")
        if not line or not verb.isascii():
            self.say("500 Error: bad syntax")
            return
        name = verb.upper().decode("ascii")
        if len(line) > self._size_limit(name):
            self.say("500 Command line too long")
        elif (method := self._smtp_methods.get(name)) is None:
            self._bogus(name)
        else:
            self._reset_timeout()
            given = argument.strip().decode("utf-8", "surrogateescape") if argument else None
            self._run(method, given)

    def _size_limit(self, name: str) -> int:
        extended = self.session is not None and self.session.extended_smtp
        return self._size_limits.get(name, SHORT) if extended else SHORT

    def _bogus(self, name: str) -> None:
        self._bogus_budget -= 1
        if self._bogus_budget < 1:
            self.say("502 5.5.1 Too many unrecognized commands, goodbye.")
            self.wire.close()
        else:
            self.say(f'500 Error: command "{name}" not recognized')

    def _run(self, method: Method, argument: str | None) -> None:
        """To its end, in one step: but for what MustWait says, and STARTTLS, no command waits."""
        command = method(argument)
        if method == self._smtp_methods["STARTTLS"]:
            self.wait_for(command)
            return
        try:
            command.send(None)
        except StopIteration:
            if self.message is not None and self._buffer:
                content = bytes(self._buffer)
                self._buffer.clear()
                self._content_came(content)
        except MustWait as later:
            self.wait_for(later.rest)
        except Exception as error:
            self.say(self.surprised(error))

    def wait_for(self, command: Coroutine[Any, Any, None]) -> None:
        """Nothing else is served until this is done."""
        task = self.loop.create_task(command)
        self._handler_coroutine = task
        task.add_done_callback(self._waited)

    def _waited(self, task: "asyncio.Task[None]") -> None:
        self._handler_coroutine = None
        if task.cancelled() or self.transport is None:
            return
        error = task.exception()
        if isinstance(error, TLSSetupException):
            self.transport.close()
            self.connection_lost(error)
            return
        if isinstance(error, Exception):
            self.say(self.surprised(error))
        self._serve()

    def surprised(self, error: Exception) -> str:
        """Our fault, so a temporary answer; and nothing of ours in its text."""
        log.error("SMTP session with %r", self.session and self.session.peer, exc_info=error)
        return TEMPORARY_FAULT

    # --- Content

    def _content_came(self, data: bytes) -> None:
        assert self.message is not None
        self._reset_timeout()
        behind = self.message.feed(data)
        if behind is not None:
            message, self.message = self.message, None
            self._buffer += behind
            self.wait_for(self.take_in(message))

    async def take_in(self, message: Message) -> None:
        """Stores it, and answers."""
        raise NotImplementedError

    # --- What aiosmtpd's commands use

    def say(self, status: str) -> None:
        self.wire.write(status.encode() + b"\r\n")

    async def push(self, status: str | bytes) -> None:
        """Waits for no client to read it: nothing more is served while it does not."""
        self.wire.write((status if isinstance(status, bytes) else status.encode()) + b"\r\n")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The same by a pattern, for what nearly all mail has: an address without quotes, comments
        and routes, and parameters of letters and digits."""
        if (found := _PLAIN_PATH.fullmatch(arg)) is not None:
            return found[1] or "<>", found[2]
        return cast("tuple[str | None, str | None]", super()._getaddr(arg))

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The timer runs on, and looks at its end whether anything came meanwhile."""
        self._active_at = self.loop.time()
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_later(self._timeout_duration, self._timeout_cb)

    def _timeout_cb(self) -> None:
        """Nothing came for too long. aiosmtpd's own close() waits for ever for a client that reads
        nothing, and a TLS handshake that hangs never ends: neither would be counted off."""
        left = self._active_at + self._timeout_duration - self.loop.time()
        if left > 0:
            self._timeout_handle = self.loop.call_later(left, self._timeout_cb)
            return
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        for transport in (self.wire, self._original_transport):
            if transport is not None:
                transport.abort()
        self.event_handler.disconnected(self)
