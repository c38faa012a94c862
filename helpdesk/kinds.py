"""The kinds of mail that the helpdesk sends. A new kind is a line here and its templates in templates/mail/."""

from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext_lazy as _


class To(Enum):
    CUSTOMER = "customer"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Kind:
    """`can_mute`: whether people may choose not to get it. `is_bulk`: it comes by itself, again and again.
    `replies_stay_inside`: an agent's reply to it is a note, and not an answer to the customer."""

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
        Kind("acknowledgement", _("Your request has arrived"), To.CUSTOMER, null_return_path=True),
        Kind("reply", _("An answer to your request"), To.CUSTOMER, is_automatic=False, can_mute=False),
        Kind("status_changed", _("Your request is resolved"), To.CUSTOMER),
        Kind("code", _("One-time code"), To.CUSTOMER, can_mute=False, is_secret=True),
        Kind("pin_issued", _("A PIN is issued to me"), To.CUSTOMER, can_mute=False),
        Kind("pin_used", _("Somebody signs in with my PIN"), To.CUSTOMER, can_mute=False),
        Kind("registration", _("Confirm your registration"), To.CUSTOMER, can_mute=False, is_secret=True),
        Kind("password_reset", _("Password reset"), To.CUSTOMER, can_mute=False, is_secret=True),
        Kind("assigned", _("A ticket is assigned to me"), To.STAFF),
        Kind("customer_replied", _("A customer replied on my ticket"), To.STAFF),
        Kind("held", _("A mail on my ticket is held"), To.STAFF, replies_stay_inside=True),
        Kind("in_your_name", _("A mail in my name is held"), To.STAFF, can_mute=False, replies_stay_inside=True),
        Kind("mentioned", _("Someone mentions me in a note"), To.STAFF, replies_stay_inside=True),
        Kind("digest", _("Something happens on a ticket I watch"), To.STAFF, is_bulk=True),
        Kind("sla_warning", _("A ticket will soon miss its time"), To.STAFF),
        Kind("sla_breach", _("A ticket has missed its time"), To.STAFF),
        Kind("delivery_failed", _("My answer could not be delivered"), To.STAFF),
    )
}


def muteable(audience: To) -> list[Kind]:
    """What somebody of that audience may turn off."""
    return [kind for kind in KINDS.values() if kind.to is audience and kind.can_mute]
