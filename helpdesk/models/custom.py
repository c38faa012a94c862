"""What an installation adds to its tickets: tags, fields of its own, and what customers thought of
the answer."""

import re
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from helpdesk.models.ticket import Ticket


class Tag(models.Model):
    name = models.CharField(max_length=50, unique=True)
    tickets = models.ManyToManyField(Ticket, blank=True, related_name="tags")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CustomField(models.Model):
    """A field that this installation wants on its tickets. The values are in `Ticket.custom`, by
    `slug`."""

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        CHOICE = "choice", "Choice"
        NUMBER = "number", "Number"
        DATE = "date", "Date"
        CHECKBOX = "checkbox", "Checkbox"

    slug = models.SlugField(max_length=50, unique=True, help_text="Its name in the API.")
    label = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TEXT)
    choices = models.TextField(blank=True, help_text="For a choice: one a line.")
    is_required = models.BooleanField(
        default=False, help_text="When a ticket is opened in the portal or by the API."
    )
    for_customers = models.BooleanField(default=True, help_text="Customers see it and fill it in.")
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        if self.kind == self.Kind.CHOICE and not self.options():
            raise ValidationError({"choices": "Write the choices, one a line."})

    def options(self) -> list[str]:
        return [line.strip() for line in self.choices.splitlines() if line.strip()]

    def read(self, value: Any) -> Any:
        """The value as it is stored: text, number, ISO date or bool. ValueError says what is wrong
        with it."""
        if value in (None, ""):
            return None
        if self.kind == self.Kind.CHECKBOX:
            if str(value).lower() in {"true", "1", "on", "yes", "false", "0", "off", "no"}:
                return str(value).lower() in {"true", "1", "on", "yes"}
            raise ValueError("must be true or false")
        if self.kind == self.Kind.NUMBER:
            if isinstance(value, bool) or not re.fullmatch(
                r"-?\d{1,15}(\.\d{1,6})?", str(value).strip()
            ):
                raise ValueError("must be a number")
            number = float(str(value))
            return int(number) if number.is_integer() else number
        if not isinstance(value, str):
            raise ValueError("must be text")
        if self.kind == self.Kind.DATE:
            try:
                return date.fromisoformat(value.strip()).isoformat()
            except ValueError:
                raise ValueError("must be a date such as 2026-11-21") from None
        if self.kind == self.Kind.CHOICE and value not in self.options():
            raise ValueError(f"must be one of: {', '.join(self.options())}")
        if len(value) > 2000 or "\0" in value:
            raise ValueError("must have no more than 2000 characters")
        return value


class Rating(models.Model):
    """What the customer thought of how the ticket was handled; a later one replaces it."""

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, related_name="rating")
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    score = models.PositiveSmallIntegerField(help_text="1 (bad) to 5 (very good).")
    words = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.score} for #{self.ticket_id}"
