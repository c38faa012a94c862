"""How large and how slow a request's body may be, before Django sees it."""

import ast
import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from helpdesk.edge.bodies import FORM, bounded, limit_for


class Asked:
    """One request to `bounded`: what was read of it, and what it was answered."""

    def __init__(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        clock: Callable[[], float] | None = None,
        query: str = "",
        **headers: str,
    ) -> None:
        self.taken, self.app_ran, self.answer = 0, False, b""
        self.status, self.headers = 0, dict[str, str]()
        self.handed_over = 0
        asyncio.run(self._ask(path, chunks, headers, clock, query))

    async def _ask(
        self, path: str, chunks: Iterable[bytes], headers: dict[str, str], clock: Any, query: str
    ) -> None:
        coming = iter(chunks)

        async def receive() -> dict[str, Any]:
            chunk = next(coming, None)
            self.taken += len(chunk or b"")
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.app_ran, more = True, True
            while more:
                event = await receive()
                self.handed_over += len(event["body"])
                more = event["more_body"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                self.status = event["status"]
                self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
            self.answer += event.get("body", b"")

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": query.encode(),
            "client": ("198.51.100.1", 1),
            "server": ("testserver", 80),
            "scheme": "http",
            "headers": [
                (name.lower().replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
        }
        more: Any = {"clock": clock} if clock else {}
        await bounded(app, **more)(scope, receive, send)  # type: ignore[arg-type]


CHUNK = b"x" * 100_000


def many(count: int) -> Iterable[bytes]:
    return (CHUNK for _ in range(count))


def test_300_mb_that_are_announced_are_refused_before_a_byte_is_read() -> None:
    asked = Asked("/auth/jwt/create/", [], content_length="300000000")
    assert (asked.status, asked.app_ran, asked.headers["connection"]) == (413, False, "close")
    assert json.loads(asked.answer)["error"] == {
        "code": "too_large",
        "field": None,
        "message": "That is more than is taken here: at most 1.5 MB at once.",
    }
    assert Asked("/auth/jwt/create/", [], content_length="9" * 5000).status == 413


def test_300_mb_that_are_not_announced_are_cut_off_where_the_count_passes() -> None:
    asked = Asked("/auth/jwt/create/", many(3000), transfer_encoding="chunked")
    assert asked.status == 413
    assert asked.handed_over <= FORM


def test_a_person_is_shown_a_page_in_their_language() -> None:
    asked = Asked("/portal/sign-in/", [], content_length="300000000", accept_language="de")
    assert (asked.status, asked.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "höchstens 1.5" in asked.answer.decode() or "höchstens 1,5" in asked.answer.decode()
    assert "default-src 'none'" in asked.headers["content-security-policy"]


def test_an_ordinary_body_goes_through_whole() -> None:
    asked = Asked("/auth/jwt/create/", many(14))
    assert (asked.status, asked.handed_over) == (200, 1_400_000)


def test_where_files_are_handed_in_there_is_room_for_what_a_mail_holds(settings) -> None:
    settings.MAX_MAIL_BYTES, settings.ATTACHMENT_MAX_BYTES = 10_000_000, 5_000_000
    upload = 11_500_000
    for path in (
        "/add",
        "/add/",
        "/api/tickets/",
        "/api/tickets/7/comments",
        "/api/tickets/7/attachments/",
        "/profiles/3/tickets/",
        "/tickets/7/messages/",
        "/portal/new/",
        "/portal/tickets/7/reply/",
        "/admin/tickets/7/reply/",
    ):
        assert limit_for(path, "") == upload, path
    for path in (
        "/",
        "/api/tickets/7/",
        "/api/tickets/bulk/",
        "/admin/login/",
        "/portal/sign-in/",
        "/add/more",
        "/anymail/x",
    ):
        assert limit_for(path, "") == FORM, path


def test_a_provider_posts_a_whole_mail_and_a_stranger_who_guesses_the_address_does_not(
    settings,
) -> None:
    settings.ANYMAIL_WEBHOOK_SECRET, settings.MAX_MAIL_BYTES = "user:password", 10_000_000
    assert (
        limit_for("/anymail/mailgun/inbound/", "Basic dXNlcjpwYXNzd29yZA==") == FORM + 120_000_000
    )
    assert limit_for("/anymail/mailgun/inbound/", "Basic dXNlcjpndWVzcw==") == FORM
    settings.ANYMAIL_WEBHOOK_SECRET = ""
    assert limit_for("/anymail/mailgun/inbound/", "Basic Og==") == FORM


def test_a_post_that_is_not_read_at_all_is_in_the_log(settings, caplog) -> None:
    settings.ANYMAIL_WEBHOOK_SECRET, settings.MAX_MAIL_BYTES = "user:password", 10_000_000
    known = {"authorization": "Basic dXNlcjpwYXNzd29yZA==", "content_length": "130000000"}
    assert Asked("/anymail/mailgun/inbound/", [b"x"], **known).status == 413
    assert (
        "a post to /anymail/mailgun/inbound/ was refused: it has more than 121,500,000 bytes"
        in caplog.text
    )


def test_a_body_that_drips_is_ended_and_one_on_a_slow_line_is_not() -> None:
    now = [0.0]

    def drip(size: int, every: float, count: int) -> Iterable[bytes]:
        for _ in range(count):
            now[0] += every
            yield b"x" * size

    dripping = Asked("/auth/jwt/create/", drip(1, 1.0, 1000), clock=lambda: now[0])
    assert (dripping.status, json.loads(dripping.answer)["error"]["code"]) == (408, "too_slow")
    assert dripping.handed_over < 30
    now[0] = 0.0
    slow = Asked("/auth/jwt/create/", drip(20_000, 1.0, 60), clock=lambda: now[0])
    assert (slow.status, slow.handed_over) == (200, 1_200_000)


def test_every_route_that_reads_files_has_the_room_for_them() -> None:
    """A new one is found here, not by its first user."""
    found = {
        (f"{path.parent.name}/{path.name}", function.name)
        for path in Path("helpdesk").rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if (isinstance(node, ast.Attribute) and node.attr == "FILES")
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "files_of"
        )
    }
    assert found == {
        ("staff/replying.py", "reply"),
        ("portal/tickets.py", "reply"),
        ("portal/new.py", "new"),
        ("api/requests.py", "files_of"),
        ("api/tickets.py", "opened"),
        ("api/comments.py", "said"),
        ("api/attachments.py", "post"),
        ("legacy/guests.py", "post"),
        ("legacy/profiles.py", "post"),
    }


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=utf-7",
        "multipart/form-data; boundary=x; charset=unicode_escape",
        "a/b; charset=idna",
        "a/b; charset=utf-16",
        "a/b; charset=rot13",
    ],
    ids=lambda value: value[:50],
)
@pytest.mark.parametrize("path", ["/api/tickets/", "/portal/sign-in/", "/anymail/mailgun/inbound/"])
def test_a_head_of_which_nothing_can_be_made_is_answered_with_400(
    path: str, content_type: str
) -> None:
    asked = Asked(path, [], content_type=content_type, query="q=%ff&a=+2AA-")
    assert (asked.status, asked.app_ran) == (400, False)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "text/plain; charset=UTF-8",
        "a/b; charset=iso-8859-1",
        "a/b; charset=windows-1252",
        "²",
        "a/b; charset=no-such",
    ],
)
def test_an_ordinary_head_goes_through(content_type: str) -> None:
    assert Asked("/api/tickets/", [], content_type=content_type, query="q=%ff").app_ran
