"""What proves who someone is without a password: a code by mail, or a PIN that staff hand out."""

from django.db import models
from django.utils import timezone

from inbound.fields import AddressField


class EmailCode(models.Model):
    """Digits sent to an address. Only a keyed hash is kept; they work once, for a while, for few
    tries. What others try takes none from whoever asked."""

    class Purpose(models.TextChoices):
        VERIFY = "verify", "Verify an address"
        SIGN_IN = "sign-in", "Sign in"
        CONFIRM = "confirm", "Confirm a change"

    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    address = AddressField()
    account = AddressField(
        help_text="Whose it is: the main address of whoever signs in with it, or it itself."
    )
    asker = models.CharField(max_length=100, help_text="The session or client that asked.")
    subject = models.CharField(
        max_length=200, blank=True, help_text="What it confirms, where it confirms something."
    )
    is_long = models.BooleanField(default=False)
    same_as = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        help_text="Whose digits it has, where no mail of its own went out.",
    )
    code_hash = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    tries_elsewhere = models.PositiveSmallIntegerField(
        default=0, help_text="By another client than asked."
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["address", "purpose", "asker", "-id"], name="emailcode_latest"),
            models.Index(fields=["account", "is_long", "created_at"], name="emailcode_account"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} code for {self.address}"


class SupportPin(models.Model):
    """A single-use PIN that staff issue to a customer. It is shown once; only its HMAC is kept."""

    person = models.ForeignKey("helpdesk.Person", on_delete=models.CASCADE, related_name="pins")
    pin_hmac = models.CharField(max_length=64, unique=True)
    issued_by = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    ticket = models.ForeignKey(
        "helpdesk.Ticket",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="On whose page it was issued.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_from = models.CharField(max_length=100, blank=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "support PIN"
        indexes = [models.Index(fields=["person", "-id"], name="supportpin_person")]

    def __str__(self) -> str:
        return f"PIN {self.pk} for {self.person_id}"


class Attempt(models.Model):
    """Something that is throttled happened: counted per `key` over a window, in the database, so
    that every process counts the same."""

    key = models.CharField(max_length=300)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["key", "at"], name="attempt_count")]

    def __str__(self) -> str:
        return self.key


class Counter(models.Model):
    """How often something happened under `key` until now: for what the cache counts, while the
    cache is away."""

    key = models.CharField(max_length=300, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
