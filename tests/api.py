"""Talking to the API as its clients do."""

import json
from typing import Any

from django.test import Client

from helpdesk.api import tokens
from helpdesk.models import Person


class Api:
    """A client, signed in as somebody or as nobody. Answers are Django's test responses."""

    def __init__(self, person: Person | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {tokens.issue(person)['access']}"} if person else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Header names as keywords: if_match='"1"'."""
        more = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.generic(
            method, path, "" if body is None else json.dumps(body), content_type="application/json", headers=more
        )

    def upload(self, path: str, data: dict[str, Any], **headers: str) -> Any:
        more = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post(path, data, headers=more)
