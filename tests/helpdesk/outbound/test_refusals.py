"""Whose fault it is that a mail was not taken, for what mail servers and providers really answer."""

import json
import smtplib
from typing import Any

import pytest
import requests
from anymail.exceptions import AnymailAPIError, AnymailRequestsAPIError
from botocore.exceptions import ClientError, NoCredentialsError

from helpdesk.outbound import delivery, server_connections
from helpdesk.outbound.refusals import of_reply
from helpdesk.outbound.server_replies import DATA, MAIL_FROM, RCPT_TO
from helpdesk.outbound.whose_fault import Whose

ADDRESS, MAIL, PASSES, POLICY, SERVER = (
    Whose.ADDRESS,
    Whose.MAIL,
    Whose.PASSES,
    Whose.POLICY,
    Whose.SERVER,
)
UNCLEAR = Whose.UNCLEAR


@pytest.mark.parametrize(
    ("stage", "reply", "whose"),
    [
        # The relay, or the client's standing with it.
        (RCPT_TO, "554 5.7.1 <a@b.c>: Relay access denied", POLICY),  # Postfix
        (RCPT_TO, "454 4.7.1 <a@b.c>: Relay access denied", POLICY),
        (RCPT_TO, "550 relay not permitted", POLICY),  # Exim
        (RCPT_TO, "550 Relaying denied", POLICY),
        (RCPT_TO, "550 5.7.1 Unable to relay", POLICY),  # Exchange
        (RCPT_TO, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", POLICY),
        (
            RCPT_TO,
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            POLICY,
        ),  # qmail
        (RCPT_TO, "550 Delivery is not allowed to this address.", POLICY),  # hMailServer
        (RCPT_TO, "550 5.1.1 we do not relay", POLICY),
        (RCPT_TO, "513 Relaying denied.", POLICY),  # Courier
        (
            RCPT_TO,
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
            POLICY,
        ),
        (
            RCPT_TO,
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]",
            POLICY,
        ),  # Exchange Online
        (RCPT_TO, "571 Email from 192.0.2.1 is currently blocked", POLICY),
        (RCPT_TO, "550 Administrative prohibition", POLICY),
        (RCPT_TO, "550 Sender verify failed", POLICY),
        (
            RCPT_TO,
            "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation",
            POLICY,
        ),
        (DATA, "554 5.7.1 Message rejected as spam", POLICY),
        (
            DATA,
            "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n5.7.26",
            POLICY,
        ),  # Gmail
        (
            DATA,
            "550 5.7.509 Access denied, sending domain does not pass DMARC verification",
            POLICY,
        ),
        (DATA, "550 Message contains spam", POLICY),
        (RCPT_TO, "550 5.1.8 Sender address rejected: Domain not found", POLICY),
        (DATA, "550 5.4.5 Daily user sending limit exceeded", POLICY),  # Gmail
        (
            DATA,
            "550 5.1.90 Your message can't be sent because you've reached your daily limit",
            POLICY,
        ),
        (MAIL_FROM, "553 5.7.1 <s@e.c>: Sender address rejected: not owned by user x", POLICY),
        (MAIL_FROM, "550 not you", POLICY),
        (MAIL_FROM, "501 5.1.7 Bad sender address syntax", POLICY),
        (
            DATA,
            "554 5.2.252 SendAsDenied; s@e.c not allowed to send as s@e.c",
            POLICY,
        ),  # Exchange Online
        (DATA, "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException", POLICY),
        (RCPT_TO, "550 5.1.0 Sender address rejected", POLICY),
        (
            DATA,
            "554 Message rejected: Email address is not verified. The following identities failed",
            POLICY,
        ),  # SES
        (DATA, "554 Access denied: User is not authorized to perform ses:SendRawEmail", POLICY),
        (
            DATA,
            "550 The from address does not match a verified Sender Identity",
            POLICY,
        ),  # SendGrid
        (DATA, "550 Sandbox subdomains are for test purposes only", POLICY),  # Mailgun
        (DATA, "554 Transaction failed Reject due to policy restrictions.", POLICY),  # GMX
        (RCPT_TO, "554 5.7.9 Message not accepted for policy reasons", POLICY),  # Yahoo
        (RCPT_TO, "550 5.0.0 Access denied", POLICY),  # Sendmail
        (
            RCPT_TO,
            "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.",
            POLICY,
        ),  # IronPort
        (RCPT_TO, "525 5.7.1 Unauthorized IP address", SERVER),  # Brevo
        (RCPT_TO, "454 Throttling failure: Maximum sending rate exceeded.", SERVER),  # Amazon SES
        # The server itself, or how we talk to it.
        (RCPT_TO, "530 5.7.0 Must issue a STARTTLS command first", SERVER),
        (MAIL_FROM, "530-5.5.1 Authentication Required", SERVER),
        (RCPT_TO, "535 5.7.8 Bad username or password", SERVER),
        (RCPT_TO, "503 5.5.1 RCPT first", SERVER),
        (RCPT_TO, "503 This mail server requires authentication", SERVER),
        (RCPT_TO, "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname", SERVER),
        (RCPT_TO, "555 5.5.4 Unsupported option: RET=HDRS", SERVER),
        (RCPT_TO, "421 4.3.2 Service shutting down", SERVER),
        (DATA, "421 Too many messages", SERVER),
        (RCPT_TO, "521 example.com does not accept mail", SERVER),
        (RCPT_TO, "454 4.7.0 TLS not available due to local problem", SERVER),
        (MAIL_FROM, "452 4.3.1 Insufficient system storage", SERVER),
        (RCPT_TO, "451 4.3.0 Temporary lookup failure", SERVER),
        (RCPT_TO, "554 5.3.5 System incorrectly configured", SERVER),
        (RCPT_TO, "502 Command not implemented", SERVER),
        # This hour.
        (RCPT_TO, "450 4.2.0 <a@b.c>: Recipient address rejected: Greylisted", PASSES),
        (RCPT_TO, "452 4.2.2 The email account that you tried to reach is over quota", PASSES),
        (RCPT_TO, "552 5.2.2 mailbox full", PASSES),
        (RCPT_TO, "552 Requested mail action aborted: exceeded storage allocation", PASSES),
        (DATA, "451 Requested action aborted: local error in processing", PASSES),
        (RCPT_TO, "450 mailbox unavailable", PASSES),
        (RCPT_TO, "452 too many recipients", PASSES),
        (RCPT_TO, "550 5.3.1 mail system full", PASSES),
        (RCPT_TO, "550 4.4.1 no answer from host", PASSES),
        (RCPT_TO, "450 4.1.1 unverified address", PASSES),
        (RCPT_TO, "552 5.2.0 Recipient over quota", PASSES),
        (RCPT_TO, "550 user is over quota", PASSES),
        (DATA, "550 Mailbox is full", PASSES),
        # This recipient.
        (RCPT_TO, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", ADDRESS),
        (RCPT_TO, "550 #5.1.0 Address rejected.", ADDRESS),  # IronPort
        (RCPT_TO, "550 5.0.1 Recipient rejected", ADDRESS),  # Mimecast
        (RCPT_TO, "550 Requested action not taken: mailbox unavailable", ADDRESS),  # GMX
        (RCPT_TO, "550 5.1.1 <a@b.c>: Recipient address rejected: User unknown", ADDRESS),
        (RCPT_TO, "550-5.1.1 The email account that you tried to reach does not exist.", ADDRESS),
        (RCPT_TO, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", ADDRESS),
        (RCPT_TO, "556 5.1.10 Recipient address has null MX", ADDRESS),
        (RCPT_TO, "550 5.2.1 The email account that you tried to reach is inactive", ADDRESS),
        (
            RCPT_TO,
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
            ADDRESS,
        ),  # Exchange Online
        (
            RCPT_TO,
            "550 5.5.0 Requested action not taken: mailbox unavailable",
            ADDRESS,
        ),  # Outlook.com
        (RCPT_TO, "550 No such user here", ADDRESS),
        (RCPT_TO, "550 Unrouteable address", ADDRESS),  # Exim
        (RCPT_TO, "551 User not local; please try <d@e.f>", ADDRESS),
        (RCPT_TO, "553 mailbox name not allowed", ADDRESS),
        (RCPT_TO, "501 5.1.3 Bad recipient address syntax", ADDRESS),
        (RCPT_TO, "501 <a@b..c>: domain missing or malformed", ADDRESS),
        (DATA, "550 5.1.1 no such user", ADDRESS),
        # This mail.
        (DATA, "552 5.3.4 Message size exceeds fixed limit", MAIL),
        (MAIL_FROM, "552 5.3.4 Message size exceeds fixed limit", MAIL),
        (MAIL_FROM, "552 message size exceeds fixed maximum message size", MAIL),
        (DATA, "552 Message size exceeds maximum permitted", MAIL),
        (DATA, "550 5.2.3 too large for this mailbox", MAIL),
        (DATA, "550 5.6.0 Lone CR or LF in headers", MAIL),
        (DATA, "554 5.4.6 Too many hops", MAIL),
        (DATA, "554 Transaction failed", UNCLEAR),
        (DATA, "550 Message headers fail syntax check", UNCLEAR),
        # Nobody knows: it is not the mail's until others get through.
        (RCPT_TO, "554 Transaction failed", UNCLEAR),
        (RCPT_TO, "599 what", UNCLEAR),
        (RCPT_TO, "550 Your IP 192.0.2.1 is listed at bl.example", POLICY),
        (RCPT_TO, "550 Mail from your network is rejected", POLICY),
        (RCPT_TO, "550 Connection rejected, see http://x", POLICY),
        (RCPT_TO, "550 Ihre IP-Adresse ist gesperrt", POLICY),
        (RCPT_TO, "550 5.1.1 access denied: your server is blocked", POLICY),
        (RCPT_TO, "550 5.2.1 The account you are sending from has been disabled", POLICY),
        (RCPT_TO, "550 Acceso denegado", UNCLEAR),
        (RCPT_TO, "550 no more messages on this connection", UNCLEAR),
        (RCPT_TO, "550 greylisted, please try again later", PASSES),
        (MAIL_FROM, "552 sending quota exceeded for today", POLICY),
        (MAIL_FROM, "552 insufficient storage", POLICY),
        (DATA, "554 5.3.0 out of disk", UNCLEAR),
        (DATA, "554 virus scanner unavailable", UNCLEAR),
        (DATA, "554 Nachricht abgelehnt, Ihr Server ist gesperrt", UNCLEAR),
        (RCPT_TO, "550 unknown user", ADDRESS),
        (RCPT_TO, "550 mailbox not found", ADDRESS),
        (RCPT_TO, "550 a@b.c does not exist", ADDRESS),
        # An address of the Internet is no enhanced code.
        (RCPT_TO, "550 no mailbox here for 5.7.1.9 or 192.5.7.1", ADDRESS),
    ],
)
def test_a_servers_reply(stage: str, reply: str, whose: Whose) -> None:
    assert of_reply(stage, int(reply[:3]), reply[4:]) is whose


def refused(esp: str, status: int, body: dict[str, Any]) -> Exception:
    response = requests.Response()
    response.status_code, response._content, response.reason = (
        status,
        json.dumps(body).encode(),
        "x",
    )
    return AnymailRequestsAPIError(esp_name=esp, response=response)


def ses(code: str, words: str, status: int = 400) -> Exception:
    answer: Any = {
        "Error": {"Code": code, "Message": words},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    cause = ClientError(answer, "SendEmail")
    return AnymailAPIError(str(cause), esp_name="Amazon SES", response=answer)


def ses_without_an_account() -> Exception:
    try:
        raise NoCredentialsError
    except NoCredentialsError as error:
        return AnymailAPIError(str(error), esp_name="Amazon SES")


SENDER_SIGNATURE = {
    "ErrorCode": 400,
    "Message": "The 'From' address you supplied is not a Sender Signature",
}
SENDGRID = {
    "errors": [
        {"message": "Does not contain a valid address.", "field": "personalizations.0.to.0.email"}
    ]
}


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (refused("Postmark", 422, SENDER_SIGNATURE), POLICY),
        (
            refused("Postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'From' address: 'x'."}),
            POLICY,
        ),
        (
            refused("Postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'x'."}),
            ADDRESS,
        ),
        (
            refused(
                "Postmark",
                422,
                {"ErrorCode": 406, "Message": "You tried to send to inactive recipients"},
            ),
            ADDRESS,
        ),
        (
            refused(
                "Postmark", 422, {"ErrorCode": 412, "Message": "Your account is pending approval"}
            ),
            POLICY,
        ),
        (
            refused("Postmark", 401, {"ErrorCode": 10, "Message": "Bad or missing API token"}),
            SERVER,
        ),
        (refused("Postmark", 413, {}), MAIL),
        (refused("Postmark", 500, {}), SERVER),
        (
            refused(
                "Mailgun",
                400,
                {"message": "'to' parameter is not a valid address. please check documentation"},
            ),
            ADDRESS,
        ),
        (
            refused(
                "Mailgun", 400, {"message": "'from' parameter is not a valid address. please check"}
            ),
            POLICY,
        ),
        (
            refused("Mailgun", 403, {"message": "Sandbox subdomains are for test purposes only."}),
            SERVER,
        ),
        (refused("Mailgun", 404, {"message": "Domain not found: example.com"}), SERVER),
        (refused("Mailgun", 429, {}), SERVER),
        (refused("SendGrid", 400, SENDGRID), ADDRESS),
        (
            refused(
                "SendGrid", 403, {"errors": [{"field": "from", "message": "not a verified Sender"}]}
            ),
            SERVER,
        ),
        (
            refused("SendGrid", 400, {"errors": [{"field": "from.email", "message": "not valid"}]}),
            POLICY,
        ),
        (
            refused(
                "Brevo", 400, {"code": "invalid_parameter", "message": "email is not valid in to"}
            ),
            ADDRESS,
        ),
        (refused("Brevo", 400, {"code": "not_enough_credits", "message": "x"}), POLICY),
        (refused("Brevo", 402, {"code": "not_enough_credits"}), SERVER),
        (
            refused(
                "Resend",
                422,
                {"name": "validation_error", "message": "Invalid `to` field. The email"},
            ),
            ADDRESS,
        ),
        (
            refused(
                "Resend",
                403,
                {"name": "validation_error", "message": "The example.com domain is not verified"},
            ),
            SERVER,
        ),
        (
            refused(
                "Resend", 422, {"name": "invalid_from_address", "message": "Invalid `from` field."}
            ),
            POLICY,
        ),
        (
            refused(
                "SparkPost",
                400,
                {"errors": [{"message": "At least one valid recipient", "code": "5002"}]},
            ),
            ADDRESS,
        ),
        (
            refused(
                "MailerSend", 422, {"errors": {"to.0.email": ["must be a valid email address."]}}
            ),
            ADDRESS,
        ),
        (
            refused(
                "MailerSend",
                422,
                {"errors": {"from.email": ["The from.email domain must be verified"]}},
            ),
            POLICY,
        ),
        (refused("Mandrill", 500, {"status": "error", "code": -1, "name": "Invalid_Key"}), SERVER),
        (
            refused(
                "Postal", 200, {"status": "error", "data": {"code": "UnauthenticatedFromAddress"}}
            ),
            POLICY,
        ),
        (refused("A new one", 400, {"to": "is not valid"}), POLICY),
        (
            ses(
                "MessageRejected", "Email address is not verified. The following identities failed"
            ),
            POLICY,
        ),
        (ses("MessageRejected", "Message contains a virus"), MAIL),
        (ses("InvalidParameterValue", "Message length is more than 41943040 bytes long"), MAIL),
        (ses("BadRequestException", "Local address contains control or whitespace"), ADDRESS),
        (ses("BadRequestException", "Configuration set is wrong"), POLICY),
        (
            ses("AccessDeniedException", "User is not authorized to perform ses:SendEmail", 403),
            SERVER,
        ),
        (ses("TooManyRequestsException", "Maximum sending rate exceeded", 429), SERVER),
        (ses_without_an_account(), SERVER),
        (server_connections.Misconfigured("POSTMARK_SERVER_TOKEN"), SERVER),
        (smtplib.SMTPConnectError(554, b"no service here"), SERVER),
        (smtplib.SMTPServerDisconnected("gone"), SERVER),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), SERVER),
        (ConnectionRefusedError("refused"), SERVER),
        (AnymailAPIError("it was not reached"), SERVER),
    ],
)
def test_a_providers_or_a_librarys_error(error: Exception, whose: Whose) -> None:
    assert delivery.judge(error).whose is whose
