"""What each provider posts, as its documentation shows it (the links stand in helpdesk/outbound/provider_marks.py
and docs/PROVIDERS.md), signed with keys of ours where the provider signs."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.inbound.transports.webhook.test_webhooks import (
    SECRET,
    Post,
    as_json,
    mailgun_event,
    postmark_bounce,
    postmark_event,
    sendgrid_event,
    ses_bounce,
    ses_event,
)
from tests.support.mail import SUPPORT

KEY = "an-example-key-0123456789"
SVIX = "whsec_" + base64.b64encode(b"an-example-key-0123456789").decode()
CLEO = "cleo@example.net"
MAIL = "sent-1@provider"  # the provider's id of a mail that we sent
UNKNOWN = "550 5.1.1 user unknown"
FULL = "552 5.2.2 mailbox full"
POLICY = "550 5.7.1 blocked by policy"


@cache
def postal_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def keys() -> dict[str, str]:
    """The settings that go with these posts, without ANYMAIL_."""
    public = (
        postal_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return {
        "MAILERSEND_SIGNING_SECRET": KEY,
        "MAILERSEND_INBOUND_SECRET": KEY,
        "MAILTRAP_TRACKING_SECRET": KEY,
        "MAILTRAP_INBOUND_SECRET": KEY,
        "MAILTRAP_API_TOKEN": KEY,
        "MANDRILL_WEBHOOK_KEY": KEY,
        "UNISENDER_GO_API_KEY": KEY,
        "RESEND_API_KEY": KEY,
        "RESEND_SIGNING_SECRET": SVIX,
        "RESEND_INBOUND_SECRET": SVIX,
        "BREVO_API_KEY": KEY,
        "SENDINBLUE_API_KEY": KEY,
        "POSTAL_WEBHOOK_KEY": "".join(public.decode().splitlines()[1:-1]),
    }


# --- Signed as each provider signs


def hexed(path: str, value: Any, header: str) -> Post:
    """MailerSend (which writes a slash as \\/) and Mailtrap."""
    body = json.dumps(value).replace("/", "\\/").encode()
    return Post(path, body, headers={header: hmac.digest(KEY.encode(), body, "sha256").hex()})


def mandrill(*events: dict[str, Any], key: str = KEY) -> Post:
    said = json.dumps(list(events))
    signed = f"http://{SECRET}@testserver/anymail/mandrill/mandrill_events{said}".encode()
    signature = base64.b64encode(hmac.digest(key.encode(), signed, hashlib.sha1)).decode()
    form = urlencode({"mandrill_events": said}).encode()
    return Post(
        "mandrill", form, "application/x-www-form-urlencoded", {"X-Mandrill-Signature": signature}
    )


def postal(path: str, value: Any) -> Post:
    body = json.dumps(value).encode()
    signature = postal_key().sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # it is theirs
    return Post(path, body, headers={"X-Postal-Signature": base64.b64encode(signature).decode()})


def svix(path: str, value: Any, *, key: bytes = b"an-example-key-0123456789", age: int = 0) -> Post:
    body, at = json.dumps(value).encode(), str(int(time.time()) - age)
    signature = base64.b64encode(
        hmac.digest(key, b".".join((b"msg_1", at.encode(), body)), "sha256")
    ).decode()
    return Post(
        path,
        body,
        headers={
            "svix-id": "msg_1",
            "svix-timestamp": at,
            "svix-signature": f"v1,AAAA v1,{signature}",
        },
    )


def unisender(value: dict[str, Any]) -> Post:
    auth = hashlib.md5(json.dumps({"auth": KEY, **value}).encode()).hexdigest()  # noqa: S324  # it is theirs
    return as_json("unisender_go/tracking", {"auth": auth, **value})


# --- Events


def brevo_event(event: str, **more: Any) -> Post:
    return as_json(
        "brevo/tracking",
        {
            "event": event,
            "email": CLEO,
            "id": 9999999,
            "message-id": f"<{MAIL}>",
            "subject": "Re: Help",
            "date": "2026-11-21 10:00:00",
            "ts": 1795251600,
            "ts_event": 1795251600,
            "ts_epoch": 1795251600000,
            "sending_ip": "192.0.2.9",
            **more,
        },
    )


def mailersend_event(kind: str, status: str, morph: dict[str, Any] | None = None) -> Post:
    return hexed(
        "mailersend/tracking",
        {
            "type": f"activity.{kind}",
            "domain_id": "d",
            "created_at": "2026-11-21T09:00:00.520507Z",
            "webhook_id": "w",
            "url": "https://help.example.com/anymail/mailersend/tracking/",
            "data": {
                "object": "activity",
                "id": "63fd251d5c00f8e52001fce6",
                "type": kind,
                "created_at": "2026-11-21T09:00:00.506Z",
                "email": {
                    "object": "email",
                    "id": "63fd1c1de225707fa905f0a8",
                    "from": SUPPORT,
                    "subject": "Re: Help",
                    "status": status,
                    "tags": None,
                    "message": {"object": "message", "id": MAIL},
                    "recipient": {
                        "object": "recipient",
                        "id": "63f3bb1965d98aa98c07d6b7",
                        "email": CLEO,
                    },
                },
                "morph": morph,
                "template_id": "",
            },
        },
        "Signature",
    )


def mailjet_event(event: str, **more: Any) -> Post:
    return as_json(
        "mailjet/tracking",
        [
            {
                "event": event,
                "time": 1795251600,
                "MessageID": MAIL,
                "Message_GUID": "1ab23cd4",
                "email": CLEO,
                "mj_campaign_id": 0,
                "mj_contact_id": 0,
                "customcampaign": "",
                "CustomID": "",
                "Payload": "",
                **more,
            }
        ],
    )


def mailtrap_event(event: str, **more: Any) -> Post:
    return hexed(
        "mailtrap/tracking",
        {
            "events": [
                {
                    "event": event,
                    "timestamp": 1795251600,
                    "sending_stream": "transactional",
                    "message_id": MAIL,
                    "email": CLEO,
                    "event_id": "bede7236-2284-43d6-a953-1fdcafd0fdbc",
                    **more,
                }
            ]
        },
        "Mailtrap-Signature",
    )


def mandrill_event(event: str, **msg: Any) -> Post:
    return mandrill(
        {
            "event": event,
            "ts": 1795251600,
            "_id": MAIL,
            "msg": {
                "ts": 1795251600,
                "subject": "Re: Help",
                "email": CLEO,
                "sender": SUPPORT,
                "tags": [],
                "state": event,
                "metadata": {},
                "_id": MAIL,
                **msg,
            },
        }
    )


def postal_event(event: str, status: str, details: str, output: str) -> Post:
    return postal(
        "postal/tracking",
        {
            "event": event,
            "timestamp": 1795251600.1,
            "uuid": "5fec5077-dae7-4989-94d5-e1963f3e9181",
            "payload": {
                "message": {
                    "id": 1571,
                    "token": "MzWWQPubXXWz",
                    "direction": "outgoing",
                    "to": CLEO,
                    "from": SUPPORT,
                    "message_id": "x@rp.postal.example.com",
                    "subject": "Re: Help",
                    "tag": None,
                },
                "status": status,
                "details": details,
                "output": output,
                "sent_with_ssl": True,
                "time": 0.2,
            },
        },
    )


def postal_returned() -> Post:
    message = {
        "id": 1571,
        "token": "t",
        "direction": "outgoing",
        "to": CLEO,
        "from": SUPPORT,
        "tag": None,
    }
    bounce = {
        **message,
        "id": 1999,
        "direction": "incoming",
        "subject": "Mail delivery failed: returning message to sender",
    }
    return postal(
        "postal/tracking",
        {
            "event": "MessageBounced",
            "timestamp": 1795251600.1,
            "uuid": "0fcc831f-92b9-4e2b-97f2-d873abc77fab",
            "payload": {"original_message": message, "bounce": bounce},
        },
    )


def resend_event(kind: str, **data: Any) -> Post:
    return svix(
        "resend/tracking",
        {
            "type": f"email.{kind}",
            "created_at": "2026-11-21T09:00:00.126Z",
            "data": {
                "broadcast_id": None,
                "created_at": "2026-11-21T09:00:00.894719+00:00",
                "email_id": MAIL,
                "from": SUPPORT,
                "to": [CLEO],
                "subject": "Re: Help",
                **data,
            },
        },
    )


def resend_bounce(kind: str, sub: str, words: str) -> Post:
    return resend_event("bounced", bounce={"type": kind, "subType": sub, "message": words})


def sparkpost_event(kind: str, **more: Any) -> Post:
    return as_json(
        "sparkpost/tracking",
        [
            {
                "msys": {
                    "message_event": {
                        "type": kind,
                        "event_id": "92356927693813856",
                        "timestamp": "1795251600",
                        "transmission_id": MAIL,
                        "message_id": "000443ee14578172be22",
                        "rcpt_to": CLEO,
                        "raw_rcpt_to": CLEO,
                        "msg_from": SUPPORT,
                        "num_retries": "0",
                        "rcpt_meta": {},
                        "customer_id": "1",
                        "subject": "Re: Help",
                        **more,
                    }
                }
            }
        ],
    )


def sparkpost_bounce(kind: str, number: str, words: str) -> Post:
    return sparkpost_event(
        kind, bounce_class=number, error_code=words[:3], raw_reason=words, reason=words
    )


def unisender_event(status: str, delivery: str = "", words: str = "") -> Post:
    about = (
        {"delivery_status": delivery, "destination_response": words, "user_agent": "", "ip": ""}
        if delivery
        else {}
    )
    return unisender(
        {
            "events_by_user": [
                {
                    "user_id": 456,
                    "project_id": "6123456789",
                    "project_name": "Helpdesk",
                    "events": [
                        {
                            "event_name": "transactional_email_status",
                            "event_data": {
                                "job_id": MAIL,
                                "metadata": {},
                                "email": CLEO,
                                "status": status,
                                "event_time": "2026-11-21 09:00:00",
                                "url": "",
                                "delivery_info": about,
                            },
                        }
                    ],
                }
            ]
        }
    )


def mailgun_failed(
    reason: str, code: int, words: str, severity: str = "permanent", **status: Any
) -> Post:
    said = {"code": code, "message": words, "description": words, "attempt-no": 1, **status}
    return mailgun_event("failed", severity=severity, reason=reason, **{"delivery-status": said})


def ses_complaint(**more: Any) -> Post:
    return ses_event(
        "Complaint", complainedRecipients=[{"emailAddress": CLEO}], feedbackId="x", **more
    )


# By provider (as helpdesk/outbound/provider_marks.py names it): posts after which the address is dead, or its
# reader has complained, and posts after which a mail did not arrive and nothing is said about the
# address.
DEAD: dict[str, dict[str, Callable[[], Post]]] = {
    "Amazon SES": {
        "general": lambda: ses_bounce("Permanent", "General", "5.1.1", f"smtp; {UNKNOWN}"),
        "no-email": lambda: ses_bounce("Permanent", "NoEmail", "5.1.1", f"smtp; {UNKNOWN}"),
    },
    "Brevo": {
        "hard": lambda: brevo_event(
            "hard_bounce",
            reason=" RecipientError: 550 5.5.0 Requested action not taken: mailbox unavailable.",
        ),
        "invalid": lambda: brevo_event("invalid_email", reason="the address is not valid"),
    },
    "MailerSend": {
        "hard": lambda: mailersend_event(
            "hard_bounced",
            "rejected",
            {"object": "recipient_bounce", "reason": "Host or domain name not found"},
        )
    },
    "Mailgun": {
        "hard": lambda: mailgun_failed("bounce", 550, UNKNOWN),
        "said-so": lambda: mailgun_failed(
            "bounce", 550, UNKNOWN, **{"bounce-type": "hard", "enhanced-code": "5.1.1"}
        ),
    },
    "Mailjet": {
        "hard": lambda: mailjet_event(
            "bounce",
            blocked=False,
            hard_bounce=True,
            error_related_to="recipient",
            error="user unknown",
            comment="550 5.1.1",
        ),
        "domain": lambda: mailjet_event(
            "bounce",
            blocked=False,
            hard_bounce=True,
            error_related_to="domain",
            error="invalid domain",
            comment="",
        ),
    },
    "Mailtrap": {
        "hard": lambda: mailtrap_event(
            "bounce", response=f"bounced ({UNKNOWN})", response_code=550, bounce_category="hard"
        )
    },
    "Mandrill": {
        "hard": lambda: mandrill_event(
            "hard_bounce",
            state="bounced",
            diag=f"smtp;{UNKNOWN}",
            bgtools_code=10,
            bounce_description="bad_mailbox",
        )
    },
    "Postal": {
        "hard": lambda: postal_event(
            "MessageDeliveryFailed",
            "HardFail",
            "Permanent SMTP delivery error when sending to mx.example.net",
            UNKNOWN,
        )
    },
    "Postmark": {
        "hard": lambda: postmark_bounce("HardBounce", 1, f"smtp; {UNKNOWN}"),
        "bad": lambda: postmark_bounce(
            "BadEmailAddress", 100000, "The address is not a valid email address."
        ),
    },
    "Resend": {
        "general": lambda: resend_bounce(
            "Permanent", "General", "The recipient's email provider sent a hard bounce message."
        ),
        "no-email": lambda: resend_bounce(
            "Permanent",
            "NoEmail",
            "The recipient's email provider sent a bounce message because it does not exist.",
        ),
    },
    "SendGrid": {
        "hard": lambda: sendgrid_event(
            "bounce",
            type="bounce",
            status="5.1.1",
            reason=UNKNOWN,
            bounce_classification="Invalid Address",
        ),
        "unclassified": lambda: sendgrid_event(
            "bounce", type="bounce", status="5.0.0", reason="500 unknown recipient"
        ),
    },
    "SparkPost": {
        "invalid": lambda: sparkpost_bounce("bounce", "10", UNKNOWN),
        "no-rcpt": lambda: sparkpost_bounce("out_of_band", "30", "550 no such user"),
    },
    "Unisender Go": {"hard": lambda: unisender_event("hard_bounced", "err_user_unknown", UNKNOWN)},
}
COMPLAINED: dict[str, dict[str, Callable[[], Post]]] = {
    "Amazon SES": {
        "abuse": lambda: ses_complaint(complaintFeedbackType="abuse"),
        "untold": ses_complaint,
    },
    "Brevo": {"spam": lambda: brevo_event("spam"), "complaint": lambda: brevo_event("complaint")},
    "MailerSend": {
        "spam": lambda: mailersend_event(
            "spam_complaint", "delivered", {"object": "spam_complaint", "reason": None}
        )
    },
    "Mailgun": {"spam": lambda: mailgun_event("complained")},
    "Mailjet": {"spam": lambda: mailjet_event("spam", source="JMRPP")},
    "Mailtrap": {"spam": lambda: mailtrap_event("spam")},
    "Mandrill": {"spam": lambda: mandrill_event("spam")},
    "Postmark": {
        "record": lambda: postmark_event(
            "SpamComplaint",
            ID=42,
            Type="SpamComplaint",
            TypeCode=100001,
            Email=CLEO,
            BouncedAt="2026-11-21T09:00:00Z",
        ),
    },
    "Resend": {"spam": lambda: resend_event("complained")},
    "SendGrid": {"spam": lambda: sendgrid_event("spamreport")},
    "SparkPost": {
        "spam": lambda: sparkpost_event(
            "spam_complaint", fbtype="abuse", report_to="abuse.example.net"
        )
    },
    "Unisender Go": {"spam": lambda: unisender_event("spam")},
}
LIVES: dict[str, dict[str, Callable[[], Post]]] = {
    "Amazon SES": {
        "full": lambda: ses_bounce("Transient", "MailboxFull", "5.2.2", f"smtp; {FULL}"),
        "undetermined": lambda: ses_bounce("Undetermined", "Undetermined", "5.0.0", "smtp; 554 no"),
        "policy": lambda: ses_bounce("Permanent", "General", "5.7.1", f"smtp; {POLICY}"),
        "its-list": lambda: ses_bounce(
            "Permanent", "Suppressed", "5.1.1", "Amazon SES has suppressed sending to this address"
        ),
        "our-list": lambda: ses_bounce(
            "Permanent",
            "OnAccountSuppressionList",
            "5.1.1",
            "It is on the account suppression list",
        ),
        "our-list-of-complaints": lambda: ses_complaint(
            complaintSubType="OnAccountSuppressionList"
        ),
        "rejected": lambda: ses_event("Reject", reason="Bad content"),
    },
    "Brevo": {
        "full": lambda: brevo_event("soft_bounce", reason=FULL),
        "away": lambda: brevo_event("soft_bounce", reason="server is down"),
        "blocked": lambda: brevo_event("blocked", reason="blocked : due to blacklist user"),
        "policy": lambda: brevo_event("hard_bounce", reason=POLICY),
        "error": lambda: brevo_event("error", reason=""),
    },
    "MailerSend": {
        "soft": lambda: mailersend_event(
            "soft_bounced", "rejected", {"object": "recipient_bounce", "reason": "Unknown reason"}
        )
    },
    "Mailgun": {
        "old": lambda: mailgun_failed("old", 602, "Too old"),
        "generic": lambda: mailgun_failed("generic", 554, POLICY),
        "full": lambda: mailgun_failed("bounce", 552, FULL),
        "soft": lambda: mailgun_failed("bounce", 550, "not now", **{"bounce-type": "soft"}),
        "its-list": lambda: mailgun_failed(
            "suppress-bounce", 605, "Not delivering to previously bounced address"
        ),
        "unsubscribed": lambda: mailgun_failed(
            "suppress-unsubscribe", 606, "Not delivering to unsubscribed address"
        ),
        "rejected": lambda: mailgun_event(
            "rejected", reject={"reason": "Sandbox subdomains are for test purposes only."}
        ),
    },
    "Mailjet": {
        "full": lambda: mailjet_event(
            "bounce",
            blocked=False,
            hard_bounce=False,
            error_related_to="recipient",
            error="quota exceeded",
        ),
        "full-hard": lambda: mailjet_event(
            "bounce",
            blocked=True,
            hard_bounce=True,
            error_related_to="recipient",
            error="quota exceeded",
        ),
        "away": lambda: mailjet_event(
            "bounce",
            blocked=False,
            hard_bounce=False,
            error_related_to="domain",
            error="no mail host",
        ),
        "blocked": lambda: mailjet_event(
            "blocked", error_related_to="recipient", error="preblocked"
        ),
        "policy": lambda: mailjet_event(
            "bounce", blocked=False, hard_bounce=True, error_related_to="spam", error="policy issue"
        ),
    },
    "Mailtrap": {
        "policy": lambda: mailtrap_event(
            "bounce", response=f"bounced ({POLICY})", response_code=550, bounce_category="spam"
        ),
        "reject": lambda: mailtrap_event("reject", reason="suppressed"),
    },
    "Mandrill": {
        "soft": lambda: mandrill_event(
            "soft_bounce",
            state="soft-bounced",
            diag=f"smtp;{FULL}",
            bounce_description="mailbox_full",
        ),
        "its-list": lambda: mandrill_event("reject", state="rejected"),
        "full": lambda: mandrill_event(
            "hard_bounce", state="bounced", diag=f"smtp;{FULL}", bounce_description="general"
        ),
    },
    "Postal": {
        "policy": lambda: postal_event(
            "MessageDeliveryFailed", "HardFail", "Permanent SMTP delivery error", POLICY
        ),
        "gave-up": lambda: postal_event(
            "MessageDeliveryFailed",
            "HardFail",
            "Maximum number of delivery attempts (18) has been reached.",
            "",
        ),
        "returned": postal_returned,
    },
    "Postmark": {
        "full": lambda: postmark_bounce("SoftBounce", 4096, f"smtp; {FULL}"),
        "blocked": lambda: postmark_bounce(
            "Blocked", 100006, "Blocked from this ISP due to content or blacklisting."
        ),
        "spam": lambda: postmark_bounce(
            "SpamNotification",
            512,
            "The message was delivered, but was either blocked by the user, or classified as spam",
        ),
        "dmarc": lambda: postmark_bounce("DMARCPolicy", 100009, "Email rejected due DMARC Policy."),
        "manual": lambda: postmark_bounce(
            "ManuallyDeactivated", 100007, "The email was manually deactivated."
        ),
    },
    "Resend": {
        "full": lambda: resend_bounce(
            "Transient", "MailboxFull", "The recipient's inbox was full: a bounce message"
        ),
        "its-list": lambda: resend_bounce(
            "Permanent", "Suppressed", "Resend has suppressed sending to this address"
        ),
        "suppressed": lambda: resend_event(
            "suppressed",
            suppressed={"message": "on the suppression list", "type": "OnAccountSuppressionList"},
        ),
        "failed": lambda: resend_event("failed", failed={"reason": "reached_daily_quota"}),
        "content": lambda: resend_bounce(
            "Transient", "ContentRejected", "a bounce message because of its content"
        ),
    },
    "SendGrid": {
        "blocked": lambda: sendgrid_event("bounce", type="blocked", status="5.7.1", reason=POLICY),
        "full": lambda: sendgrid_event(
            "bounce",
            type="bounce",
            status="5.2.2",
            reason=FULL,
            bounce_classification="Mailbox Unavailable",
        ),
        "reputation": lambda: sendgrid_event(
            "bounce",
            type="bounce",
            status="5.0.0",
            reason="550 no",
            bounce_classification="Reputation",
        ),
        "its-list": lambda: sendgrid_event("dropped", reason="Bounced Address", status="5.0.0"),
        "unsubscribed": lambda: sendgrid_event(
            "dropped", reason="Unsubscribed Address", status="5.0.0"
        ),
    },
    "SparkPost": {
        **{
            name: (lambda number=number: sparkpost_bounce("bounce", number, "550 no"))
            for name, number in [
                ("undetermined", "1"),
                ("soft", "20"),
                ("dns", "21"),
                ("full", "22"),
                ("large", "23"),
                ("timeout", "24"),
                ("admin", "25"),
                ("unspecified", "40"),
                ("block", "50"),
                ("spam", "51"),
                ("content", "52"),
                ("file", "53"),
                ("relay", "54"),
                ("transient", "70"),
                ("new", "99"),
            ]
        },
        "its-list": lambda: sparkpost_event(
            "policy_rejection",
            bounce_class="25",
            error_code="550",
            raw_reason="550 5.7.1 recipient is suppressed",
        ),
        "generation": lambda: sparkpost_event(
            "generation_rejection", bounce_class="10", error_code="554", raw_reason="554 5.7.1"
        ),
    },
    "Unisender Go": {
        name: (lambda name=name: unisender_event("hard_bounced", name, "550 no"))
        for name in (
            "err_mailbox_full",
            "err_spam_rejected",
            "err_blacklisted",
            "err_too_large",
            "err_unsubscribed",
            "err_unreachable",
            "err_skip_letter",
            "err_destination_misconfigured",
            "err_delivery_failed",
            "err_lost",
        )
    },
}
# What each provider calls a hard bounce, with the words of the receiving server.
HARD: dict[str, Callable[[str], Post]] = {
    "Amazon SES": lambda words: ses_bounce("Permanent", "General", "", words and f"smtp; {words}"),
    "Brevo": lambda words: brevo_event("hard_bounce", reason=words),
    "MailerSend": lambda words: mailersend_event(
        "hard_bounced", "rejected", {"object": "recipient_bounce", "reason": words}
    ),
    "Mailgun": lambda words: mailgun_failed("bounce", 550, words),
    "Mailjet": lambda words: mailjet_event(
        "bounce",
        blocked=False,
        hard_bounce=True,
        error_related_to="recipient",
        error="user unknown",
        comment=words,
    ),
    "Mailtrap": lambda words: mailtrap_event(
        "bounce", response=words and f"bounced ({words})", response_code=550, bounce_category="hard"
    ),
    "Mandrill": lambda words: mandrill_event(
        "hard_bounce",
        state="bounced",
        diag=words and f"smtp;{words}",
        bgtools_code=10,
        bounce_description="general",
    ),
    "Postal": lambda words: postal_event(
        "MessageDeliveryFailed", "HardFail", "Permanent SMTP delivery error", words
    ),
    "Postmark": lambda words: postmark_bounce("HardBounce", 1, words and f"smtp; {words}"),
    "Resend": lambda words: resend_bounce("Permanent", "General", words),
    "SendGrid": lambda words: sendgrid_event("bounce", type="bounce", status="5.0.0", reason=words),
    "SparkPost": lambda words: sparkpost_bounce("bounce", "10", words),
    "Unisender Go": lambda words: unisender_event("hard_bounced", "err_user_unknown", words),
}
OF_SOMETHING_ELSE = [
    "550 Message rejected: blocked using zen.spamhaus.org",
    "550 User over quota",
    "550 mailbox full",
    "554 Message classified as spam",
    "550 Rejected because of DMARC policy",
    "550 Your IP 192.0.2.1 is on our block list",
    "550 5.4.1 Recipient address rejected: Access denied",
    "550 5.1.8 bad sender",
    "550 5.4.0 delivery timed out",
    "550 5.1.7 sender rejected",
    "550 5.6.0 content refused",
    "550 5.2.4 mailing list expansion",
    "554 5.5.4 relaying denied",
    "550 greylisted, try again later",
    "550 5.0.350 Remote server returned an error -> 550 5.4.300 Message expired",
    "message size exceeds limit",
    "550 5.1.1 too much mail, try again later",
    "452 4.2.2 over quota",
    "552 no",
]
# Neither has it come back nor has it arrived for certain.
PENDING: dict[str, Callable[[], Post]] = {
    "Brevo": lambda: brevo_event("deferred", reason=f"550 RecipientError: {UNKNOWN}"),
    "Mailgun": lambda: mailgun_failed("generic", 451, "451 4.7.1 greylisted", "temporary"),
    "Mailjet": lambda: mailjet_event(
        "bounce", blocked=False, hard_bounce=False, error_related_to="domain", error="greylisted"
    ),
    "Mailtrap": lambda: mailtrap_event(
        "soft bounce", response="soft bounce (450 4.2.0 not now)", response_code=450
    ),
    "Mandrill": lambda: mandrill_event("deferral", state="deferred", diag="451 4.3.2 later"),
    "Postal": lambda: postal_event(
        "MessageDelayed", "SoftFail", "Temporary SMTP delivery error", "451 4.3.2 later"
    ),
    "Postmark": lambda: postmark_bounce("Transient", 2, "451 4.3.2 later"),
    "Resend": lambda: resend_event("delivery_delayed"),
    "SendGrid": lambda: sendgrid_event("deferred", response="451 4.3.2 later", attempt="5"),
    "SparkPost": lambda: sparkpost_bounce("delay", "21", "451 4.4.1 no MX"),
    "Unisender Go": lambda: unisender_event("soft_bounced", "err_will_retry", "451 4.3.2 later"),
}
DELIVERED: dict[str, Callable[[], Post]] = {
    "Amazon SES": lambda: ses_event("Delivery", recipients=[CLEO], smtpResponse="250 ok"),
    "Brevo": lambda: brevo_event("delivered"),
    "MailerSend": lambda: mailersend_event("delivered", "delivered"),
    "Mailgun": lambda: mailgun_event(
        "delivered", **{"delivery-status": {"code": 250, "message": "OK"}}
    ),
    "Mailjet": lambda: mailjet_event("sent", smtp_reply="sent (250 2.0.0 OK)"),
    "Mailtrap": lambda: mailtrap_event("delivery"),
    "Postal": lambda: postal_event(
        "MessageSent", "Sent", f"Message for {CLEO} accepted", "250 2.0.0 OK\n"
    ),
    "Postmark": lambda: postmark_event(
        "Delivery", Recipient=CLEO, DeliveredAt="2026-11-21T09:00:00Z", Details="ok"
    ),
    "Resend": lambda: resend_event("delivered"),
    "SendGrid": lambda: sendgrid_event("delivered", response="250 OK"),
    "SparkPost": lambda: sparkpost_event("delivery"),
    "Unisender Go": lambda: unisender_event("delivered", "ok_delivered", "250 OK"),
}


# --- Mail in; `raw` is what came over the wire


def brevo_mail(attachments: list[dict[str, Any]], **head: Any) -> Post:
    """It has taken the mail apart; files are fetched from its API."""
    fields = {
        "Return-Path": "<bounces@example.net>",
        "Delivered-To": SUPPORT,
        "Received": ["by a; …", "from b; …"],
        "MIME-Version": "1.0",
        "From": f"Cleo <{CLEO}>",
        "To": SUPPORT,
        "Subject": "Grüße",
        "Message-ID": "<one@example.net>",
        "Date": "Sat, 21 Nov 2026 09:00:00 +0000",
        "Content-Type": "multipart/mixed",
        **head,
    }
    person = {"Name": "Cleo", "Address": CLEO}
    return as_json(
        "brevo/inbound",
        {
            "items": [
                {
                    "Uuid": ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"],
                    "MessageId": "<one@example.net>",
                    "InReplyTo": None,
                    "From": person,
                    "To": [{"Name": None, "Address": SUPPORT}],
                    "Cc": [],
                    "ReplyTo": None,
                    "SentAtDate": "Sat, 21 Nov 2026 09:00:00 +0000",
                    "Subject": "Grüße",
                    "Attachments": attachments,
                    "Headers": fields,
                    "SpamScore": 2.9,
                    "RawHtmlBody": "",
                    "ExtractedMarkdownMessage": "Hello\n",
                    "ExtractedMarkdownSignature": None,
                    "RawTextBody": "Hello\r\n",
                }
            ]
        },
    )


def mailersend_mail(raw: bytes, to: tuple[str, ...] = (SUPPORT,)) -> Post:
    return hexed(
        "mailersend/inbound",
        {
            "type": "inbound.message",
            "inbound_id": "i",
            "url": "https://help.example.com/",
            "created_at": "2026-11-21T09:00:00Z",
            "data": {
                "object": "message",
                "id": "6402ab57f79d39d7e10f2523",
                "created_at": "2026-11-21T09:00:00.000000Z",
                "recipients": {
                    "rcptTo": [{"email": address} for address in to],
                    "to": {"raw": SUPPORT, "data": []},
                },
                "from": {"name": "Cleo", "email": CLEO, "raw": f"Cleo <{CLEO}>"},
                "sender": {"email": "bounces@example.net"},
                "subject": "Help",
                "date": "Sat, 21 Nov 2026 09:00:00 +0000",
                "headers": {},
                "text": "Hello",
                "html": "",
                "raw": raw.decode(),
                "attachments": [],
                "spf_check": {"code": "+", "value": None},
                "dkim_check": False,
            },
        },
        "Signature",
    )


def mailjet_mail(parts: dict[str, tuple[str, str, bytes]] | None = None, **head: Any) -> Post:
    """It has taken the mail apart: `parts` are (type, name, bytes) of the files by their
    ContentRef."""
    fields = {
        "Return-Path": ["<bounces@example.net>"],
        "Received": ["from a by b", "by c with HTTP"],
        "MIME-Version": ["1.0"],
        "From": f"Cleo <{CLEO}>",
        "To": SUPPORT,
        "Subject": "Help",
        "Message-ID": "<one@example.net>",
        "Date": "Sat, 21 Nov 2026 09:00:00 +0000",
        "Content-Type": ['multipart/mixed; boundary="b"'],
        **head,
    }
    files = [
        {
            "Headers": {
                "Content-Type": [kind],
                "Content-Disposition": [f'attachment; filename="{name}"'],
            },
            "ContentRef": ref,
        }
        for ref, (kind, name, _) in (parts or {}).items()
    ]
    return as_json(
        "mailjet/inbound",
        {
            "Sender": "bounces@example.net",
            "Recipient": SUPPORT,
            "Date": "20261121T090000",
            "From": f"Cleo <{CLEO}>",
            "Subject": "Help",
            "Headers": fields,
            "Text-part": "Hello",
            "SpamAssassinScore": "1.7",
            "Parts": [
                {"Headers": {"Content-Type": ["text/plain"]}, "ContentRef": "Text-part"},
                *files,
            ],
            **{ref: base64.b64encode(data).decode() for ref, (_, _, data) in (parts or {}).items()},
        },
    )


def mailtrap_mail() -> Post:
    """It names the mail; the mail is fetched from its API."""
    return hexed(
        "mailtrap/inbound",
        {
            "events": [
                {
                    "event": "inbound.message_received",
                    "event_id": "e",
                    "timestamp": 1795251600000,
                    "inbox_id": 7,
                    "message_id": "m1",
                }
            ]
        },
        "Mailtrap-Signature",
    )


def mandrill_mail(*raws: bytes, to: str = SUPPORT) -> Post:
    return mandrill(
        *(
            {
                "event": "inbound",
                "ts": 1795251600,
                "msg": {
                    "raw_msg": raw.decode(),
                    "headers": {},
                    "text": "Hello",
                    "text_flowed": False,
                    "from_email": CLEO,
                    "from_name": "Cleo",
                    "to": [[to, None]],
                    "subject": "Help",
                    "spf": {"result": "pass", "detail": ""},
                    "spam_report": {"score": 1.5, "matched_rules": []},
                    "dkim": {"signed": True, "valid": True},
                    "email": to,
                    "tags": [],
                    "sender": None,
                    "template": None,
                },
            }
            for raw in raws
        )
    )


def postal_mail(raw: bytes, *, is_base64: bool = True) -> Post:
    message = base64.b64encode(raw).decode() if is_base64 else raw.decode()
    return postal(
        "postal/inbound",
        {
            "id": 233980,
            "rcpt_to": SUPPORT,
            "mail_from": "bounces@example.net",
            "message": message,
            "base64": is_base64,
            "size": len(raw),
        },
    )


def resend_mail() -> Post:
    """It names the mail; the mail is fetched from its API."""
    return svix(
        "resend/inbound",
        {
            "type": "email.received",
            "created_at": "2026-11-21T09:00:00.126Z",
            "data": {
                "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
                "created_at": "2026-11-21T09:00:00+00:00",
                "from": f"Cleo <{CLEO}>",
                "to": [f"Support <{SUPPORT}>"],
                "cc": [],
                "bcc": [],
                "subject": "Help",
                "message_id": "<one@example.net>",
                "attachments": [],
            },
        },
    )


def sparkpost_mail(*raws: bytes, is_base64: bool = False) -> Post:
    return as_json(
        "sparkpost/inbound",
        [
            {
                "msys": {
                    "relay_message": {
                        "content": {
                            "email_rfc822": base64.b64encode(raw).decode()
                            if is_base64
                            else raw.decode(),
                            "email_rfc822_is_base64": is_base64,
                            "headers": [],
                            "html": "",
                            "text": "",
                            "subject": "",
                            "to": [SUPPORT],
                        },
                        "friendly_from": CLEO,
                        "msg_from": "bounces@example.net",
                        "rcpt_to": SUPPORT,
                        "customer_id": "1",
                        "protocol": "smtp",
                        "webhook_id": "4839201967643219",
                    }
                }
            }
            for raw in raws
        ],
    )
