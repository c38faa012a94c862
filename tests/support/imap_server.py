"""A small IMAP server for what no Dovecot can be made to do: it is told what it offers, and how it
answers."""

import base64
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

OPEN = "IMAP4rev1 MOVE UIDPLUS IDLE NAMESPACE AUTH=PLAIN"


@dataclass
class Message:
    raw: bytes
    flags: set[str] = field(default_factory=set)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))  # of arrival


@dataclass
class Server:
    capabilities: str = OPEN
    validity: str = " [UIDVALIDITY 7]"  # in SELECT's answer; "" where it says nothing of it
    folders: dict[str, dict[int, Message]] = field(default_factory=lambda: {"INBOX": {}})
    aliases: dict[str, str] = field(default_factory=dict)  # other names of folders
    answers: dict[str, list[str]] = field(
        default_factory=dict
    )  # instead of its own, by command, one after the other; the last stays
    lines: dict[str, str] = field(default_factory=dict)  # said in the middle of a command
    cuts: dict[str, int] = field(
        default_factory=dict
    )  # hangs up after a command has been carried out, so many times
    prefix: str = ""  # of personal folders
    heard: list[str] = field(default_factory=list)
    passwords: list[tuple[str, str]] = field(default_factory=list)
    newest: int = 0
    port: int = 0

    def put(self, raw: bytes, *flags: str, folder: str = "INBOX") -> int:
        self.newest += 1
        self.folders[folder][self.newest] = Message(raw, set(flags))
        return self.newest

    def count(self, command: str) -> int:
        return sum(line.startswith(command) for line in self.heard)

    def folder(self, name: str) -> dict[int, Message] | None:
        name = name.strip('"')
        name = self.aliases.get(name, name)
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)


class HungUp(Exception):
    pass


class _Session:
    def __init__(self, server: Server, peer: socket.socket) -> None:
        self.server, self.peer, self.file = server, peer, peer.makefile("rb")
        self.selected: dict[int, Message] = {}

    def run(self) -> None:
        self.say(f"* OK [CAPABILITY {self.server.capabilities}] ready")
        while line := self.file.readline():
            tag, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            name = " ".join(rest.split()[: 2 if rest.upper().startswith("UID ") else 1]).upper()
            words = rest[len(name) :].strip()
            self.server.heard.append(f"{name} {words}".strip())
            self.answer(tag, name, words)

    def answer(self, tag: str, name: str, words: str) -> None:
        if more := self.server.lines.get(name):
            self.say(more)
        if told := self.server.answers.get(name):
            said = told.pop(0) if len(told) > 1 else told[0]
            if said:
                if said.startswith("* BYE"):
                    self.say(said)
                    raise HungUp
                self.say(f"{tag} {said}")
                return
        method = getattr(self, "do_" + name.lower().replace(" ", "_"), None)
        said = method(words) if method else "BAD unknown command"
        if self.server.cuts.get(name):
            self.server.cuts[name] -= 1
            raise HungUp
        self.say(f"{tag} {said}")

    def say(self, line: str | bytes) -> None:
        self.peer.sendall(
            (line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line) + b"\r\n"
        )

    def do_capability(self, words: str) -> str:
        self.say(f"* CAPABILITY {self.server.capabilities}")
        return "OK done"

    def do_login(self, words: str) -> str:
        if found := re.fullmatch(r"\{(\d+)\}", words):
            self.say("+ go on")
            user = self.file.read(int(found[1])).decode()
            size = re.fullmatch(r" \{(\d+)\}", self.file.readline().decode().rstrip("\r\n"))
            assert size
            self.say("+ go on")
            password = self.file.read(int(size[1])).decode()
            self.file.readline()
        else:
            user, _, password = words.partition(" ")
            password = password.strip('"')
        self.server.passwords.append((user, password))
        return "OK signed in"

    def do_authenticate(self, words: str) -> str:
        self.say("+ ")
        _, user, password = base64.b64decode(self.file.readline()).decode().split("\0")
        self.server.passwords.append((user, password))
        return "OK signed in"

    def do_logout(self, words: str) -> str:
        self.say("* BYE")
        return "OK bye"

    def do_noop(self, words: str) -> str:
        return "OK done"

    def do_namespace(self, words: str) -> str:
        self.say(f'* NAMESPACE (("{self.server.prefix}" ".")) NIL NIL')
        return "OK done"

    def do_list(self, words: str) -> str:
        name = words.split(" ", 1)[1].strip('"')
        if self.server.folder(name) is not None:
            self.say(f'* LIST () "." "{name}"')
        return "OK done"

    def do_create(self, words: str) -> str:
        self.server.folders[words.strip('"')] = {}
        return "OK done"

    def do_select(self, words: str) -> str:
        found = self.server.folder(words)
        if found is None:
            return "NO [NONEXISTENT] there is none"
        self.selected = found
        self.say("* FLAGS (\\Seen \\Deleted)")
        self.say(f"* {len(found)} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK{self.server.validity} uids")
        self.say(f"* OK [UIDNEXT {self.server.newest + 1}] next")
        return "OK [READ-WRITE] selected"

    def do_examine(self, words: str) -> str:
        return self.do_select(words).replace("READ-WRITE", "READ-ONLY")

    def do_uid_search(self, words: str) -> str:
        self.say("* SEARCH " + " ".join(str(uid) for uid in self.matching(words)))
        return "OK done"

    def matching(self, words: str) -> list[int]:
        found = sorted(self.selected)
        top = found[-1] if found else 0
        if by_uid := re.search(r"UID ([\d:,*]+)", words):
            found = [uid for uid in found if uid in self.uids(by_uid[1], top)]
        for flag, word in (("\\Deleted", "DELETED"), ("\\Seen", "SEEN")):
            if re.search(rf"\b{word}\b", words):
                found = [uid for uid in found if flag in self.selected[uid].flags]
            if re.search(rf"\bUN{word}\b", words):
                found = [uid for uid in found if flag not in self.selected[uid].flags]
        if header := re.search(r'HEADER Message-ID "?([^" ]+)', words):
            found = [uid for uid in found if header[1].encode() in self.selected[uid].raw]
        return found

    def uids(self, words: str, top: int = 0) -> set[int]:
        found: set[int] = set()
        for part in words.split(","):
            first, _, last = part.partition(":")
            one, other = (top if end == "*" else int(end) for end in (first, last or first))
            found |= {uid for uid in self.selected if min(one, other) <= uid <= max(one, other)}
        return found

    def do_uid_fetch(self, words: str) -> str:
        which, _, what = words.partition(" ")
        for number, uid in enumerate(sorted(self.selected), 1):
            if uid not in self.uids(which):
                continue
            message = self.selected[uid]
            if "BODY.PEEK[]" in what:
                self.say(
                    f"* {number} FETCH (UID {uid} BODY[] {{{len(message.raw)}}}".encode()
                    + b"\r\n"
                    + message.raw
                    + b")"
                )
            elif "INTERNALDATE" in what:
                self.say(
                    f'* {number} FETCH (UID {uid} INTERNALDATE "{message.date:%d-%b-%Y %H:%M:%S %z}")'
                )
            elif "RFC822.SIZE" in what:
                self.say(f"* {number} FETCH (RFC822.SIZE {len(message.raw)} UID {uid})")
            else:
                self.say(f"* {number} FETCH (UID {uid} FLAGS ({' '.join(message.flags)}))")
        return "OK done"

    def do_uid_store(self, words: str) -> str:
        which, _, flags = words.partition(" ")
        for uid in self.uids(which):
            self.selected[uid].flags |= set(re.findall(r"\\\w+", flags))
        return "OK done"

    def do_uid_copy(self, words: str) -> str:
        which, _, name = words.partition(" ")
        target = self.server.folder(name)
        assert target is not None
        for uid in sorted(self.uids(which)):
            self.server.newest += 1
            message = self.selected[uid]
            target[self.server.newest] = Message(message.raw, set(message.flags), message.date)
        return "OK [COPYUID 7 1 2] done"

    def do_uid_move(self, words: str) -> str:
        which = self.uids(words.partition(" ")[0])
        said = self.do_uid_copy(words)
        for uid in which:
            del self.selected[uid]
        return said

    def do_expunge(self, words: str) -> str:
        for uid in [uid for uid, message in self.selected.items() if "\\Deleted" in message.flags]:
            del self.selected[uid]
        return "OK done"

    def do_uid_expunge(self, words: str) -> str:
        for uid in self.uids(words):
            if "\\Deleted" in self.selected[uid].flags:
                del self.selected[uid]
        return "OK done"

    def do_idle(self, words: str) -> str:
        self.say("+ idling")
        if more := self.server.lines.get("IDLING"):
            self.say(more)
        self.file.readline()
        return "OK done"


@contextmanager
def imap_server(**told: object) -> Iterator[Server]:
    server = Server(**told)  # type: ignore[arg-type]
    peers: list[socket.socket] = []

    def serve(peer: socket.socket) -> None:
        with suppress(OSError, HungUp, ValueError), peer:
            _Session(server, peer).run()

    def listen() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        threading.Thread(target=listen, daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        with suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
