"""What the portal asks for: an address; and a new request, with this installation's own fields."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from helpdesk.models import Category, CustomField, Ticket
from helpdesk.request_data import AddressField

PRIORITIES = [
    (Ticket.Priority.LOW, _("Low")),
    (Ticket.Priority.NORMAL, _("Normal")),
    (Ticket.Priority.HIGH, _("High")),
    (Ticket.Priority.URGENT, _("Urgent")),
]


class AddressForm(forms.Form):
    email = AddressField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class TicketForm(forms.Form):
    """`given()` is what helpdesk.submissions.open_for takes."""

    title = forms.CharField(label=_("Subject"), max_length=500)
    description = forms.CharField(
        label=_("What is it about?"), max_length=100_000, widget=forms.Textarea(attrs={"rows": 8})
    )

    def __init__(
        self,
        *args: Any,
        fields: Sequence[CustomField],
        categories: Sequence[Category],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.custom = fields
        if categories:
            self.fields["category"] = forms.ModelChoiceField(
                Category.objects.all(),
                label=_("Category"),
                required=False,
                empty_label=_("Not sure"),
            )
        if self.with_priority:
            self.fields["priority"] = forms.TypedChoiceField(
                label=_("Priority"),
                choices=PRIORITIES,
                coerce=int,
                initial=Ticket.Priority.NORMAL,
                required=False,
                empty_value=int(Ticket.Priority.NORMAL),  # type: ignore[arg-type]
            )
        for field in fields:
            self.fields[f"custom_{field.slug}"] = _as_form_field(field)

    with_priority = True

    def given(self) -> dict[str, Any]:
        data = self.cleaned_data
        custom = {field.slug: data.get(f"custom_{field.slug}") for field in self.custom}
        return {
            "title": data.get("title", ""),
            "description": data["description"],
            "category": data.get("category"),
            "priority": data.get("priority") or Ticket.Priority.NORMAL,
            "name": data.get("name", ""),
            "email": data.get("email", ""),
            "custom_fields": {
                name: str(value) for name, value in custom.items() if value not in (None, "")
            },
        }


class GuestForm(TicketForm):
    """For whoever is not signed in. The answer comes by mail."""

    with_priority = False
    name = forms.CharField(
        label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    email = AddressField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    field_order = ["name", "email", "title", "description"]


def _as_form_field(field: CustomField) -> forms.Field:
    shared: dict[str, Any] = {"label": field.label, "required": field.is_required}
    if field.kind == CustomField.Kind.CHOICE:
        return forms.ChoiceField(
            choices=[("", "—"), *((option, option) for option in field.options())], **shared
        )
    if field.kind == CustomField.Kind.NUMBER:
        return forms.DecimalField(max_digits=18, decimal_places=6, **shared)
    if field.kind == CustomField.Kind.DATE:
        return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **shared)
    if field.kind == CustomField.Kind.CHECKBOX:
        return forms.BooleanField(label=field.label, required=field.is_required)
    return forms.CharField(max_length=2000, **shared)
