"""What the API keeps for itself: who is signed in, what was answered already, and addresses just
verified."""

import uuid

from django.db import models
from django.utils import timezone

from inbound.fields import AddressField


class TokenFamily(models.Model):
    """One sign-in: the refresh tokens that followed from each other. Only the newest of them is
    good; an older one that turns up again was stolen, or its thief's was, and ends them all."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.CASCADE, related_name="token_families"
    )
    pin = models.ForeignKey(
        "helpdesk.SupportPin",
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        help_text="What signed in, if one did.",
    )
    current = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class IdempotencyKey(models.Model):
    """The answer to a request that made something, to be given again for a day."""

    owner = models.CharField(
        max_length=100, help_text="The person, or the client of somebody unknown."
    )
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True, help_text="Encrypted: an answer may hold tokens.")
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "path", "key"], name="idempotency_once")
        ]

    def __str__(self) -> str:
        return self.key


class VerifiedAddress(models.Model):
    """Somebody has just shown that they read mail to this address: worth one registration with its
    token, for 15 minutes. The client is worth nothing but an answer to who has no token."""

    address = AddressField()
    client = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(
        null=True, help_text="When somebody without the token asked to register."
    )

    class Meta:
        indexes = [models.Index(fields=["address", "-id"], name="verified_latest")]

    def __str__(self) -> str:
        return str(self.address)


class Registration(models.Model):
    """Somebody asked to register an address and has not shown that they read its mail: worth
    nothing until the link in a mail is followed. Until then `person` has no address and is switched
    off."""

    person = models.OneToOneField("helpdesk.Person", on_delete=models.CASCADE)
    address = AddressField()
    username = models.CharField(max_length=150, blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.address)
