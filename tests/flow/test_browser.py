"""An agent at nine in the morning: a real browser, the real server, and a mail server at the other
end."""

import os
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.flow.test_serve import Served
from tests.support.mail import eml
from tests.support.services import SmtpSink, need, smtp_sink, wait_for

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with smtp_sink() as found:
        yield found


@pytest.fixture
def served(tmp_path: Path, sink: SmtpSink) -> Iterator[Served]:
    found = Served(tmp_path, EMAIL_URL=sink.url)
    found.start()
    yield found
    found.kill()


@pytest.fixture
def page(served: Served) -> Iterator[Page]:
    chromium = need("chromium")
    # Playwright runs a loop in this thread; the tests' own database is not asked from here.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        opened = browser.new_page()
        opened.goto(served.url("/admin/"))
        opened.fill("[name=username]", "admin@example.com")
        opened.fill("[name=password]", "correct horse battery")
        opened.click("button[type=submit]")
        yield opened
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def test_an_agents_answer_from_the_browser_reaches_the_customer_and_threads(
    served: Served, sink: SmtpSink, page: Page
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    html = "<p>It <b>burns</b></p><script>document.title='hacked'</script>"
    served.send(
        eml("It burns", subject="Printer on fire", message_id="first@example.net", html=html)
    )
    wait_for(lambda: len(sink.mails) == 1, 5)
    page.goto(served.url("/admin/tickets/"))
    page.click("text=Printer on fire")
    assert "burns" in page.frame_locator("iframe.hd-mail").locator("b").inner_text()
    assert "hacked" not in page.title()
    page.fill("#body", "Have you tried water?")
    page.select_option("[name=then]", "resolved")
    page.click("button:has-text('Send')")
    page.wait_for_selector("text=Have you tried water?")
    wait_for(lambda: len(sink.mails) == 2, 5)
    envelope, raw = sink.mails[1]
    reply = message_from_bytes(raw, policy=default)
    assert reply["In-Reply-To"] == "<first@example.net>"
    assert "<first@example.net>" in reply["References"]
    assert reply["To"] == "Cleo <cleo@example.net>"
    assert reply["Subject"] == "Re: Printer on fire"
    assert re.fullmatch(r"support\+b[a-z2-7]+@example\.com", str(envelope.mail_from))
    answer_to = re.search(r"<(.+)>", reply["Reply-To"])
    assert answer_to is not None
    served.send(eml("No!", message_id="second@example.net"), rcpt=answer_to[1])
    wait_for(lambda: served.rows("select status from helpdesk_ticket") == [("assigned",)], 5)
    assert problems == []


def test_an_attachment_opens_in_the_browser_and_the_sidebar_leads_to_the_queues(
    served: Served, page: Page
) -> None:
    raw = (
        b"From: cleo@example.net\nSubject: With a file\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
        b"Content-Type: text/plain\n\nhi\n--o\nContent-Type: application/pdf\n"
        b"Content-Disposition: attachment; filename=plan.pdf\n\nPDF\n--o--\n"
    )
    served.send(raw)
    wait_for(lambda: served.rows("select count(*) from helpdesk_attachment") == [(1,)], 5)
    page.goto(served.url("/admin/tickets/"))
    page.click("text=With a file")
    with page.expect_download() as download:
        page.click("text=plan.pdf")
    assert Path(download.value.path()).read_bytes().strip() == b"PDF"
    assert page.locator("a[href='/admin/tickets/?queue=mine']").count() > 0


def test_a_mails_frame_is_nobodys_page_as_high_as_the_mail_and_its_links_open_elsewhere(
    served: Served, page: Page
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    lines = "".join(f"<p>Line {number}</p>" for number in range(80))
    html = f'<p><a href="{served.url("/api/docs/")}">Read this</a> <img src="cid:p@x" alt="dot"></p>{lines}'
    served.send(
        b"From: Cleo <cleo@example.net>\nSubject: A picture\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=o\n\n"
        b"--o\nContent-Type: text/html\n\n"
        + html.encode()
        + b"\n--o\nContent-Type: image/gif\nContent-ID: <p@x>\n"
        b"Content-Transfer-Encoding: base64\n\nR0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==\n--o--\n"
    )
    wait_for(lambda: served.rows("select count(*) from helpdesk_attachment") == [(1,)], 5)
    page.goto(served.url("/admin/tickets/"))
    page.click("text=A picture")
    mail = page.frame_locator("iframe.hd-mail")
    assert (
        mail.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    )
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            "[...document.querySelectorAll('iframe.hd-mail')].every(frame => frame.offsetHeight > 1500)"
        )
        height = page.locator("iframe.hd-mail").evaluate("frame => frame.offsetHeight")
        assert abs(height - mail.locator("html").evaluate("root => root.offsetHeight")) <= 2
    assert mail.locator("html").evaluate("() => self.origin") == "null"
    assert page.evaluate("document.querySelector('iframe.hd-mail').contentDocument") is None
    assert (
        mail.locator("html").evaluate(
            "() => { try { return parent.document.title } catch { return 'denied' } }"
        )
        == "denied"
    )
    with page.expect_popup() as opened:
        mail.locator("text=Read this").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("[opener, self.origin]") == [None, served.url("")]
    assert problems == []


def test_the_menu_the_colours_and_the_search_work_on_our_own_pages_and_nothing_is_against_the_policy(
    served: Served, page: Page
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None,
    )
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(served.url("/admin/tickets/"))
    page.click(".hd-user summary")
    page.click("[data-theme=dark]")
    assert page.evaluate("document.documentElement.className") == "dark"
    page.goto(served.url("/admin/helpdesk/team/"))  # unfold's own remembers the same
    page.wait_for_selector("html.dark")
    page.goto(served.url("/admin/tickets/"))
    page.click("[data-fold]")
    page.reload()
    assert not page.is_visible(".hd-nav")
    page.keyboard.press("Control+k")
    page.keyboard.type("smoke")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/tickets/?q=smoke")
    page.set_viewport_size({"width": 390, "height": 844})
    page.click(".hd-nav-open")
    page.click(".hd-nav >> text=Held")
    page.wait_for_url("**/admin/tickets/?queue=held")
    assert problems == []
