"""The kinds of mail that the helpdesk sends. A new kind is a line here and its templates in
templates/mail/."""

from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext_lazy as _


class To(Enum):
    CUSTOMER = "customer"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class MailKind:
    """`can_mute`: whether people may choose not to get it. `is_bulk`: it comes by itself, again and
    again. `replies_stay_inside`: an agent's reply to it is a note, and not an answer to the
    customer."""

    slug: str
    title: object
    to: To
    is_automatic: bool = True
    can_mute: bool = True
    is_secret: bool = False
    is_bulk: bool = False
    null_return_path: bool = False
    replies_stay_inside: bool = False


KINDS = {
    kind.slug: kind
    for kind in (
        MailKind(
            "acknowledgement", _("Your request has arrived"), To.CUSTOMER, null_return_path=True
        ),
        MailKind(
            "reply", _("An answer to your request"), To.CUSTOMER, is_automatic=False, can_mute=False
        ),
        MailKind("status_changed", _("Your request is resolved"), To.CUSTOMER),
        MailKind("code", _("One-time code"), To.CUSTOMER, can_mute=False, is_secret=True),
        MailKind("pin_issued", _("A PIN is issued to me"), To.CUSTOMER, can_mute=False),
        MailKind("pin_used", _("Somebody signs in with my PIN"), To.CUSTOMER, can_mute=False),
        MailKind(
            "registration",
            _("Confirm your registration"),
            To.CUSTOMER,
            can_mute=False,
            is_secret=True,
        ),
        MailKind(
            "password_reset", _("Password reset"), To.CUSTOMER, can_mute=False, is_secret=True
        ),
        MailKind("assigned", _("A ticket is assigned to me"), To.STAFF),
        MailKind("customer_replied", _("A customer replied on my ticket"), To.STAFF),
        MailKind("held", _("A mail on my ticket is held"), To.STAFF, replies_stay_inside=True),
        MailKind(
            "in_your_name",
            _("A mail in my name is held"),
            To.STAFF,
            can_mute=False,
            replies_stay_inside=True,
        ),
        MailKind(
            "mentioned", _("Someone mentions me in a note"), To.STAFF, replies_stay_inside=True
        ),
        MailKind("digest", _("Something happens on a ticket I watch"), To.STAFF, is_bulk=True),
        MailKind("sla_warning", _("A ticket will soon miss its time"), To.STAFF),
        MailKind("sla_breach", _("A ticket has missed its time"), To.STAFF),
        MailKind("delivery_failed", _("My answer could not be delivered"), To.STAFF),
    )
}


def muteable(audience: To) -> list[MailKind]:
    """What somebody of that audience may turn off."""
    return [kind for kind in KINDS.values() if kind.to is audience and kind.can_mute]
