"""What each provider needs before its posts can be taken; docs/PROVIDERS.md has the steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Provider:
    """`path` is that of its mail below /anymail/; `needs` are the variables without which nothing
    of it can be taken, and `note` says what they are for, or what else is to be done."""

    name: str
    path: str
    needs: tuple[str, ...] = ()
    note: str = ""


PROVIDERS = (
    Provider(
        "Amazon SES",
        "amazon_ses/inbound/",
        (),
        "mail over 150 KB comes by S3, with AWS credentials that may read the bucket",
    ),
    Provider(
        "Brevo",
        "brevo/inbound/",
        ("ANYMAIL_BREVO_API_KEY",),
        "files are fetched from Brevo with it",
    ),
    Provider(
        "MailerSend",
        "mailersend/inbound/",
        ("ANYMAIL_MAILERSEND_INBOUND_SECRET",),
        "it signs its posts",
    ),
    Provider(
        "Mailgun",
        "mailgun/inbound_mime/",
        ("ANYMAIL_MAILGUN_WEBHOOK_SIGNING_KEY",),
        "it signs its posts",
    ),
    Provider(
        "Mailjet",
        "mailjet/inbound/",
        (),
        "it has no raw mail: mail is put together from its parts, and DKIM cannot be checked",
    ),
    Provider(
        "Mailtrap",
        "mailtrap/inbound/",
        ("ANYMAIL_MAILTRAP_API_TOKEN",),
        "mail is fetched from Mailtrap with it",
    ),
    Provider(
        "Mandrill",
        "mandrill/",
        ("ANYMAIL_MANDRILL_WEBHOOK_KEY",),
        "it signs its posts and the URL: mail and events come to this one",
    ),
    Provider("Postal", "postal/inbound/", ("ANYMAIL_POSTAL_WEBHOOK_KEY",), "it signs its posts"),
    Provider(
        "Postmark", "postmark/inbound/", (), "tick “Include raw email content in JSON payload”"
    ),
    Provider(
        "Resend",
        "resend/inbound/",
        ("ANYMAIL_RESEND_API_KEY",),
        "mail is fetched from Resend with it",
    ),
    Provider("SendGrid", "sendgrid/inbound/", (), "tick “POST the raw, full MIME message”"),
    Provider("SparkPost", "sparkpost/inbound/", (), "by a relay webhook"),
)


def lines() -> Iterator[tuple[str, str, str]]:
    """(provider, the URL to give it, what is still to be done); the URL never holds the password
    itself."""
    parts = urlsplit(settings.PUBLIC_URL)
    for provider in PROVIDERS:
        missing = [
            name
            for name in provider.needs
            if not settings.ANYMAIL.get(name.removeprefix("ANYMAIL_"))
        ]
        todo = f"set {' and '.join(missing)}: {provider.note}" if missing else provider.note
        yield (
            provider.name,
            f"{parts.scheme}://USER:PASSWORD@{parts.netloc}/anymail/{provider.path}",
            todo,
        )
