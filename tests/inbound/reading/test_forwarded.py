"""Mail that somebody hands on, as the mail programs of our customers write it, in four languages."""

import pytest

from inbound.reading.message import Envelope
from inbound.reading.reading import read
from tests.support.mail import eml

WORDS = "Guten Tag,\n\ndie Lampe ist kaputt: http://a.example/lamp\nBitte bis Freitag.\n\nDan Brown"
ADA = "ada@example.com"

# What stands above the original: by program and language.
HEADS = {
    "Gmail, en": "---------- Forwarded message ---------\nFrom: Dan Brown <dan@other.example>\nDate: Mon, 3 Mar 2025 at 10:11\nSubject: Lamp\nTo: Ada <ada@example.com>\n\n\n",
    "Gmail, de": "---------- Forwarded message ---------\nVon: Dan Brown <dan@other.example>\nDate: Mo., 3. März 2025 um 10:11 Uhr\nSubject: Lamp\nTo: Ada <ada@example.com>\n\n\n",
    "Gmail, fr": "---------- Forwarded message ---------\nDe : Dan Brown <dan@other.example>\nDate: lun. 3 mars 2025 à 10:11\nSubject: Lamp\nTo: Ada <ada@example.com>\n\n\n",
    "Gmail, es": "---------- Forwarded message ---------\nDe: Dan Brown <dan@other.example>\nDate: lun, 3 mar 2025 a las 10:11\nSubject: Lamp\nTo: Ada <ada@example.com>\n\n\n",
    "Outlook, en": "________________________________\nFrom: Dan Brown <dan@other.example>\nSent: Monday, March 3, 2025 10:11 AM\nTo: Ada <ada@example.com>\nCc: Eve <eve@other.example>\nSubject: Lamp\n\n",
    "Outlook, de": "-----Ursprüngliche Nachricht-----\nVon: Dan Brown <dan@other.example> \nGesendet: Montag, 3. März 2025 10:11\nAn: Ada <ada@example.com>\nCc: Eve <eve@other.example>\nBetreff: Lamp\nWichtigkeit: Hoch\n\n",
    "Outlook, fr": "________________________________\nDe : Dan Brown <dan@other.example>\nEnvoyé : lundi 3 mars 2025 10:11\nÀ : Ada <ada@example.com>\nObjet : Lamp\n\n",
    "Outlook, es": "________________________________\nDe: Dan Brown <dan@other.example>\nEnviado: lunes, 3 de marzo de 2025 10:11\nPara: Ada <ada@example.com>\nAsunto: Lamp\n\n",
    "Outlook, old": "\n  _____  \n\nVon: Dan Brown [mailto:dan@other.example] \nGesendet: Montag, 3. März 2025 10:11\nAn: Ada\nBetreff: Lamp\n\n",
    "Outlook, bold": "*From:* Dan Brown <dan@other.example>\n*Sent:* Monday, March 3, 2025 10:11 AM\n*To:* Ada <ada@example.com>\n*Subject:* Lamp\n\n",
    "Apple Mail, en": "Begin forwarded message:\n\nFrom: Dan Brown <dan@other.example>\nSubject: Lamp\nDate: 3 March 2025 at 10:11:12 CET\nTo: Ada <ada@example.com>\n\n",
    "Apple Mail, de": "Anfang der weitergeleiteten Nachricht:\n\nVon: Dan Brown <dan@other.example>\nBetreff: Lamp\nDatum: 3. März 2025 um 10:11:12 MEZ\nAn: Ada <ada@example.com>\n\n",
    "Apple Mail, fr": "Début du message transféré :\n\nDe: Dan Brown <dan@other.example>\nObjet: Lamp\nDate: 3 mars 2025 à 10:11:12 UTC+1\nÀ: Ada <ada@example.com>\n\n",
    "Apple Mail, es": "Inicio del mensaje reenviado:\n\nDe: Dan Brown <dan@other.example>\nAsunto: Lamp\nFecha: 3 de marzo de 2025, 10:11:12 CET\nPara: Ada <ada@example.com>\n\n",
    "Apple Mail, quoted": "Begin forwarded message:\n\n> From: Dan Brown <dan@other.example>\n> Subject: Lamp\n> Date: 3 March 2025 at 10:11:12 CET\n> To: Ada <ada@example.com>\n> \n",
    "Thunderbird, en": "-------- Forwarded Message --------\nSubject: \tLamp\nDate: \tMon, 3 Mar 2025 10:11:12 +0100\nFrom: \tDan Brown <dan@other.example>\nTo: \tAda <ada@example.com>\n\n\n\n",
    "Thunderbird, de": "-------- Weitergeleitete Nachricht --------\nBetreff: \tLamp\nDatum: \tMon, 3 Mar 2025 10:11:12 +0100\nVon: \tDan Brown <dan@other.example>\nAn: \tAda <ada@example.com>\n\n\n\n",
    "Thunderbird, fr": "-------- Message transféré --------\nSujet : \tLamp\nDate : \tMon, 3 Mar 2025 10:11:12 +0100\nDe : \tDan Brown <dan@other.example>\nPour : \tAda <ada@example.com>\n\n\n\n",
    "Thunderbird, es": "-------- Mensaje reenviado --------\nAsunto: \tLamp\nFecha: \tMon, 3 Mar 2025 10:11:12 +0100\nDe: \tDan Brown <dan@other.example>\nPara: \tAda <ada@example.com>\n\n\n\n",
}


def found(raw: bytes):  # type: ignore[no-untyped-def]
    return read(raw, Envelope(ADA, ("support@example.com",)), {"support@example.com"}).forwarded


@pytest.mark.parametrize(
    "subject", ["Fwd: Lamp", "WG: Lamp", "TR: Lamp", "RV: Lamp", "FW: Fwd: Lamp"]
)
@pytest.mark.parametrize("program", HEADS)
def test_the_original_is_found_whole_and_what_was_written_above_it(
    program: str, subject: str
) -> None:
    words = "".join(f"> {line}\n" for line in WORDS.split("\n")) if "quoted" in program else WORDS
    original = found(
        eml(
            f"Kannst du das übernehmen?\nAda\n\n{HEADS[program]}{words}",
            sender=ADA,
            subject=subject,
        )
    )
    assert original is not None
    assert (original.sender.address, original.sender.name) == ("dan@other.example", "Dan Brown")
    assert original.subject == "Lamp"
    assert original.text.split() == WORDS.split()
    assert original.note == "Kannst du das übernehmen?\nAda"


@pytest.mark.parametrize("program", HEADS)
def test_nothing_need_stand_above_it(program: str) -> None:
    original = found(eml(HEADS[program] + "Hi", sender=ADA, subject="Fwd: Lamp"))
    assert (original.sender.address, original.note) == ("dan@other.example", "")


def test_an_outlook_page_without_a_text_part() -> None:
    page = (
        '<div><p class=MsoNormal>Please take this.</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p class=MsoNormal>'
        '<b>From:</b> Dan Brown &lt;<a href="mailto:dan@other.example">dan@other.example</a>&gt; <br><b>Sent:</b> Monday, March 3, '
        "2025 10:11 AM<br><b>To:</b> Ada &lt;ada@example.com&gt;<br><b>Subject:</b> Lamp</p></div><p class=MsoNormal>the lamp is "
        "broken</p></div>"
    )
    raw = (
        b"From: ada@example.com\nTo: support@example.com\nSubject: FW: Lamp\nContent-Type: text/html\n\n"
        + page.encode()
    )
    original = found(raw)
    assert (original.sender.address, original.subject, original.text) == (
        "dan@other.example",
        "Lamp",
        "the lamp is broken",
    )
    assert original.note == "Please take this."


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Lamp", HEADS["Outlook, en"] + "Hi"),  # an answer has such a block, too
        ("Re: Lamp", HEADS["Outlook, en"] + "Hi"),
        ("Fwd: Lamp", "Have a look at the lamp."),
        ("Fwd: Lamp", "From: the lamp\nTo: the door\n\nit is dark"),
        ("Fwd: Lamp", "From: somebody\nSent: Monday\nTo: Ada\nSubject: Lamp\n\nno address"),
        ("Fwd: Lamp", ""),
    ],
)
def test_what_is_no_forward_or_names_nobody_is_left_as_it_is(subject: str, text: str) -> None:
    assert found(eml(text, sender=ADA, subject=subject)) is None
