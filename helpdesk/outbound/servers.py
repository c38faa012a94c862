"""Does a mailbox's mail server work just now? Each mailbox has its own row, also where they share
one.

A server that fails several times in a row is left alone for a while (the circuit is open): its mail
waits without dialling, then one mail tries.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from helpdesk.models import MailServer, OutboundMail
from helpdesk.outbound.whose_fault import Whose

FAULTS = 3  # in a row, before the circuit opens
FAULTS_KEPT = 20
SHORTEST, LONGEST = timedelta(seconds=15), timedelta(minutes=1)


def wait_until(mail: OutboundMail) -> datetime | None:
    """When the mail may be tried, if its server is known to fail; None where it may be now.

    Of those who ask once the time has come, one is let through; the others wait for what it finds.
    """
    now = timezone.now()
    server = MailServer.objects.filter(name=mail.server).first()
    if server is None or server.open_until is None:
        return None
    if server.open_until <= now:
        probing = MailServer.objects.filter(pk=server.pk, open_until=server.open_until).update(
            open_until=now + SHORTEST
        )
        return None if probing else now + SHORTEST
    return server.open_until


def failed(name: str, error: str, *, refused: int | None = None) -> None:
    """A fault of the server, not of one mail. `refused` is the mail that the server had something
    against, which may be the mail's own fault: however often it is tried, it counts once until
    another is taken."""
    now = timezone.now()
    MailServer.objects.get_or_create(name=name)
    with transaction.atomic():
        server = MailServer.objects.select_for_update().get(name=name)
        if refused is None:
            server.faults += 1
        elif refused not in server.refused:
            server.refused = [*server.refused, refused][-FAULTS_KEPT:]
        server.error, server.failing_since = error[:2000], server.failing_since or now
        if server.faults + len(server.refused) >= FAULTS:
            server.open_until = now + min(LONGEST, max(SHORTEST, (now - server.failing_since) / 4))
        server.save()


def works(name: str) -> None:
    """A mail was taken. Where the circuit was open, all that waited is due: what the server
    refused, too."""
    _settle(name, faults=0, refused=[], worked_at=timezone.now())


def is_there(name: str) -> None:
    """The server has said something against a mail or its recipient: it is reached. That it takes
    mail is not said."""
    if MailServer.objects.filter(name=name, refused=[]).exists():
        _settle(name, faults=0)


def _settle(name: str, **fresh: Any) -> None:
    fresh |= {"open_until": None, "failing_since": None, "error": ""}
    doubted = MailServer.objects.filter(Q(faults__gt=0) | ~Q(refused=[]), name=name)
    if not doubted.exists():  # nearly always
        return
    was_open = doubted.filter(open_until__isnull=False).update(**fresh)
    doubted.update(**fresh)
    if was_open:
        _waiting(name).filter(held_by="").update(next_attempt_at=timezone.now(), reason="")


def takes_others(mail: OutboundMail) -> bool:
    """Whether another mail of its mailbox was taken after this one was refused last."""
    return (
        bool(mail.refused_at)
        and MailServer.objects.filter(name=mail.server, worked_at__gt=mail.refused_at).exists()
    )


WAITS = "the mail server fails"
OURS = (Whose.SERVER, Whose.POLICY, Whose.UNCLEAR)
DOUBT = timedelta(minutes=1)


def failing() -> list[MailServer]:
    """Those that do not work, for health and the staff pages: mail waits, and the circuit is
    open, or the last that was heard a while ago is a fault."""
    doubted = Q(failing_since__lt=timezone.now() - DOUBT)
    found = MailServer.objects.filter(Q(open_until__isnull=False) | doubted).order_by("name")
    return [server for server in found if _waiting(server.name).exists()]


def forget(name: str) -> None:
    """It may be another by now: what waits for it is tried at once."""
    MailServer.objects.filter(name=name).delete()
    _waiting(name).filter(held_by="").update(next_attempt_at=timezone.now(), reason="")


def _waiting(name: str) -> QuerySet[OutboundMail]:
    """What waits for that server to work, or was refused while it may not have worked."""
    reasons = [WAITS, *(whose.value for whose in OURS)]
    return OutboundMail.objects.filter(
        mailbox__address=name, state=OutboundMail.State.QUEUED, reason__in=reasons
    )
