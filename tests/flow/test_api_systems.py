"""The documented calls of the five earlier systems, over HTTP against the product as it is run."""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

from tests.flow.test_serve import Served
from tests.support.api import PDF, PNG
from tests.support.mail import eml
from tests.support.services import wait_for

PHRASE = "a long phrase of mine"
ADMIN = ("admin@example.com", "correct horse battery")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(
        tmp_path_factory.mktemp("served"), REQUESTS_A_MINUTE="100000", SIGN_INS_A_MINUTE="100000"
    )
    found.start()
    yield found
    found.kill()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    def __getitem__(self, name: str) -> Any:
        """A field of the object that was answered with."""
        assert self.status < 300, (self.status, self.content[:300])
        return self.json()[name]


class Http:
    def __init__(self, served: Served, token: str = "", scheme: str = "Bearer") -> None:
        self.served = served
        self.headers = {"Authorization": f"{scheme} {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, data, "application/json", **headers)

    def upload(self, path: str, files: dict[str, bytes], **fields: str) -> Answer:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ] + [
            f'--{boundary}\r\nContent-Disposition: form-data; name="attachments"; filename="{name}"\r\n\r\n'.encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        kind = f"multipart/form-data; boundary={boundary}"
        return self.send("POST", path, b"".join(parts) + f"--{boundary}--\r\n".encode(), kind)

    def send(self, method: str, path: str, data: bytes | None, kind: str, **headers: str) -> Answer:
        more = {
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if data is not None:
            more["Content-Type"] = kind
        request = urllib.request.Request(self.served.url(path), data, more, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


class Browser:
    """As much of one as is needed to fill in a form, by an admin of the staff site if nothing else
    is said."""

    def __init__(self, served: Served, *, signs_in: bool = True) -> None:
        self.served = served
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)
        if signs_in:
            self.submit("/admin/login/?next=/admin/", username=ADMIN[0], password=ADMIN[1])

    def get(self, path: str) -> str:
        with self.opener.open(self.served.url(path), timeout=30) as page:
            return str(page.read().decode())

    def submit(self, path: str, page: str = "", **fields: str) -> str:
        """Posts the fields with what is hidden in the page; the page after it."""
        tags = re.findall(r"<input[^>]*>", self.get(page or path))
        hidden = [
            dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in tags if 'type="hidden"' in tag
        ]
        data = {tag["name"]: tag.get("value", "") for tag in hidden if "name" in tag} | fields
        with self.opener.open(
            self.served.url(path), urllib.parse.urlencode(data).encode(), timeout=30
        ) as answer:
            return str(answer.read().decode())


def mailed(served: Served, to: str, pattern: str) -> str:
    """The pattern's first group in the newest mail to that address that has it."""

    def look() -> str:
        for mail in reversed(served.sent()):
            if to in str(mail["X-Envelope-To"]):
                parts = [
                    part.get_payload(decode=True)
                    for part in mail.walk()
                    if part.get_content_type() == "text/plain"
                ]
                for part in parts:
                    if isinstance(part, bytes) and (
                        found := re.search(pattern, part.decode(), re.MULTILINE)
                    ):
                        return found[1]
        return ""

    return wait_for(look, 10, f"a mail to {to} with {pattern}")


def issue_pin(browser: Browser, ticket: int) -> str:
    """As an agent does it; the page shows it this once."""
    page = browser.submit(f"/admin/tickets/{ticket}/pin/", page=f"/admin/tickets/{ticket}/")
    found = re.search(r"([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})", page)
    assert found is not None
    return found[1]


def signed_up(served: Served, name: str) -> Answer:
    """A customer, by the calls that a client makes; {access, refresh, profile}."""
    api, email = Http(served), f"{name}@example.net"
    assert api("POST", "/api/send_otp/", {"email": email}).status == 200
    verified = api(
        "POST",
        "/api/verify_otp/",
        {"email": email, "otp": mailed(served, email, r"^ +(\d{6})\s*$")},
    )
    form = {
        "first_name": name.title(),
        "last_name": "Brandt",
        "email": email,
        "username": name,
        "password": PHRASE,
        "re_password": PHRASE,
        "role": "user",
        "verification": verified["verification"],
    }
    answer = api("POST", "/signup", form)
    assert answer.status == 201, answer.content
    return answer


def signed_in(served: Served, email: str = ADMIN[0], password: str = ADMIN[1]) -> Http:
    return Http(
        served,
        Http(served)("POST", "/auth/jwt/create/", {"email": email, "password": password})["access"],
    )


def made_agents(served: Served) -> list[Http]:
    """Ada and Ben, made on the staff site."""
    browser = Browser(served)
    for name in ("ada", "ben"):
        form = {"email": f"{name}@example.com", "name": name.title(), "role": "agent"}
        page = browser.submit(
            "/admin/helpdesk/person/add/", **form, password1=PHRASE, password2=PHRASE
        )
        assert "errorlist" not in page
    return [signed_in(served, f"{name}@example.com", PHRASE) for name in ("ada", "ben")]


@pytest.fixture(scope="module")
def agents(served: Served) -> list[Http]:
    return made_agents(served)


# --- The five


def test_the_system_with_codes_by_mail_and_djosers_accounts(served: Served) -> None:
    api, email = Http(served), "cleo@example.net"
    assert api("POST", "/api/send_otp/", {"email": email}).status == 200
    code = mailed(served, email, r"^ +(\d{6})\s*$")
    form = {
        "first_name": "Cleo",
        "last_name": "Brandt",
        "email": email,
        "username": "cleo",
        "password": PHRASE,
        "re_password": PHRASE,
        "role": "user",
    }
    assert api("POST", "/auth/users/", form).status == 400
    assert api("POST", "/api/verify_otp/", {"email": email, "otp": code}).status == 200
    assert api("POST", "/api/verify_otp/", {"email": email, "otp": code}).status == 400
    assert api("POST", "/auth/users/", {**form, "role": "admin"}).status == 400
    assert api("POST", "/auth/users/", form)["email"] == email
    # Without the token of the verification, which that system did not know, a mail asks first.
    assert api("POST", "/auth/jwt/create/", {"email": email, "password": PHRASE}).status == 401
    path = mailed(served, email, r"(/portal/registration/\S+)\s*$")
    assert "Your account is ready" in Browser(served, signs_in=False).submit(path, password=PHRASE)
    pair = api("POST", "/auth/jwt/create/", {"email": email, "password": PHRASE}).json()
    cleo = Http(served, pair["access"], "JWT")
    assert cleo("GET", "/login")["username"] == "cleo"

    ticket = cleo(
        "POST",
        "/api/tickets/",
        {"title": "Printer", "description": "It smokes", "priority": "high"},
    ).json()
    path = f"/api/tickets/{ticket['id']}/"
    assert mailed(served, email, r"#(\d+)") == str(ticket["id"])
    upload = cleo.upload(
        "/api/tickets/",
        {"scan.pdf": PDF, "photo.png": PNG},
        title="Scans",
        description="Two of them",
    )
    assert [item["name"] for item in upload["attachments"]] == ["scan.pdf", "photo.png"]
    scan = cleo("GET", upload["attachments"][0]["url"])
    assert (scan.content, scan.headers["X-Content-Type-Options"]) == (PDF, "nosniff")
    assert scan.headers["Content-Disposition"] == 'attachment; filename="scan.pdf"'
    assert api("GET", upload["attachments"][0]["url"]).status == 401
    found = cleo(
        "GET",
        "/api/tickets/?status=open&priority=high&search=smok&ordering=-created_at&limit=5&offset=0",
    )
    assert [row["id"] for row in found["results"]] == [ticket["id"]]
    assert cleo("PATCH", path, {"title": "The printer", "version": 1})["version"] == 2
    conflict = cleo("PUT", path, {"title": "My printer"}, If_Match='"1"')
    assert (conflict.status, conflict.json()["current"]["title"]) == (409, "The printer")
    comment = cleo("POST", path + "comments/", {"body": "Still smoking"})["id"]
    assert (
        cleo("PATCH", f"{path}comments/{comment}/", {"body": "Still smoking!"})["body"]
        == "Still smoking!"
    )
    assert [row["body"] for row in cleo("GET", path + "comments/").json()] == [
        "It smokes",
        "Still smoking!",
    ]
    assert cleo("DELETE", f"{path}comments/{comment}/").status == 204
    assert cleo("DELETE", path).status == 204
    assert cleo("GET", path)["status"] == "closed"

    fresh = api("POST", "/auth/jwt/refresh/", {"refresh": pair["refresh"]}).json()
    assert api("POST", "/auth/jwt/verify/", {"token": fresh["access"]}).status == 200
    assert api("POST", "/auth/users/reset_password/", {"email": email}).status == 204
    uid, token = mailed(served, email, r"/portal/password/(\S+)/\s*$").split("/")
    confirm = {"uid": uid, "token": token, "new_password": "another long phrase"}
    assert api("POST", "/auth/users/reset_password_confirm/", confirm).status == 204
    assert api("POST", "/auth/jwt/verify/", {"token": fresh["access"]}).status == 401
    assert api("POST", "/auth/jwt/refresh/", {"refresh": fresh["refresh"]}).status == 401
    assert api("POST", "/login", {"email": email, "password": PHRASE}).status == 401
    assert (
        api("POST", "/login", {"email": email, "password": "another long phrase"})["profile"][
            "email"
        ]
        == email
    )


def test_the_system_with_pins(served: Served) -> None:
    served.send(
        eml("The parcel is wet", sender="Pia <pia@example.net>", message_id="pia@example.net")
    )
    number = int(mailed(served, "pia@example.net", r"#(\d+)"))
    browser = Browser(served)
    pin = issue_pin(browser, number)
    assert pin not in browser.get(f"/admin/tickets/{number}/")
    pair = Http(served)("POST", "/api/users/login/", {"pin": pin.lower()}).json()
    assert Http(served)("POST", "/api/users/login/", {"pin": pin}).status == 401
    pia = Http(served, pair["access"])
    assert [row["id"] for row in pia("GET", "/api/tickets/")["results"]] == [number]
    assert (
        pia("POST", f"/api/tickets/{number}/comments/", {"body": "And the lid is broken"}).status
        == 201
    )
    fresh = Http(served)("POST", "/api/token/refresh/", {"refresh": pair["refresh"]}).json()
    assert set(fresh) == {"access", "refresh"}
    assert Http(served)("POST", "/api/token/refresh/", {"refresh": pair["refresh"]}).status == 401
    assert Http(served, fresh["access"])("GET", "/api/tickets/").status == 401


def test_the_system_of_agents(served: Served, agents: list[Http]) -> None:
    ada, ben = agents
    customer = Http(served, signed_up(served, "gwen")["access"])
    first, second = (
        customer(
            "POST", "/api/tickets/", {"title": title, "description": "…", "priority": "urgent"}
        )["id"]
        for title in ("One", "Two")
    )
    assert ada("GET", "/api/agent/tickets/").json() == []
    assert ada("POST", "/api/agent/tickets/claim/", {"ticket_id": first})["status"] == "assigned"
    assert ben("POST", "/api/agent/tickets/claim/", {"ticket_id": first}).status == 400
    assert ben("POST", "/api/agent/tickets/claim/", {})["id"] == second
    assert [row["id"] for row in ada("GET", "/api/agent/tickets/").json()] == [first]
    assert (
        ben("POST", "/api/agent/tickets/", {"ticket_id": first, "status": "resolved"}).status == 403
    )
    assert (
        ada("POST", "/api/agent/tickets/", {"ticket_id": first, "status": "resolved"})["status"]
        == "resolved"
    )
    assert ada("GET", "/api/agent/tickets/").json() == []
    assert customer("GET", "/api/agent/tickets/").status == 403
    bulk = ada("POST", "/api/tickets/bulk/", {"ids": [first, second], "status": "closed"}).json()
    assert (bulk["changed"], bulk["skipped"]) == (2, [])


def test_the_system_of_guests(served: Served, agents: list[Http]) -> None:
    guest = {"name": "Gus", "email": "gus@example.net", "description": "The shop is closed"}
    ticket = Http(served)("POST", "/add/", guest)["id"]
    assert mailed(served, "gus@example.net", r"#(\d+)") == str(ticket)
    assert ticket in [row["id"] for row in agents[0]("GET", "/tickets/?search=shop")["results"]]
    assert Http(served)("GET", "/tickets/").status == 401
    assert (
        agents[0]("PATCH", f"/update_status/{ticket}/", {"status": "closed"})["status"] == "closed"
    )
    assert agents[0]("DELETE", f"/delete/{ticket}/").status == 403
    assert signed_in(served)("DELETE", f"/delete/{ticket}/").status == 204
    assert agents[0]("GET", f"/api/tickets/{ticket}/").status == 404


def test_the_system_of_profiles(served: Served) -> None:
    given = signed_up(served, "paul").json()
    paul, other = Http(served, given["access"]), Http(served, signed_up(served, "olga")["access"])
    path = f"/profiles/{given['profile']['id']}/tickets"
    ticket = paul("POST", path, {"title": "Lamp", "description": "It flickers"})["id"]
    assert [row["id"] for row in paul("GET", path)["results"]] == [ticket]
    assert other("GET", path).status == other("GET", f"/tickets/{ticket}").status == 404
    assert paul("PUT", f"/tickets/{ticket}", {"title": "The lamp"})["title"] == "The lamp"
    message = paul("POST", f"/tickets/{ticket}/messages", {"message": "Now it is dark"})["id"]
    assert (
        paul("PUT", f"/tickets/{ticket}/messages/{message}", {"body": "Dark."})["body"] == "Dark."
    )
    assert other("PUT", f"/tickets/{ticket}/messages/{message}", {"body": "x"}).status == 404
    assert [row["body"] for row in paul("GET", f"/tickets/{ticket}/messages").json()] == [
        "It flickers",
        "Dark.",
    ]
    assert paul("DELETE", f"/tickets/{ticket}/messages/{message}").status == 204
    assert paul("DELETE", f"/tickets/{ticket}").status == 204
    assert paul("GET", f"/tickets/{ticket}")["status"] == "closed"
