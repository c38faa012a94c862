"""People: customers, agents and admins are one table, told apart by `role`."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from helpdesk.languages import LANGUAGES
from inbound.fields import AddressField

if TYPE_CHECKING:
    from helpdesk.models.codes import SupportPin


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        if not email or "@" not in email:
            raise ValueError("email: must be an e-mail address")
        person = self.model(email=email.strip().lower(), **fields)
        person.set_password(password)  # None gives a password that never matches
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        return self.create_user(email, password, **{**fields, "role": Person.Role.ADMIN})


class Person(AbstractBaseUser):
    """Someone who writes in, answers, or looks after the helpdesk.

    A customer who has only written mail is a `user` whose password never matches.
    """

    class Role(models.TextChoices):
        USER = "user", "Customer"
        AGENT = "agent", "Agent"
        ADMIN = "admin", "Admin"

    email = AddressField(unique=True)
    username = models.CharField(
        max_length=150, unique=True, null=True, blank=True, help_text="For API clients."
    )
    name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.USER)
    is_active = models.BooleanField(
        default=True, help_text="Off instead of deleting: what they wrote stays."
    )
    is_away = models.BooleanField(default=False, help_text="Is given no tickets by itself.")
    calendar = models.ForeignKey(
        "helpdesk.BusinessCalendar",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="agents",
        verbose_name="working hours",
    )
    skills = models.ManyToManyField("helpdesk.Category", blank=True, related_name="experts")
    last_given_at = models.DateTimeField(
        null=True, editable=False, help_text="When a ticket was last given to them."
    )
    language = models.CharField(
        max_length=5,
        blank=True,
        choices=LANGUAGES,
        help_text="Of mail to them; empty: not known.",
    )
    links_void_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Links that set a password and were sent before are void: one came back.",
    )
    muted = models.JSONField(
        default=list, blank=True, help_text="The kinds of mail they don't want."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PersonManager()

    # The support PIN by which this request came in, if one did: they see what its issuer may see
    # (helpdesk.access).
    let_in_by: "SupportPin | None" = None

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name_plural = "people"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=["user", "agent", "admin"]), name="person_role_is_known"
            )
        ]
        indexes = [
            models.Index(
                fields=["name"],
                condition=models.Q(role__in=["agent", "admin"]),
                name="person_staff",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        return self.is_active and self.role in STAFF_ROLES

    @property
    def is_superuser(self) -> bool:
        return self.is_active and self.role == self.Role.ADMIN

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Configuration is for admins; what agents may do is decided in helpdesk.access."""
        return self.is_superuser

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] or self.email

    def signs_in_as(self) -> str:
        """Whatever proves who they are changes this: sessions, tokens and links that were made with
        it before are over."""
        return f"{self.pk}\0{self.password}\0{self.email}\0{self.role}"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's covers the password alone. Who came in as a customer, by a code or a PIN, does
        # not become staff.
        return salted_hmac(
            "session", self.signs_in_as(), secret=secret, algorithm="sha256"
        ).hexdigest()


STAFF_ROLES = (Person.Role.AGENT, Person.Role.ADMIN)


class PersonAddress(models.Model):
    """A further address of a person, beside `Person.email`: what is written from it is theirs.

    Signing in is another matter: From is whatever its sender typed, and a mailbox that was given up
    may be somebody else's tomorrow.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="addresses")
    address = AddressField(unique=True)
    may_sign_in = models.BooleanField(
        "may sign in",
        default=False,
        help_text="Codes and links that sign in go there, too; not to one that was given up.",
    )
    given_up_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When they changed to another one: mail may be on its way from it, none goes "
        "to it.",
    )

    class Meta:
        verbose_name = "further address"
        verbose_name_plural = "further addresses"

    def __str__(self) -> str:
        return str(self.address)
