"""What a provider's error says of the recipient or of the mail: a table with the source of each
row."""

from dataclasses import dataclass

from helpdesk.outbound.whose_fault import Whose


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """What a provider's error says of the recipient or of the mail. Everything else it says is
    about us."""

    whose: Whose
    esp: str  # as anymail calls it
    said: str  # in its answer, as text
    source: str


TO = r"""["'`\[]?\bto\b["'`\]]?"""
PROVIDERS: tuple[ProviderRow, ...] = (
    ProviderRow(
        Whose.ADDRESS,
        "Amazon SES",
        r"Local address contains control or whitespace|Missing final '@domain'|"
        r"Domain contains (?:illegal character|dot-dot|control or whitespace)"
        r"|Missing start of address",
        "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
    ),
    ProviderRow(
        Whose.MAIL,
        "Amazon SES",
        r"Message length is more than|\(MessageRejected\)(?!.*not verified)",
        "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "Brevo",
        rf'"code": *"invalid_parameter".*(?:valid in {TO}|{TO} is (?:missing|not valid|invalid))',
        "https://github.com/getbrevo/brevo-node/issues/40",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "MailerSend",
        r'"to\.\d+\.email"',
        "https://developers.mailersend.com/general.html#validation-errors",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "Mailgun",
        r"['\"]?\bto\b['\"]? parameter is not a valid address",
        "https://github.com/mailgun/mailgun-js-boland/issues/199",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "Mailjet",
        r'mj-0013.*"To\[\d+\]|"To\[\d+\].*mj-0013',
        "https://dev.mailjet.com/email/guides/send-api-v31/#send-api-errors",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "Postmark",
        r'"ErrorCode": *406\b|"ErrorCode": *300\b.*(?:\'To\'|`To`|recipient)',
        "https://postmarkapp.com/developer/api/overview#error-codes",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "Resend",
        rf"Invalid {TO} field",
        "https://github.com/resend/resend-python/issues/65",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "SendGrid",
        r'"field": *"personalizations\.\d+\.to',
        "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors",
    ),
    ProviderRow(
        Whose.ADDRESS,
        "SparkPost",
        r'"code": *"5002"',
        "https://github.com/SparkPost/python-sparkpost/issues/223",
    ),
)
