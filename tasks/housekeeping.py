"""What nobody waits for: signs of life, and cleaning up."""

import zlib
from datetime import timedelta
from itertools import takewhile

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone

from helpdesk.actions.watching import send_digests
from helpdesk.files import stored
from helpdesk.intake.senders import WITHIN
from helpdesk.models import (
    Attempt,
    Counter,
    EmailCode,
    IdempotencyKey,
    Person,
    ProvenDay,
    TokenFamily,
    VerifiedAddress,
)
from helpdesk.people import NOWHERE
from inbound.models import InboundMail, RawMail
from tasks.watchdog import SIGNS

BATCH = 500
COMPRESSED_AT_ONCE = 200
HEARTBEAT = "heartbeat"  # among the signs, for health


@shared_task
def heartbeat() -> None:
    """Written by a worker because the beat asked for it: both are alive."""
    caches[SIGNS].set(HEARTBEAT, timezone.now(), timeout=600)


@shared_task
def digests() -> int:
    """Tells watchers what happened; how many mails that made."""
    return send_digests()


@shared_task
def compress() -> int:
    """Raw mail that has been here for an hour; how many. In small steps: it is never in anybody's
    way."""
    young = InboundMail.objects.filter(
        raw=OuterRef("pk"), received_at__gt=timezone.now() - timedelta(hours=1)
    )
    plain = (
        RawMail.objects.filter(is_compressed=False).order_by("pk").values_list("pk", Exists(young))
    )
    # Their ages first, without their bytes, which are in memory one mail at a time.
    old = takewhile(lambda found: not found[1], list(plain[:COMPRESSED_AT_ONCE]))
    return sum(_compress(pk) for pk, _ in old)


def _compress(pk: int) -> int:
    row = RawMail.objects.filter(pk=pk, is_compressed=False)
    data = row.values_list("data", flat=True).first()
    return row.update(data=zlib.compress(data, 6), is_compressed=True) if data is not None else 0


@shared_task
def clean_up() -> None:
    """Raw mail older than RAW_MAIL_DAYS, files that no attachment names, and what signing in and
    throttling left."""
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()
    TokenFamily.objects.filter(expires_at__lt=timezone.now() - timedelta(days=1)).delete()
    VerifiedAddress.objects.filter(expires_at__lt=timezone.now()).delete()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    # Locks last for AXES_COOLOFF_TIME; who signed in when, and from where, is kept for a month.
    AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - timedelta(days=1)).delete()
    for log in (AccessLog, AccessFailureLog):
        log.objects.filter(attempt_time__lt=timezone.now() - timedelta(days=31)).delete()
    # With their tokens; the person of a registration that was never confirmed is nobody.
    Person.objects.filter(
        registration__expires_at__lt=timezone.now(), email__endswith=NOWHERE
    ).delete()
    Attempt.objects.filter(at__lt=timezone.now() - timedelta(days=31)).delete()
    Counter.objects.filter(expires_at__lt=timezone.now()).delete()
    # Of how many guesses an account bears in a month, those at the codes that are kept count.
    EmailCode.objects.filter(created_at__lt=timezone.now() - timedelta(days=32)).delete()
    ProvenDay.objects.filter(day__lt=(timezone.now() - WITHIN - timedelta(days=1)).date()).delete()
    if settings.RAW_MAIL_DAYS:
        before = timezone.now() - timedelta(days=settings.RAW_MAIL_DAYS)
        unfinished = InboundMail.objects.filter(
            state__in=[InboundMail.State.RECEIVED, InboundMail.State.FAILED]
        )
        old = RawMail.objects.filter(mails__received_at__lt=before).exclude(mails__in=unfinished)
        while pks := list(old.values_list("pk", flat=True)[:BATCH]):
            RawMail.objects.filter(pk__in=pks).delete()
    for name in stored.orphans(timezone.now() - timedelta(days=1)):
        default_storage.delete(name)
    if connection.vendor == "sqlite":
        # It looks again at how its tables have grown, where that is due; PostgreSQL does by itself.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA optimize")
