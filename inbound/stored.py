"""Whether a mail is stored already, and by what that is known: the transport's key, the bytes, or
the Message-ID with the body."""

import hashlib
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from inbound.glance import glance_at
from inbound.models import InboundMail
from inbound.returned import without_secrets


def known(keys: Iterable[str]) -> set[str]:
    """Those of the keys under which a mail is stored."""
    found = InboundMail.objects.filter(transport_key__in=list(keys)).values_list(
        "transport_key", flat=True
    )
    return {str(key) for key in found}


def earlier(raw: bytes, mails: QuerySet[InboundMail]) -> InboundMail | None:
    """The first of `mails` that is this one: the same bytes, or the same Message-ID and body."""
    return mails.filter(same_as(raw)).order_by("pk").first()


def same_as(raw: bytes) -> Q:
    glance = glance_at(without_secrets(raw).raw)
    same = Q(sha256=glance.sha256)
    if glance.message_id:
        same |= Q(message_id=glance.message_id, body_sha256=glance.body_sha256)
    return same


def digest(raw: bytes) -> str:
    """What a mail of these bytes is found by: InboundMail.sha256."""
    return hashlib.sha256(without_secrets(raw).raw).hexdigest()
