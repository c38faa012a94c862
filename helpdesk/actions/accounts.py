"""What an account rests on: its password, the link that sets a new one, and its address."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from helpdesk import people, throttle
from helpdesk.actions import codes
from helpdesk.auth.resets import tokens
from helpdesk.models import EmailCode, Person, PersonAddress, SupportPin
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from inbound.default_mailbox import default_mailbox

HOUR = timedelta(hours=1)


def set_password(person: Person, password: str) -> None:
    """Every sign-in from before is over: sessions and tokens carry a mark of the password."""
    person.set_password(password)
    person.save(update_fields=["password"])


def send_password_link(address: str, *, link: str, client: str, for_staff: bool = False) -> None:
    """Mails `link`, with its {uid} and {token} filled in, to the active person who signs in with
    that address (one of the staff, with `for_staff`). For everybody else the same work is done and
    no mail goes out.

    Raises Throttled, for what that client does and for nothing else: of more than five links in an
    hour the others are not sent, as the earlier ones are good until then.
    """
    throttle.take(f"reset-from {throttle.client_key(client)}", 20, HOUR)
    person = people.who_signs_in(address)
    send = person is not None and person.is_active and (person.is_staff or not for_staff)
    try:
        throttle.take(f"reset-to {person.email if person else people.plain(address)}", 5, HOUR)
    except throttle.Throttled:
        send = False
    mailbox = default_mailbox("identity")
    if mailbox is None:
        raise Refused("There is no mailbox to send a link from.")
    somebody = person or Person(pk=0, email=address, password="")
    filled = link.format(
        uid=urlsafe_base64_encode(force_bytes(somebody.pk)), token=tokens.make_token(somebody)
    )
    notify.password_reset(
        somebody.email,
        person,
        filled,
        mailbox,
        send=send,
        expires_at=timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    )


def ask_for_new_address(person: Person, address: str, *, client: str) -> None:
    """Two codes go out: to the present address, which confirms the change, and to the new one,
    which is shown to be theirs. Raises Throttled."""
    asker = _asker(person)
    codes.send_code(
        EmailCode.Purpose.CONFIRM,
        person.email,
        asker=asker,
        client=client,
        subject=_change_to(address),
    )
    codes.send_code(
        EmailCode.Purpose.VERIFY, address, asker=asker, client=client, language=person.language
    )


def change_address(person: Person, address: str, *, confirmation: str, verification: str) -> None:
    """The person's mail goes to `address` from now on. What comes from the old one is still theirs,
    as mail may be on its way; it lets nobody in, and every sign-in, link and PIN from before is
    over.

    `confirmation` is the code that went to the present address, `verification` the one that went to
    the new one. Raises Refused.
    """
    address = address.strip().lower()
    for use in (False, True):  # a slip in one leaves the other as it was
        codes.take_code(
            EmailCode.Purpose.VERIFY, address, verification, asker=_asker(person), use=use
        )
        codes.take_code(
            EmailCode.Purpose.CONFIRM,
            person.email,
            confirmation,
            asker=_asker(person),
            subject=_change_to(address),
            use=use,
        )
    with transaction.atomic():
        owner = people.find(address)
        if owner is not None and owner.pk != person.pk:
            raise Refused("This address belongs to somebody already.", "email")
        PersonAddress.objects.filter(address=address, person=person).delete()
        old, person.email = person.email, address
        person.save(update_fields=["email"])
        now = timezone.now()
        PersonAddress.objects.create(person=person, address=old, given_up_at=now)
        SupportPin.objects.filter(person=person, used_at=None, revoked_at=None).update(
            revoked_at=now
        )


def _change_to(address: str) -> str:
    return f"address {address.strip().lower()}"[:200]


def _asker(person: Person) -> str:
    return f"person {person.pk}"
