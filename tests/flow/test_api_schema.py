"""What the OpenAPI schema promises is so: requests made from it by Schemathesis, right ones and
wrong ones."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from helpdesk import actions
from helpdesk.api import tokens
from helpdesk.models import Attachment, Category, CustomField, Team
from tests.support.api import PNG, Api, a_file, a_ticket, admin
from tests.support.mail import agent, customer, mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

# More by hand, and right and wrong by both: SCHEMA_EXAMPLES=100 finds what is rare.
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "3"))
QUIET = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(settings) -> dict[str, int | str]:
    """Something of everything; what the paths' parameters name."""
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 10**6
    settings.AXES_ENABLED = False
    cache.clear()
    mailbox(), Team.objects.create(name="First line"), Category.objects.create(name="Billing")
    CustomField.objects.create(slug="floor", label="Floor", kind="number")
    ticket, mine = a_ticket(), a_ticket("Mine")
    actions.assign(mine, agent(), actor=agent())
    comment = (
        Api(customer())
        .upload(f"/api/tickets/{ticket.pk}/comments/", {"body": "Hm", "file": a_file(PNG)})
        .json()["id"]
    )
    Api(agent())("POST", f"/api/tickets/{mine.pk}/comments/", {"body": "Hm"})
    file = Attachment.objects.get()
    return {
        "id": ticket.pk,
        "ticket": ticket.pk,
        "comment": comment,
        "message_id": comment,
        "profile_id": customer().pk,
        "name": file.file.name.rpartition("/")[2],
        "file": file.pk,
    }


@pytest.fixture(autouse=True)
def _one_connection(world: dict[str, int | str]) -> Iterator[None]:
    """As Django's own test client does it: a request must not close the connection that
    holds the test's transaction. (That client undoes it after each request.)"""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


ROUNDS = [
    ("a customer", "right"),
    ("an admin", "wrong"),
    *([("a customer", "wrong"), ("an admin", "right")] if EXAMPLES > 3 else []),
]


@pytest.mark.parametrize(("who", "kind"), ROUNDS)
def test_every_answer_is_one_that_the_schema_knows(
    who: str, kind: str, world: dict[str, Any]
) -> None:
    # Here, for every process of a run reads this file and one of them runs it.
    import schemathesis
    from schemathesis import GenerationMode, checks
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi import checks as conformance

    mode = GenerationMode.POSITIVE if kind == "right" else GenerationMode.NEGATIVE
    checked = [
        checks.not_a_server_error,
        conformance.status_code_conformance,
        conformance.content_type_conformance,
        conformance.response_schema_conformance,
        conformance.response_headers_conformance,
    ]
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    access = tokens.issue(customer() if who == "a customer" else admin())["access"]
    wrong: list[str] = []
    statuses: set[int] = set()

    def run(case: Any, known: bool) -> None:
        for name in case.path_parameters or {}:
            if known and name in world:
                case.path_parameters[name] = world[
                    "file" if name == "id" and "/attachments/" in case.path else name
                ]
        with transaction.atomic():
            try:
                response = case.call(headers={"Authorization": f"Bearer {access}"})
                statuses.add(response.status_code)
                case.validate_response(response, checks=checked)
            finally:
                transaction.set_rollback(True)

    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            QUIET(
                given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())(run)
            )()
        except Unsatisfiable:
            continue  # nothing can be wrong where nothing is asked for
        except (FailureGroup, Exception) as failure:
            wrong.append(f"{operation.method.upper()} {operation.path}: {str(failure)[:1500]}")
    assert not wrong, "\n\n".join(wrong)
    assert statuses >= ({200, 201} if kind == "right" else {400})
