"""What an installation is by default, where nobody has set anything."""

import os
import stat
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from helpdesk.auth import resets
from inbound.reading.proofs.dmarc import owner
from tests.support.mail import customer

ROOT = Path(settings.BASE_DIR)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "SMTP_TRUSTED"])
def test_nobody_but_this_machine_is_believed_by_default(name: str) -> None:
    assert name not in os.environ
    assert all(ip_network(network).is_loopback for network in getattr(settings, name)), name


def test_every_sealer_that_is_trusted_by_default_is_somebodys_own_domain() -> None:
    assert [
        owner(sealer) for sealer in settings.TRUSTED_ARC_SEALERS
    ] == settings.TRUSTED_ARC_SEALERS


@pytest.mark.django_db
def test_a_link_that_sets_a_password_is_good_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    cleo = customer()
    token, now = resets.tokens.make_token(cleo), resets.tokens._now()
    for minutes, works in ((59, True), (61, False)):
        monkeypatch.setattr(
            resets.Tokens, "_now", lambda self, at=now + timedelta(minutes=minutes): at
        )
        assert resets.tokens.check_token(cleo, token) is works, minutes


@pytest.mark.parametrize(
    ("url", "is_secure"), [("https://help.example", True), ("http://localhost:8000", False)]
)
def test_behind_https_no_cookie_goes_without_it(tmp_path: Path, url: str, is_secure: bool) -> None:
    ask = (
        "from helpdesk import settings as s; "
        "print(bool(s.SESSION_COOKIE_SECURE), bool(s.CSRF_COOKIE_SECURE), s.SECURE_HSTS_SECONDS > 0)"
    )
    env = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "HELPDESK_KEYS": "throwaway",
        "PUBLIC_URL": url,
    }
    said = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, env=env, check=True, capture_output=True, text=True
    )
    assert said.stdout.split() == [str(is_secure)] * 3


def test_a_file_that_is_stored_is_for_nobody_else() -> None:
    path = Path(default_storage.path(default_storage.save("tickets/1/a.txt", ContentFile(b"x"))))
    for found in (path, path.parent, path.parent.parent):
        assert not stat.S_IMODE(found.stat().st_mode) & 0o077, found


# --- docker-compose.yml


def test_compose_believes_its_gateway_alone() -> None:
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert (
        OURS["web"]["environment"]["TRUSTED_PROXIES"]
        == f"${{TRUSTED_PROXIES:-{network['gateway']}}}"
    )
    assert ip_network(network["subnet"]).is_private


def test_compose_opens_the_web_service_to_this_machine_alone() -> None:
    assert OURS["web"]["ports"] == ["${HTTP_PUBLISH:-127.0.0.1:8000}:8000"]


def test_in_compose_nothing_but_our_own_code_reads_what_proxies_say() -> None:
    """uvicorn would believe X-Forwarded-For from whatever FORWARDED_ALLOW_IPS names, before we look
    at it."""
    assert "--no-proxy-headers" in OURS["web"]["command"]


@pytest.mark.parametrize("name", OURS)
def test_in_compose_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "network_mode", "user"} & set(OURS[name])


# --- Migrations


@pytest.mark.django_db
def test_the_migrations_are_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_further_addresses_from_before_the_upgrade_let_nobody_in() -> None:
    operations = import_module("helpdesk.migrations.0014_accounts").Migration.operations
    (field,) = [found.field for found in operations if getattr(found, "name", "") == "may_sign_in"]
    assert field.default is False


@pytest.mark.django_db
def test_what_waits_to_be_sent_keeps_the_copies_that_it_shows() -> None:
    from django.apps import apps

    from helpdesk.models import Comment
    from tests.support.api import a_ticket

    first, other = a_ticket().comments.get(), a_ticket().comments.get()
    cc = [["Dan", "dan@example.net"]]

    class Rows:
        """The outbox as it was, with its column `cc`."""

        objects: Any = None

        def filter(self, **how: object) -> "Rows":
            assert how == {"state": "queued", "kind": "reply"}
            return self

        exclude = lambda self, **how: self  # noqa: E731
        values_list = lambda self, *names: [(first.pk, cc)]  # noqa: E731

    Rows.objects = Rows()

    class Then:
        def get_model(self, app: str, name: str) -> Any:
            return Rows if name == "OutboundMail" else apps.get_model(app, name)

    import_module("helpdesk.migrations.0009_everyone_is_heard").once_per_comment(Then(), None)
    assert Comment.objects.get(pk=first.pk).shown_to == cc
    assert Comment.objects.get(pk=other.pk).shown_to == []
