"""Every route, every parameter, every field, as everybody, with values that nobody should send: no
answer is our fault.

A short run by default, the same each time; FUZZ_SECONDS=600 goes on with others, FUZZ_SEED=N begins
with those of N.
"""

import base64
import contextlib
import http.cookies
import json
import logging
import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import lxml.html
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from helpdesk.api import tokens
from tests.inbound.transports.webhook import test_webhooks
from tests.support.api import Api, said
from tests.support.routes import Route, World, routes, world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet", "webhooks")]

SECONDS = float(os.environ.get("FUZZ_SECONDS", "8"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

TEXTS = [
    "",
    " ",
    "²",
    "٣",
    "-1",
    "0",
    "1",
    "1.5",
    "1e400",
    "NaN",
    "Infinity",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(10**17),
    str(10**18),
    str(10**30),
    "9" * 5000,
    "\0",
    "a\0b",
    "x" * 300 + "@example.com",
    "a@" + "x" * 63 + ".example" * 40,
    "İ" * 120 + "@example.com",
    "cleo@example.net",
    "a@b",
    "Cleo <cleo@example.net>",
    "../",
    "../../etc/passwd",
    "%00",
    "%s",
    "{{ 7 }}",
    "<script>",
    "'\"",
    "\\",
    "x" * 10_000,
    "\u202e",
    "\ufeff",
    "\uffff",
    "👩‍👩‍👧",
    "e" + "\u0301" * 500,
    "null",
    "true",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30",
    "10000-01-01",
    "2026-11-21T20:00:00Z",
    "me",
    "none",
    "open",
    "resolved",
    "high",
    "en",
    "xx",
    "\r\nX: y",
    "1_1",
    "99999999999.999999_1",
    "0.000000_0",
    "[]",
    "{}",
    '{"a":',
    "on",
    "@" * 50,
    "* " * 200,
    "a" * 60 + ":*",
    "&|!()",
    "\t",
    "#1",
    "#²",
    "-",
    "also-1",
    "also-²",
    "ticket-²",
    "admit",
    "detach",
]
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    2**31,
    2**63,
    10**30,
    -(10**30),
    1e308,
    [],
    {},
    [[]],
    [None],
    [1, "1", None],
    [10**30],
    ["x" * 10_000],
    [""] * 2000,
    {"a": {"b": []}},
    {"": ""},
    {"a-text": "\0"},
    {"a-number": "1e999"},
    {"a-number": 10**30},
    {"a-number": "NaN"},
    {"a-date": "0000-00-00"},
    {"a-date": 5},
    {"a-choice": ["one"]},
    {"a-checkbox": "maybe"},
    "\ud800",
    "a\udfffb",
    {"\ud800": 1},
    {"a-text": "\udc00"},
    {"a-text": {"x": 1}},
    [{"a": "\ud800"}],
]
DEEP = "[" * 100_000
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
LIKELY = {
    "admin": ["agent", "admin", "admin"] * 3,
    "portal": ["customer", "nobody"] * 3,
}  # else most is "sign in first"
QUERY = [
    "q",
    "queue",
    "priority",
    "assignee",
    "team",
    "before",
    "after",
    "days",
    "page",
    "state",
    "next",
    "group",
    "search",
    "tag",
    "limit",
    "offset",
    "ordering",
    "category",
    "assigned_to",
    "created_after",
    "created_before",
    "is_breached",
    "status",
    "p",
    "o",
    "e",
    "all",
    "_popup",
    "_to_field",
    "_changelist_filters",
    "role__exact",
    "is_active__exact",
    "id__exact",
    "term",
    "app_label",
    "model_name",
    "field_name",
    "images",
    "quoted",
    "html",
    "version",
    "format",
    "lang",
    "s",
    "extended",
]


@pytest.fixture
def webhooks(settings, monkeypatch) -> None:
    """The providers' routes are there as well, and take what comes."""
    test_webhooks.set_up(settings)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # thousands of refusals
    settings.SIGN_INS_A_MINUTE = settings.REQUESTS_A_MINUTE = 1_000_000


def in_a_url(value: Any) -> str:
    return quote(str(value).encode("utf-8", "surrogatepass"), safe="")


class Fuzz:
    def __init__(self, here: World, seed: int) -> None:
        self.here, self.random = here, random.Random(seed)
        self.browsers = here.clients()
        self.cookies = {
            who: {name: one.value for name, one in client.cookies.items()}
            for who, client in self.browsers.items()
        }
        self.tokens = {
            name: {"Authorization": f"Bearer {tokens.issue(person)['access']}"}
            for name, person in (("customer", here.cleo), ("agent", here.ada), ("admin", here.root))
        }
        self.bodies = bodies_of_the_api()
        self.answers = Counter[int]()
        self.asked, self.faults = 0, dict[str, str]()
        self.forms: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = {}

    def some(self, values: list[Any]) -> Any:
        return self.random.choice(values)

    def one(self, route: Route, who: str) -> None:
        """One request of a kind that chance chooses, rolled back afterwards."""
        values = self.here.values(route)
        if self.random.random() < 0.25:
            for name in route.parameters:
                if self.random.random() < 0.6:
                    values[name] = in_a_url(self.some(TEXTS))
        url = route.url(values)
        query: list[tuple[str, Any]] = []
        while self.random.random() < 0.5:
            query.append((self.some(QUERY), self.some(TEXTS)))
        if query:
            url += "?" + urlencode(query)
        if self.random.random() < 0.5:
            self.ask("GET", url, who)
        elif route.path.startswith(("/admin/", "/portal/", "/unsubscribe/")):
            self.post_form(route, url, who)
        else:
            self.send_to_api(route, url, who)

    def post_form(self, route: Route, url: str, who: str) -> None:
        for action, fields in self.forms_on(route, who) or [(url, {})]:
            given: dict[str, Any] = dict(fields)
            names = [
                *given,
                *QUERY,
                "do",
                "decision",
                "kind",
                "body",
                "add",
                "remove",
                "email",
                "ticket",
                "mail",
                "score",
                "address",
            ]
            for _ in range(self.random.randint(1, 4)):
                name = self.some([*given] * 5 + names)
                given[name] = self.some(TEXTS)
            if self.random.random() < 0.2:
                given["files"] = SimpleUploadedFile(
                    self.some(["a\0b.png", "²" * 300, "...", "a.png", "x.docx"]),
                    b"PK\3\4junk",
                    self.some(["image/png", "\0", "x" * 300]),
                )
            charset = self.some(["", "", "; charset=latin-1"])
            data = encode_multipart(BOUNDARY, given)
            self.ask(
                "POST",
                self.some([action, url]),
                who,
                data=data,
                content_type=MULTIPART_CONTENT + charset,
            )

    def forms_on(self, route: Route, who: str) -> list[tuple[str, dict[str, str]]]:
        """The forms on the page: where they go, and what they send."""
        key = (route.path, who)
        if key not in self.forms:
            url = route.url(self.here.values(route))
            with rolled_back():
                answer = self.browsers[who].get(url)
            found = []
            if (
                answer.status_code == 200
                and "html" in answer.get("Content-Type", "")
                and not answer.streaming
                and answer.content
            ):
                for form in lxml.html.fromstring(answer.content).forms:
                    if form.method == "POST":
                        found.append(
                            (
                                form.action or url,
                                {
                                    name: value or ""
                                    for name, value in form.fields.items()
                                    if name != "csrfmiddlewaretoken" and not isinstance(value, set)
                                },
                            )
                        )
            self.forms[key] = [
                (action, fields) for action, fields in found if action.startswith("/")
            ]
        return self.forms[key]

    def send_to_api(self, route: Route, url: str, who: str) -> None:
        method = self.some(METHODS[1:5])
        if "/anymail/" in url:
            headers = {
                "Authorization": f"Basic {base64.b64encode(test_webhooks.SECRET.encode()).decode()}"
            }
        else:
            headers = dict(self.tokens.get(who, {}))
        if self.random.random() < 0.1:
            headers[
                self.some(
                    ["If-Match", "Idempotency-Key", "Accept", "Accept-Language", "Authorization"]
                )
            ] = self.some(["²", "x" * 300, "\xff", "Bearer ²", 'W/"1"', "*", "é", ";q=²"])
        names = [*self.bodies.get(route.path, {}), *QUERY]
        known = self.bodies.get(route.path, {})
        body: Any = {name: value for name, value in known.items() if self.random.random() < 0.8}
        for _ in range(self.random.randint(1, 3)):
            body[self.some([*known] * 5 + names)] = self.some(VALUES)
        how = self.random.random()
        if how < 0.7:
            if self.random.random() < 0.1:
                body = self.some(VALUES)
            text = DEEP if self.random.random() < 0.02 else json.dumps(body)
            self.ask(method, url, who, data=text, content_type="application/json", headers=headers)
        elif how < 0.9:
            fields = {
                name: str(value).encode("utf-8", "surrogatepass") for name, value in body.items()
            }
            charset = self.some(["", "", "; charset=latin-1", "; charset=no-such"])
            self.ask(
                method,
                url,
                who,
                data=urlencode(fields),
                content_type=f"application/x-www-form-urlencoded{charset}",
                headers=headers,
            )
        else:
            boundary = "xyz"
            parts = "".join(
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in body.items()
            )
            charset = self.some(["", "; charset=latin-1"])
            data = (parts + f"--{boundary}--\r\n").encode("utf-8", "surrogatepass")
            self.ask(
                method,
                url,
                who,
                data=data,
                content_type=f"multipart/form-data; boundary={boundary}{charset}",
                headers=headers,
            )

    def ask(self, method: str, url: str, who: str, **more: Any) -> None:
        client: Client = self.browsers[who]
        client.cookies = http.cookies.SimpleCookie(
            self.cookies[who]
        )  # signed in, whatever an answer before took away
        self.asked += 1
        with rolled_back():
            answer: Any = client.generic(method, url, **more)
            if answer.streaming:
                list(answer.streaming_content)
        self.answers[answer.status_code] += 1
        if answer.status_code >= 500 and not is_meant(answer):
            error = getattr(answer, "exc_info", None)
            what = (
                f"{error[0].__name__}: {error[1]}"
                if error
                else answer.content[:150].decode("utf-8", "replace")
            )
            self.faults.setdefault(
                f"{url.split('?')[0][:60]} {what[:160]}",
                f"{who} {method} {url[:500]} {str(more)[:1500]}",
            )


def is_meant(answer: Any) -> bool:
    """A post that cannot be read is to be posted again: it may be our reading
    (tests/inbound/transports/webhook/test_webhooks.py)."""
    return (
        answer.status_code == 503
        and answer.request["PATH_INFO"].startswith("/anymail/")
        and b"Try again later" in answer.content
    )


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    connection.run_on_commit.clear()


def bodies_of_the_api() -> dict[str, dict[str, Any]]:
    """By route: the fields that the schema names, each with a value that is good or at least
    likely."""
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    parts, found = schema["components"]["schemas"], dict[str, dict[str, Any]]()
    good = {"integer": 1, "boolean": True, "array": ["x"], "object": {"a-text": "x"}}
    for path, methods in schema["paths"].items():
        fields: dict[str, Any] = {}
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                shape = content["schema"]
                shape = parts[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
                for name, kind in shape.get("properties", {}).items():
                    enum = kind.get("enum") or [None]
                    fields[name] = enum[0] or (
                        "cleo@example.net"
                        if kind.get("format") == "email"
                        else good.get(kind.get("type"), "x")
                    )
        found[re.sub(r"\{(\w+)\}", r"<\1>", path)] = fields
    return {
        route.path: fields
        for route in routes()
        for path, fields in found.items()
        if re.sub(r"<\w+:(\w+)>", r"<\1>", route.path) == path
    }


def test_no_odd_value_is_our_fault() -> None:
    here = world()
    fuzz, every = Fuzz(here, SEED), list(routes())
    until = time.monotonic() + SECONDS
    everybody = list(fuzz.browsers)
    rounds = 0
    while time.monotonic() < until:
        for route in fuzz.random.sample(every, len(every)):
            fuzz.one(route, fuzz.some([*everybody, *LIKELY.get(route.path.split("/")[1], [])]))
            if time.monotonic() > until:
                break
        rounds += 1
    print(
        f"{fuzz.asked} requests, {rounds} rounds of {len(every)} routes: {dict(sorted(fuzz.answers.items()))}"
    )
    assert not fuzz.faults, "\n".join(f"{what}\n    {how}" for what, how in fuzz.faults.items())


LONG_ADDRESS = "x" * 60 + "@" + "x" * 60 + ".example" * 25  # 321 octets
GROWS = (
    "a@" + "İ" * 60 + "." + "İ" * 60 + "." + "İ" * 60 + ".example"
)  # 191 characters; in lower case 371, and more octets


@pytest.mark.parametrize(
    ("who", "url", "form"),
    [
        ("customer", "/portal/?page=²", None),
        ("customer", "/portal/?page=" + "9" * 30, None),
        ("customer", "/portal/?page=%00", None),
        ("customer", "/portal/tickets/{ticket}/rate/", {"score": "²"}),
        ("customer", "/portal/tickets/{ticket}/reply/", {"body": "a\0b"}),
        ("customer", f"/portal/tickets/{10**30}/", None),
        ("customer", "/portal/tickets/²/", None),
        ("customer", "/portal/me/address/", {"email": LONG_ADDRESS}),
        ("nobody", "/portal/sign-in/", {"email": GROWS}),
        ("nobody", "/portal/sign-in/", {"email": "a\0b@example.com"}),
        ("nobody", "/portal/sign-in/?next=%00", None),
        (
            "nobody",
            "/portal/new/",
            {"name": "\0", "email": GROWS, "title": "x", "description": "x"},
        ),
        ("nobody", "/admin/login/", {"username": "a\0", "password": "\0"}),
        ("nobody", "/admin/password-reset/", {"email": LONG_ADDRESS}),
        ("agent", "/admin/tickets/{ticket}/people/", {"add": LONG_ADDRESS}),
        ("agent", "/admin/tickets/{ticket}/people/", {"add": GROWS}),
        (
            "agent",
            "/admin/tickets/{ticket}/reply/",
            {"body": "x", "kind": "reply", "cc": LONG_ADDRESS},
        ),
        ("agent", "/admin/tickets/bulk/", {"back": "0"}),
        ("agent", "/admin/tickets/?q=%00", None),
        ("agent", "/admin/tickets/?q=²&team=²", None),
        ("agent", "/admin/tickets/bulk/", {"back": "/\r\nX: y", "ticket": str(10**30)}),
        ("admin", "/admin/helpdesk/team/add/", {"name": "x", "members": "²"}),
        ("admin", "/admin/helpdesk/mailtemplate/²/preview/", None),
        ("admin", "/admin/inbound/mailbox/1/change/", {"teams": str(10**30)}),
        ("admin", "/admin/auth/group/add/", {"permissions": str(10**30)}),
        (
            "admin",
            "/admin/helpdesk/category/",
            {"action": "delete_selected", "_selected_action": str(10**30)},
        ),
        ("admin", "/admin/helpdesk/team/1/delete/?_to_field=", None),
        ("admin", "/admin/helpdesk/team/add/", {"_to_field": ""}),
        ("admin", "/admin/helpdesk/person/add/", {"email": GROWS, "role": "user"}),
    ],
)
def test_what_was_our_fault_is_the_senders(who: str, url: str, form: dict[str, str] | None) -> None:
    here = world()
    client, url = here.clients()[who], url.format(ticket=here.ticket.pk)
    answer = client.get(url) if form is None else client.post(url, form)
    assert answer.status_code < 500, answer.content[:300]


@pytest.mark.parametrize(
    "given",
    [LONG_ADDRESS, GROWS, "a@b\0.example", "a b@example.com", "", "@", "\ud800@example.com"],
)
def test_what_is_no_address_that_mail_could_go_to_is_refused_by_name(given: str) -> None:
    here = world()
    for who, url, body in (
        ("", "/api/send_otp/", {"email": given}),
        ("", "/add/", {"name": "Eve", "email": given, "description": "x"}),
        ("admin", "/api/tickets/", {"title": "x", "description": "x", "customer": given}),
    ):
        api = Api(here.root if who else None)
        status, _, named = said(api("POST", url, body))
        assert (status, named) == (
            400,
            "customer" if who else "email",
        ) or given == "\ud800@example.com"
        assert status == 400
