"""That mail was sent. Forgotten, it would go out again: where the database is away just now, it is
waited for."""

import logging
import time
from collections.abc import Sequence

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connection,
    transaction,
)
from django.db.models import QuerySet

from helpdesk.models import OutboundMail
from helpdesk.outbound import delivery, servers
from tasks.leasing import finish, finish_all

log = logging.getLogger(__name__)

WAIT_SECONDS, PAUSE = 60.0, 0.3
Sent = tuple[OutboundMail, str]  # and the provider's own Message-ID, or ""


def write_down(rows: QuerySet[OutboundMail], sent: Sequence[Sent]) -> None:
    """All at once, or else one by one, for as long as the database is waited for."""
    if not sent:
        return
    try:
        if together(rows, sent):
            return
    except (DatabaseError, InterfaceError) as error:
        log.warning("%d mails are sent; to write that down: %s", len(sent), type(error).__name__)
    until = time.monotonic() + WAIT_SECONDS
    for mail, provider_id in sent:
        _alone(rows, mail, provider_id, until)
        servers.works(mail.server)


def together(rows: QuerySet[OutboundMail], sent: Sequence[Sent]) -> bool:
    """False, and nothing is written, where it takes more than one word for all of them: a provider
    has named one, or somebody else has leased it since the lease ran out."""
    if len(sent) < 2 or any(provider_id for _, provider_id in sent):
        return False
    with transaction.atomic():
        outcome = delivery.sent(sent[0][0], "")
        if not finish_all(rows, [mail for mail, _ in sent], held_by="", deaths=0, **outcome):
            transaction.set_rollback(True)
            return False
    for name in dict.fromkeys(mail.server for mail, _ in sent):
        servers.works(name)
    return True


def _alone(
    rows: QuerySet[OutboundMail], mail: OutboundMail, provider_id: str, until: float
) -> None:
    while True:
        try:
            with transaction.atomic():
                outcome = {**delivery.sent(mail, provider_id), "held_by": "", "deaths": 0}
                # Whoever has leased it since sends it again; that it was sent is true all the same.
                if not finish(rows, mail, **outcome) and not _queued(mail).update(**outcome):
                    transaction.set_rollback(True)
            return
        except (DataError, IntegrityError):
            log.exception("outgoing mail %d is sent, and that cannot be written down", mail.pk)
            return
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning(
                "outgoing mail %d is sent; to write that down: %s", mail.pk, type(error).__name__
            )
            connection.close()
            time.sleep(PAUSE)


def _queued(mail: OutboundMail) -> QuerySet[OutboundMail]:
    return OutboundMail.objects.filter(pk=mail.pk, state=OutboundMail.State.QUEUED)
