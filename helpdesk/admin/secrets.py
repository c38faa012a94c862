"""Secrets in forms: written, never shown again, and not handed to anybody else."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class KeptSecret(forms.CharField):
    """A secret that is written and never shown again: left empty it stays, "-" takes it away."""

    def __init__(self, *, rows: int = 1, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(
            attrs={"rows": rows, "autocomplete": "off", "spellcheck": "false"}
        )
        super().__init__(required=False, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ""


class KeepsSecrets(forms.ModelForm):  # type: ignore[type-arg]
    """A secret is for those alone whom it was entered for: who changes where it goes must know
    it."""

    secret_fields: tuple[str, ...] = ()
    goes_to: dict[str, tuple[str, ...]] = {}  # the fields that say to whom a secret is handed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in self.secret_fields:
            given = cleaned.get(name, "").strip()
            # `initial` is what the database holds.
            cleaned[name] = "" if given == "-" else given or self.initial.get(name, "")
            changed = [field for field in self.goes_to.get(name, ()) if field in self.changed_data]
            if changed and not given and cleaned[name]:
                what = ", ".join(
                    str(self.fields[field].label or field).lower() for field in changed
                )
                self.add_error(name, f"Enter it again: it was stored for another {what}.")
        return cleaned
