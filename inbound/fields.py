"""An e-mail address that is the same address whatever its case."""

from typing import Any

from django.db import models


class AddressField(models.EmailField):  # type: ignore[type-arg]
    """Stored and looked up in lower case, so that uniqueness and a plain index need no expression.

    RFC 5321 (2.4) lets a local part be case-sensitive; no mail system that people use makes it so.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.lower() if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.lower() if isinstance(value, str) else value
