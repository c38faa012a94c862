"""An agent answers from their own mail program: the customer gets their words, and nothing of our
mail to them."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from typing import NamedTuple

import pytest

from helpdesk import actions
from helpdesk.models import Comment, OutboundMail, Person, Ticket
from inbound.addresses import reply_address
from inbound.models import InboundMail
from tests.support.mail import SUPPORT, agent, eml, receive, ticket_of
from tests.support.zone import Zone, only

pytestmark = pytest.mark.django_db

ADAS = {"client": "199.7.91.77 (mx.example.com)", "mail_from": "ada@example.com"}


class World(NamedTuple):
    ticket: Ticket
    ada: Person
    notice: OutboundMail  # our mail that she answers

    @property
    def token(self) -> str:
        return reply_address(SUPPORT, self.ticket.pk, self.ada.pk)


@pytest.fixture
def world() -> Iterator[World]:
    with only(
        Zone()
        .txt("example.com", "v=spf1 ip4:199.7.91.77 -all")
        .txt("_dmarc.example.com", "v=DMARC1; p=reject")
    ):
        first = eml(
            "Where is my parcel?\n\nCleo",
            subject="Parcel",
            message_id="first@x",
            sender="Cleo Kern <cleo@example.net>",
        )
        ticket = ticket_of(receive(first))
        ada = agent()
        actions.assign(ticket, ada, actor=agent("Bea"))
        ticket.refresh_from_db()
        yield World(ticket, ada, OutboundMail.objects.get(kind="assigned"))


def answers(
    world: World, text: str, html: str = "", number: int = 1, **headers: str
) -> InboundMail:
    raw = eml(
        text,
        html=html,
        sender="Ada <ada@example.com>",
        message_id=f"{number}@ada",
        in_reply_to=f"<{world.notice.message_id}>",
        **headers,
    )
    return receive(raw, rcpt=world.token, **ADAS)


def mail_to_customer() -> OutboundMail:
    return OutboundMail.objects.get(kind="reply", to_address="cleo@example.net")


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))


ANSWER = "It is on its way.\nIt comes on Friday."
PAGE = "<div>It is on its way.<br>It comes on Friday.</div>"
SIGNATURE = "-- \nAda Lindqvist\nExample Ltd"
DISCLAIMER = "This message is confidential. If you are not the intended recipient, delete it."


def programs(world: World) -> dict[str, tuple[str, str]]:
    """The text and the HTML half as mail programs write them."""
    notice, page = world.notice.text, re.sub(r"(?s).*<body[^>]*>|</body>.*", "", world.notice.html)
    wrote = f"On Mon, 3 Mar 2025 at 10:11, Support <{world.token}> wrote:"
    german = f"Am 03.03.25 um 10:11 schrieb Support <{world.token}>:"
    block = f"Von: Support <{world.token}>\nGesendet: Montag, 3. März 2025 10:11\nAn: Ada\nBetreff: Assigned to you: Parcel"
    lines = (
        block.replace("\n", "<br>").replace("<support", "&lt;support").replace("com>", "com&gt;")
    )
    cite = f'<blockquote type="cite">{page}</blockquote>'
    return {
        "above, text": (f"{ANSWER}\n\n{wrote}\n{quoted(notice)}", ""),
        "Gmail": (
            f"{ANSWER}\n\n{wrote}\n\n{quoted(notice)}\n",
            f'<div dir="ltr">{PAGE}</div><br><div class="gmail_quote"><div class="gmail_attr">{wrote}</div><blockquote class="gmail_quote">{page}</blockquote></div>',
        ),
        "Gmail, signature below": (
            f"{ANSWER}\n\n{wrote}\n\n{quoted(notice)}\n\n{SIGNATURE}",
            f'<div dir="ltr">{PAGE}<br><div class="gmail_quote"><div class="gmail_attr">{wrote}</div><blockquote class="gmail_quote">{page}</blockquote></div><span>-- </span><div>Ada Lindqvist<br>Example Ltd</div></div>',
        ),
        "Gmail, a gateway's disclaimer": (
            f"{ANSWER}\n\n{wrote}\n\n{quoted(notice)}\n\n{DISCLAIMER}",
            f'<div>{PAGE}<div class="gmail_quote">{wrote}<blockquote>{page}</blockquote></div></div><p>{DISCLAIMER}</p>',
        ),
        "Apple Mail, signature below": (
            f"{ANSWER}\n\n{wrote}\n\n{quoted(notice)}\n\nAda Lindqvist\nExample Ltd",
            f"{PAGE}<div>{wrote}</div>{cite}<div>Ada Lindqvist</div>",
        ),
        "Thunderbird, below": (
            f"{german}\n{quoted(notice)}\n\n{ANSWER}\n",
            f'<div class="moz-cite-prefix">{german}</div>{cite}<p>It is on its way.<br>It comes on Friday.</p>',
        ),
        "Thunderbird, below, with a signature": (
            f"{german}\n{quoted(notice)}\n\n{ANSWER}\n\n{SIGNATURE}",
            f'<div class="moz-cite-prefix">{german}</div>{cite}{PAGE}<pre class="moz-signature">{SIGNATURE}</pre>',
        ),
        "between the lines": (
            f"{german}\n" + quoted(notice).replace("\n", f"\n\n{ANSWER}\n\n", 1),
            "",
        ),
        "Outlook": (
            f"{ANSWER}\n\n{block}\n\n{notice}",
            f'{PAGE}<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>{lines}</b></p></div>{page}',
        ),
        "Outlook Web, another line": (
            f"{ANSWER}\n\n________________________________\n{block}\n\n{notice}",
            f'{PAGE}<hr style="width:98%"><div style="border-top:1pt solid rgb(225,225,225)"><p>{lines}</p></div><div>{page}</div>',
        ),
        "Outlook, a gateway's disclaimer": (
            f"{ANSWER}\n\n{block}\n\n{notice}\n\n{DISCLAIMER}",
            f"{PAGE}<div>{lines}</div>{page}<p>{DISCLAIMER}</p>",
        ),
        "Outlook, old": (
            f"{ANSWER}\n\n-----Ursprüngliche Nachricht-----\n{block}\n\n{notice}",
            f"{PAGE}<p>-----Ursprüngliche Nachricht-----<br>{lines}</p>{page}",
        ),
        "Samsung": (
            f"{ANSWER}\n\n-------- Original message --------\nFrom: Support <{world.token}>\nDate: 03/03/2025 10:11\nTo: Ada\nSubject: Parcel\n\n{notice}",
            f"{PAGE}<div>-------- Original message --------</div><div>From: Support</div><div>Date: 03/03/2025</div>{page}",
        ),
        "Notes": (
            f"{ANSWER}\n\nVon:    Support <{world.token}>\nAn:     Ada\nDatum:  03.03.2025\nBetreff: Parcel\n\n{notice}",
            f"{PAGE}<table><tr><td>Von:</td><td>Support</td></tr></table>{page}",
        ),
        "wrapped anew": (
            f"{ANSWER}\n\n{wrote}\n"
            + "\n".join(
                f"> {part}" for part in re.findall(r".{1,30}(?:\s|$)", " ".join(notice.split()))
            ),
            "",
        ),
        "HTML alone": ("", f"{PAGE}<div>{wrote}</div>{cite}"),
    }


@pytest.mark.parametrize(
    "program",
    [
        "above, text",
        "Gmail",
        "Gmail, signature below",
        "Gmail, a gateway's disclaimer",
        "Apple Mail, signature below",
        "Thunderbird, below",
        "Thunderbird, below, with a signature",
        "between the lines",
        "Outlook",
        "Outlook Web, another line",
        "Outlook, a gateway's disclaimer",
        "Outlook, old",
        "Samsung",
        "Notes",
        "wrapped anew",
        "HTML alone",
    ],
)
def test_the_customer_gets_the_answer_and_nothing_of_our_mail_to_the_agent(
    world: World, program: str
) -> None:
    text, html = programs(world)[program]
    row = answers(world, text, html)
    assert row.reason == "answer", row.evidence
    sent = mail_to_customer()
    for half in (sent.text, sent.html):
        ours = half.partition("Where is my parcel")[
            0
        ]  # below, our own quotation of what Cleo wrote
        plain = " ".join(re.sub(r"<[^>]*>", " ", ours).split())
        assert "It is on its way." in plain
        assert "It comes on Friday." in plain
        for inside in (
            "assigned",
            "admin/tickets",
            "goes to the customer",
            world.token.split("@")[0],
            "schrieb",
            "Support wrote",
            "Support <",
            "Gesendet:",
            "Original",
        ):
            assert inside not in plain, inside
    comment = Comment.objects.get(mail=row)
    assert "Example Ltd" not in comment.html or "Example Ltd" in comment.text


def test_what_cannot_be_cut_off_is_held_and_the_agent_is_told_why(world: World) -> None:
    # Below our mail, which nothing marks as a quotation.
    row = answers(world, f"{world.notice.text}\n\n{ANSWER}")
    assert row.reason == "hold"
    assert Comment.objects.get(mail=row).visibility == "held"
    told = OutboundMail.objects.get(kind="in_your_name")
    assert "could not be cut off" in told.text
    assert "nothing proves" not in told.text
    assert not OutboundMail.objects.filter(kind="reply").exists()


def test_what_is_too_long_for_a_comment_is_held_for_its_file_holds_all_of_it(world: World) -> None:
    row = answers(
        world,
        f"{ANSWER}\n\nOn Mon, 3 Mar 2025 Support wrote:\n{quoted(world.notice.text)}\n{'> more' * 50_000}",
    )
    assert row.reason == "hold"
    assert not OutboundMail.objects.filter(kind="reply").exists()


def test_what_is_formatted_stays_so_where_the_page_says_the_same(world: World) -> None:
    html = '<div dir="ltr">It is on its way.<br>It comes on <b>Friday</b>.</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon, 3 Mar 2025 Support &lt;a@example.com&gt; wrote:</div><blockquote class="gmail_quote">Bea assigned ticket</blockquote></div>'
    answers(
        world, f"{ANSWER}\n\nOn Mon, 3 Mar 2025 at 10:11, Support <a@example.com> wrote:\n> x", html
    )
    assert "<b>Friday</b>" in mail_to_customer().html


def test_a_mail_is_not_markdown(world: World) -> None:
    text = "Open \\\\server\\share\\tools, then __init__ and a*b*c.\n# 12 is done ~~no~~"
    row = answers(world, text)
    sent = mail_to_customer()
    assert text in sent.text
    assert "\\\\server\\share\\tools, then __init__ and a*b*c." in sent.html
    assert Comment.objects.get(mail=row).html == ""


@pytest.mark.parametrize(
    "mark",
    [
        "note: ",
        "NOTE:",
        "Note : ",
        "„note:“ ",
        "“note:” ",
        '"note:" ',
        "«note:» ",
        "« note : » ",
        "*note:* ",
        "**Note:** ",
        "\u200bnote: ",
        "note：",
        "Notiz: ",
        "nota: ",
        "Hi Bea,\n\nnote: ",
        "Hallo zusammen,\nNotiz: ",
        "Internal note: ",
        "[note]: ",
    ],
)
@pytest.mark.parametrize("where", ["above", "below"])
def test_however_it_is_marked_a_note_stays_inside(world: World, mark: str, where: str) -> None:
    said = f"{mark}he never pays"
    quotation = (
        f"On Mon, 3 Mar 2025 at 10:11, Support <{world.token}> wrote:\n{quoted(world.notice.text)}"
    )
    row = answers(world, f"{said}\n\n{quotation}" if where == "above" else f"{quotation}\n\n{said}")
    comment = Comment.objects.get(mail=row)
    assert (row.reason, comment.visibility) == ("note", "internal")
    assert comment.text.endswith("he never pays")
    assert "note" not in comment.text.lower()
    assert not OutboundMail.objects.filter(kind="reply").exists()


@pytest.mark.parametrize(
    "text",
    [
        "Please note: we close at five.",
        "A notebook: yes, we have it.",
        "Dear Cleo,\nplease note: we close.",
    ],
)
def test_an_answer_that_speaks_of_notes_is_an_answer(world: World, text: str) -> None:
    assert answers(world, text).reason == "answer"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"auto_submitted": "auto-replied"}, "looks like a machine's"),
        ({"precedence": "bulk"}, "looks like a machine's"),
        ({"list_id": "<x.example.com>"}, "looks like a machine's"),
    ],
)
def test_a_proven_mail_that_is_no_answer_says_why_it_is_held(
    world: World, headers: dict[str, str], why: str
) -> None:
    row = answers(world, ANSWER, **headers)
    assert row.reason == "hold"
    assert why in Comment.objects.get(mail=row).held_reason


def test_an_agent_hears_why_their_proven_mail_has_not_gone_out(world: World) -> None:
    actions.set_status(world.ticket, "closed", actor=world.ada)
    answers(world, ANSWER)
    told = OutboundMail.objects.get(kind="in_your_name")
    assert "closed ticket" in told.text
    assert "nothing proves" not in told.text
    assert "closed ticket" in told.html


def test_what_is_attached_to_the_mail_that_an_agent_forwards_speaks_for_nobody(
    world: World,
) -> None:
    inner = message_from_bytes(
        eml("We cancel the contract.", sender="Cleo <cleo@example.net>", message_id="inner@x")
    )
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"], outer["Message-ID"] = (
        "ada@example.com",
        SUPPORT,
        "Fwd: a question",
        "<fw@ada>",
    )
    outer.set_content(
        "Please look.\n\n---------- Forwarded message ---------\nFrom: Mallory <mallory@evil.example>\nDate: Mon, 1 Jan 2024 at 10:00\n"
        "Subject: a question\nTo: Ada <ada@example.com>\n\nSee the attachment.\n"
    )
    outer.add_attachment(inner)
    assert ticket_of(receive(outer.as_bytes(), **ADAS)).requester.email == "mallory@evil.example"
