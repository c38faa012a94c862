"""What a provider's post says when an address takes no mail any more: a table with its source."""

# As came_back.provider_event knows them.
DEAD, COMPLAINT, REFUSED = "bounced", "complained", "rejected"

# What a post says, by the way to a field ("" where there is none) and what stands in it, without
# case. All of a mark's fields must say so.
Mark = dict[str, set[str]]
# A word of MARKS that is no value of a provider's: what the receiving server said must itself say
# that the address is dead.
BY_ITS_WORDS = "by the server's own words"

# For each provider of django-anymail's: what a post says when an address is dead for good, or its
# reader has complained, or a mail was refused that django-anymail takes for something else. The
# first that fits counts. Nothing else makes an address dead: not a full mailbox, a server that was
# away, a mail blocked for its content or by policy, and not the provider's own list of addresses
# that it does not send to ("suppressed", "dropped", "unsubscribed"): that mail never went to the
# address, and the list may be wrong. Its tickets say so, and its entry is lifted at the provider.
MARKS: dict[str, list[tuple[str, Mark]]] = {
    # https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
    # https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#complaint-object
    "Amazon SES": [
        (
            DEAD,
            {"bounce.bounceType": {"permanent"}, "bounce.bounceSubType": {"general", "noemail"}},
        ),
        (REFUSED, {"complaint.complaintSubType": {"onaccountsuppressionlist"}}),
        (
            COMPLAINT,
            {
                "complaint.complaintFeedbackType": {"", "abuse", "fraud", "other", "virus"},
                "eventType": {"complaint"},
            },
        ),
        (
            COMPLAINT,
            {
                "complaint.complaintFeedbackType": {"", "abuse", "fraud", "other", "virus"},
                "notificationType": {"complaint"},
            },
        ),
    ],
    # https://developers.brevo.com/docs/transactional-webhooks
    "Brevo": [
        (DEAD, {"event": {"hard_bounce", "invalid_email"}}),
        (COMPLAINT, {"event": {"spam", "complaint"}}),
    ],
    # https://developers.mailersend.com/api/v1/webhooks.html
    "MailerSend": [
        (DEAD, {"data.type": {"hard_bounced"}}),
        (COMPLAINT, {"data.type": {"spam_complaint"}}),
    ],
    # https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
    # A reason "suppress-bounce" is its own list; "old" and "generic" are no answer of the
    # address's server.
    "Mailgun": [
        (
            DEAD,
            {
                "event-data.event": {"failed"},
                "event-data.severity": {"permanent"},
                "event-data.reason": {"bounce"},
                "event-data.delivery-status.bounce-type": {"", "hard"},
            },
        ),
        (COMPLAINT, {"event-data.event": {"complained"}}),
    ],
    # https://dev.mailjet.com/email/guides/webhooks/
    "Mailjet": [
        (
            DEAD,
            {
                "event": {"bounce"},
                "hard_bounce": {"true", "1"},
                "error": {"user unknown", "mailbox inactive", "invalid domain", "typofix"},
            },
        ),
        (COMPLAINT, {"event": {"spam"}}),
    ],
    # https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
    "Mailtrap": [(DEAD, {"event": {"bounce"}}), (COMPLAINT, {"event": {"spam"}})],
    # https://mailchimp.com/developer/transactional/docs/webhooks/
    "Mandrill": [(DEAD, {"event": {"hard_bounce"}}), (COMPLAINT, {"event": {"spam"}})],
    # https://docs.postalserver.io/developer/webhooks : it says HardFail of whatever it has given
    # up, also of policy.
    "Postal": [(DEAD, {"payload.status": {"hardfail"}, BY_ITS_WORDS: {"true"}})],
    # https://postmarkapp.com/developer/api/bounce-api#bounce-types
    "Postmark": [
        (DEAD, {"RecordType": {"bounce"}, "Type": {"hardbounce", "bademailaddress"}}),
        (COMPLAINT, {"RecordType": {"bounce", "spamcomplaint"}, "Type": {"spamcomplaint"}}),
        (REFUSED, {"Type": {"spamnotification"}}),
    ],
    # https://resend.com/docs/webhooks/emails/bounced , /suppressed , /failed
    # https://resend.com/docs/dashboard/emails/email-bounces
    "Resend": [
        (
            DEAD,
            {
                "type": {"email.bounced"},
                "data.bounce.type": {"permanent"},
                "data.bounce.subType": {"general", "noemail"},
            },
        ),
        (COMPLAINT, {"type": {"email.complained"}}),
        (REFUSED, {"type": {"email.suppressed", "email.failed"}}),
    ],
    # https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#bounced : any other
    # type is "blocked".
    "SendGrid": [
        (
            DEAD,
            {
                "event": {"bounce"},
                "type": {"bounce"},
                "bounce_classification": {"", "invalid address", "unclassified"},
            },
        ),
        (COMPLAINT, {"event": {"spamreport"}}),
    ],
    # https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
    "SparkPost": [
        (
            DEAD,
            {
                "msys.message_event.type": {"bounce", "out_of_band"},
                "msys.message_event.bounce_class": {"10", "30"},
            },
        ),
        (COMPLAINT, {"msys.message_event.type": {"spam_complaint"}}),
    ],
    # https://godocs.unisender.ru/web-api-ref#callback-format
    "Unisender Go": [
        (
            DEAD,
            {
                "status": {"hard_bounced"},
                "delivery_info.delivery_status": {
                    "err_user_unknown",
                    "err_user_inactive",
                    "err_mailbox_discarded",
                    "err_domain_inactive",
                },
            },
        ),
        (COMPLAINT, {"status": {"spam"}}),
    ],
}
MARKS["SendinBlue"] = MARKS["Brevo"]  # its earlier name

# Where a post has the server's words that django-anymail does not hand over as such.
WORDS_IN = {
    "MailerSend": "data.morph.reason",
    "Mailjet": "comment",
    "Resend": "data.bounce.message",
}
WORDS = 1000  # characters of a server's that are looked at
