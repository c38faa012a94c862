"""A customer with a telephone, without scripts, with a keyboard only, or with a screen reader: the
portal in a browser."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.flow.test_browser import ARGUMENTS
from tests.flow.test_serve import ROOT, Served
from tests.support.mail import eml
from tests.support.services import need, wait_for

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PHONE = {"width": 390, "height": 844}

IMPORTS = """
import json
from helpdesk import actions
from helpdesk.actions import Content, pins
from helpdesk.models import *
ada = Person.objects.filter(email="ada@example.com").first() or Person.objects.create_user(
    "ada@example.com", name="Ada", role=Person.Role.AGENT)
"""
ANSWER = """
ticket = Ticket.objects.get(subject="It leaks")
Identity.objects.create(mailbox=ticket.mailbox, shows_agent=False)
actions.reply(ticket, Content(text="Turn the **big** tap."), actor=ada)
actions.set_status(ticket, "resolved", actor=ada)
"""
PIN = """
fay = actions.person_for("fay@example.net", "Fay")
print(json.dumps({"pin": pins.issue_pin(fay, actor=ada)}))
"""
# What makes pages hard: every kind of field, wide tables, long words, long names, and one of each
# state.
HARD = """
from helpdesk.auth.resets import tokens
import re
from django.core import signing
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from helpdesk.outbound.compose import UNSUBSCRIBE_SALT
from helpdesk.outbound.links import ticket_link
from helpdesk.submissions import guest_ticket
from inbound.models import Mailbox
from inbound.secrets import decrypt
for kind in CustomField.Kind.values:
    CustomField.objects.create(slug=kind, label=f"A {kind}", kind=kind, choices="One" + " and more" * 20, is_required=kind == "number")
Category.objects.create(name="Water")
gus = Person.objects.get(email="gus@example.net")
for state in ("open", "pending", "resolved", "closed"):
    ticket, _ = actions.open_ticket(actions.NewTicket(requester=gus, mailbox=Mailbox.objects.get(), subject=f"{state} " + "Wort" * 30, via="portal",
                                    content=Content(text="Wort" * 60), actor=gus))
    if state != "open":
        table = "|" + " Column |" * 12 + "\\n|" + "---|" * 12 + "\\n|" + " Something |" * 12
        actions.reply(ticket, Content(text=table + "\\n\\n```\\n" + "code " * 60 + "\\n```"), actor=ada)
        actions.set_status(ticket, state, actor=ada)
    if state == "closed":
        actions.rate(ticket, 4, "Good", actor=gus)
guests = guest_ticket({"email": "gil@example.net", "name": "Gil", "title": "Wort" * 30, "description": "x",
                       "custom_fields": {"number": "1"}}, [], via="portal")
actions.verified("long." * 10 + "name@example.net", client="x")
with transaction.atomic():  # before it is sent, and wiped
    actions.ask_to_register("long." * 10 + "name@example.net", "a long phrase", name="", username="", client="x")
    sealed = OutboundMail.objects.get(kind="registration").sealed
token = f"{urlsafe_base64_encode(force_bytes(gus.pk))}/{tokens.make_token(gus)}"
pins.issue_pin(actions.person_for("hal@example.net", "Hal"), actor=ada)
print(json.dumps({
    "pin": pins.issue_pin(gus, actor=ada), "ended": f"/portal/link/{signing.dumps([ticket.pk, gus.pk, 7, str()], salt='ticket link')}/",
    "end_pin": f"/portal/pin/{signing.dumps(SupportPin.objects.get(person__email='hal@example.net').pk, salt=pins.END_SALT)}/", "link": ticket_link(ticket, gus), "password": f"/portal/password/{token}/",
    "registration": re.search("/portal/registration/[^/]+/", decrypt(sealed))[0], "guests": ticket_link(guests, guests.requester),
    "unsubscribe": f"/unsubscribe/{signing.dumps([ada.pk, 'digest'], salt=UNSUBSCRIBE_SALT)}/",
    "tickets": list(Ticket.objects.filter(requester=gus).values_list("pk", flat=True))}))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need("chromium")
    found = Served(tmp_path_factory.mktemp("portal"))
    found.start()
    yield found
    found.kill()


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Browser]:
    # Playwright runs a loop in this thread; the tests' own database is not asked from here.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def shell(served: Served, code: str) -> Any:
    """Runs it with ada and the models at hand; what it prints, read as JSON."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", IMPORTS + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(served.folder / "var"),
            "UNDO_SEND_SECONDS": "0",
            "HTTP_ADDR": f"127.0.0.1:{served.http}",
        },
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def found_in_mail(served: Served, address: str, pattern: str) -> str:
    """The pattern's group in the newest mail to that address that has it; waits for one."""

    def look() -> str:
        mails = [mail for mail in served.sent() if address in str(mail["To"])]
        found = [match[1] for mail in mails if (match := re.search(pattern, _text(mail)))]
        return found[-1] if found else ""

    return wait_for(look, 20, f"{pattern} in a mail to {address}")


def _text(mail: Message) -> str:
    plain = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
    return bytes(plain.get_payload(decode=True)).decode()


def test_a_guest_with_a_phone_and_no_scripts_asks_signs_in_answers_and_rates(
    served: Served, browser: Browser
) -> None:
    page = browser.new_page(java_script_enabled=False, viewport=PHONE)
    page.goto(served.url("/portal/new/"))
    page.get_by_label("Your name").fill("Dan")
    page.get_by_label("E-mail address").fill("dan@example.net")
    page.get_by_label("Subject").fill("It leaks")
    page.get_by_label("What is it about?").fill("Water, from below the sink.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()

    page.get_by_role("navigation").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill("dan@example.net")
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").fill(found_in_mail(served, "dan@example.net", r"\b(\d{6})\b"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="It leaks").click()
    expect(page.get_by_text("Water, from below the sink.")).to_be_visible()

    page.get_by_label("Your message").fill("Here is a picture.")
    page.get_by_label("Files").set_input_files(
        {"name": "sink.png", "mimeType": "image/png", "buffer": PNG}
    )
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Your message is with us.")).to_be_in_viewport()
    expect(page.get_by_text("Here is a picture.")).to_be_in_viewport()
    picture = page.request.get(
        served.url(str(page.get_by_role("link", name="sink.png").get_attribute("href")))
    )
    assert picture.body() == PNG

    shell(served, ANSWER)
    page.reload()
    expect(page.get_by_text("Turn the big tap.")).to_be_visible()
    assert page.get_by_text("Ada").count() == 0
    page.get_by_label("Very good").check()
    page.get_by_label("Anything to add?").fill("Dry again")
    page.get_by_role("button", name="Send the rating").click()
    expect(page.get_by_text("Thank you for telling us.")).to_be_visible()
    assert served.rows("select score, words from helpdesk_rating") == [(5, "Dry again")]
    ticket = page.url
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(ticket)
    assert "/portal/sign-in/" in page.url

    page.goto(found_in_mail(served, "dan@example.net", r"(?s)big.*?(http://\S+/portal/link/\S+)"))
    expect(page.get_by_text("Turn the big tap.")).to_be_visible()
    assert page.locator("textarea, [type=radio]").count() == 0


def test_a_pin_signs_in_with_nothing_but_a_keyboard(served: Served, browser: Browser) -> None:
    pin = shell(served, PIN)["pin"]
    page = browser.new_page()

    def tab_to(name: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            focus = page.locator(":focus")
            assert focus.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
            if focus.inner_text().strip() == name:
                return
        raise AssertionError(f"no tab stop {name!r}")

    page.goto(served.url("/portal/sign-in/"))
    tab_to("To the content")
    page.keyboard.press("Enter")
    tab_to("Sign in with a PIN")
    page.keyboard.press("Enter")
    expect(page.get_by_label("PIN")).to_be_focused()
    page.keyboard.type("AAAA-AAAA-AAAA")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This PIN is not right")
    expect(page.get_by_label("PIN")).to_be_focused()
    page.keyboard.type(pin)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My requests")).to_be_visible()
    tab_to("To the content")
    page.keyboard.press("Enter")
    tab_to("New request")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Subject")).to_be_visible()


def test_no_page_keeps_anybody_out_in_light_or_dark_nor_is_wider_than_a_phone(
    served: Served, browser: Browser
) -> None:
    html = (
        "<p>A <b>table</b></p><table width=1100><tr><td>Wide</td></tr></table>" + "<p>More</p>" * 40
    )
    served.send(eml("A table", sender="Gus <gus@example.net>", subject="Sent as HTML", html=html))
    wait_for(lambda: served.rows("select 1 from helpdesk_comment where html like '%table%'"), 20)
    hard = shell(served, HARD)
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    problems: list[str] = []

    def look(path: str, press: str = "", **fields: str) -> None:
        page.goto(path if path.startswith("http") else served.url(path))
        for name, value in fields.items():
            page.fill(f"[name={name}]", value)
        if press:
            with page.expect_navigation() as answered:
                page.click(f"main button:text-is('{press}')")
            if answered.value is None or answered.value.status >= 403:
                problems.append(f"{path} {press}: {answered.value and answered.value.status}")
        where = f"{path} {press}"
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            problems.append(f"{where}: wider than a phone")
        page.emulate_media(color_scheme="light")
        problems.extend(f"{where}: {problem}" for problem in _violations(page))
        page.emulate_media(color_scheme="dark")
        problems.extend(
            f"{where}, dark: {problem}" for problem in _violations(page, runOnly=["color-contrast"])
        )

    look("/portal/sign-in/")
    look("/portal/sign-in/", "Send me a code", email="nonsense")
    look("/portal/sign-in/", "Send me a code", email="somebody@example.net")
    look("/portal/sign-in/code/", "Sign in", code="000000")
    look("/portal/sign-in/pin/", "Sign in", pin="no")
    look("/portal/new/", "Send", title="x", email="nonsense")
    look("/portal/thanks/")
    look(hard["link"])
    look(hard["ended"])
    look("/portal/link/none/")
    look(hard["end_pin"])
    look(hard["end_pin"], "Yes, end it")
    look(hard["password"])
    look(page.url, "Set the password", new_password1="short", new_password2="short")
    look("/portal/password/MQ/none/")
    look(hard["registration"])
    look(hard["registration"], "Confirm", password="wrong")
    look("/portal/registration/none/")
    look(hard["guests"])
    look(hard["guests"], "Yes, this is my request")
    look(hard["unsubscribe"])
    look(hard["unsubscribe"], "Yes, stop it")
    look("/portal/nothing/")

    page.goto(served.url("/portal/sign-in/pin/"))
    page.fill("#pin", hard["pin"])
    page.keyboard.press("Enter")
    page.wait_for_url(served.url("/portal/"))
    look("/portal/")
    look("/portal/?page=1")
    for pk in hard["tickets"]:
        look(f"/portal/tickets/{pk}/")
    look(page.url, "End the links in mails to me")
    look(page.url, "Send", body="  ")
    look("/portal/new/", "Send", custom_number="1e99")
    look("/portal/me/", "Save")
    look("/portal/me/address/", "Send the codes", email="gustav@example.net")
    look("/portal/me/address/", "Save", confirmation="1", verification="2")
    context.close()
    assert problems == []


def _violations(page: Page, **options: Any) -> list[str]:
    """What keeps somebody out, and where."""
    return [
        f"{found['id']} at {[node['target'] for node in found['nodes']]}"
        for found in Axe()
        .run(page, options={"resultTypes": ["violations"], **options})
        .response["violations"]
        if found["impact"] in {"serious", "critical"}
    ]
