"""Signing in by e-mail address, whatever its case, with a password."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from helpdesk import people
from helpdesk.models import Person


class EmailBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **credentials: Any
    ) -> Person | None:
        address = username or credentials.get("email")
        if not address or password is None:
            return None
        person = people.who_signs_in(address)
        if person is None:
            make_password(password)  # as slow as a real check: the time must not say who has an account
            return None
        return person if person.check_password(password) and person.is_active else None

    def get_user(self, user_id: int) -> Person | None:
        return Person.objects.filter(pk=user_id, is_active=True).first()
