"""A provider's configuration: complete at the start and in a mailbox's form, or refused there by
the name of what is missing. Nobody is asked over the network."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import get_connection

from helpdesk.checks import mail_backend
from helpdesk.env.server_url import providers, read_mail_url
from helpdesk.models import Identity
from tests.support.mail import mailbox

ROOT = Path(__file__).resolve().parents[3]
SECRET = "Zq9Xv7secretWm3"
AWS = {"aws_access_key_id": SECRET, "aws_secret_access_key": SECRET, "region_name": "eu-central-1"}
# django-anymail's documentation, what each cannot do without.
NEEDED = {
    "amazon_ses": {"AMAZON_SES_CLIENT_PARAMS": AWS},
    "brevo": {"BREVO_API_KEY": SECRET},
    "mailersend": {"MAILERSEND_API_TOKEN": SECRET},
    "mailgun": {"MAILGUN_API_KEY": SECRET},
    "mailjet": {"MAILJET_API_KEY": SECRET, "MAILJET_SECRET_KEY": SECRET},
    "mailtrap": {"MAILTRAP_API_TOKEN": SECRET},
    "mandrill": {"MANDRILL_API_KEY": SECRET},
    "postal": {"POSTAL_API_KEY": SECRET, "POSTAL_API_URL": "https://postal.example.com/api"},
    "postmark": {"POSTMARK_SERVER_TOKEN": SECRET},
    "resend": {"RESEND_API_KEY": SECRET},
    "scaleway": {"SCALEWAY_SECRET_KEY": SECRET, "SCALEWAY_PROJECT_ID": "1"},
    "sendgrid": {"SENDGRID_API_KEY": SECRET},
    "sendinblue": {"SENDINBLUE_API_KEY": SECRET},
    "sparkpost": {"SPARKPOST_API_KEY": SECRET},
    "unisender_go": {
        "UNISENDER_GO_API_KEY": SECRET,
        "UNISENDER_GO_API_URL": "https://go1.unisender.ru/ru/transactional/api/v1/",
    },
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and no configuration of AWS on this machine."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"the network was asked: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def said(settings: Any, provider: str, **anymail: object) -> str:
    settings.EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
    settings.ANYMAIL = anymail
    return "".join(found.msg for found in mail_backend.way_out())


def test_every_provider_is_here() -> None:
    assert sorted(NEEDED) == providers()


@pytest.mark.filterwarnings("ignore:.*sendinblue.*")
@pytest.mark.parametrize("provider", NEEDED)
def test_what_is_complete_passes(settings, provider: str) -> None:
    assert said(settings, provider, **NEEDED[provider]) == ""


@pytest.mark.filterwarnings("ignore:.*sendinblue.*")
@pytest.mark.parametrize(
    ("provider", "name"),
    [
        (provider, name)
        for provider, given in NEEDED.items()
        if provider != "amazon_ses"
        for name in given
    ],
)
def test_what_is_missing_is_named(settings, provider: str, name: str) -> None:
    found = said(
        settings,
        provider,
        **{other: value for other, value in NEEDED[provider].items() if other != name},
    )
    assert found.startswith("EMAIL_URL: ")
    assert f"ANYMAIL_{name}" in found or (
        name == "SENDGRID_API_KEY" and "ANYMAIL_SENDGRID" in found
    )
    assert SECRET not in found


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs a region"),
        ({"region_name": "eu-central-1", "aws_access_key_id": SECRET}, "needs both"),
        ({"region_name": "eu-central-1", "aws_secret_access_key": SECRET}, "needs both"),
        ({"region_name": f"eu central {SECRET}"}, "not right"),
        ({"region_name": "eu-central-1", "endpoint_url": SECRET}, "not right"),
        ({"region_name": "eu-central-1", SECRET: 1}, "not right"),
        ({"region_name": "eu-central-1", "config": {SECRET: 1}}, "not complete"),
    ],
    ids=str,
)
def test_amazons_client_is_built(settings, params: dict[str, Any], words: str) -> None:
    found = said(settings, "amazon_ses", AMAZON_SES_CLIENT_PARAMS=params)
    assert words in found
    assert SECRET not in found


def test_amazons_credentials_may_come_from_elsewhere(settings) -> None:
    """A role of the machine is asked for over the network, when mail is sent."""
    assert (
        said(settings, "amazon_ses", AMAZON_SES_CLIENT_PARAMS={"region_name": "eu-central-1"}) == ""
    )
    given = {
        "aws_access_key_id": SECRET,
        "aws_secret_access_key": SECRET,
        "region_name": "eu-central-1",
    }
    assert said(settings, "amazon_ses", AMAZON_SES_SESSION_PARAMS=given) == ""


def test_other_ways_out_are_no_concern_of_it(settings) -> None:
    for backend in (
        "helpdesk.outbound.to_files.EmailBackend",
        "helpdesk.outbound.to_smtp.EmailBackend",
    ):
        settings.EMAIL_BACKEND = backend
        assert mail_backend.way_out() == []


# --- A mailbox's form


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("anymail://postmark", "ANYMAIL_POSTMARK_SERVER_TOKEN"),
        (f"anymail://mailjet?api_key={SECRET}", "ANYMAIL_MAILJET_SECRET_KEY"),
        (f"anymail://amazon_ses?client_params={SECRET}", "client_params must be a JSON object"),
        (
            'anymail://amazon_ses?client_params={"region_name":',
            "client_params must be a JSON object",
        ),
        ('anymail://amazon_ses?client_params={"aws_access_key_id":"x"}', "needs"),
        (f"anymail://{SECRET}@postmark", "must be anymail://PROVIDER"),
        (f"smtp://user:{SECRET}/x@relay", "percent-encoded"),
        (f"smtp://user:{SECRET}℀@relay", "percent-encoded"),
        (f"file:/{SECRET}", "must begin with"),
    ],
)
@pytest.mark.django_db
def test_the_form_says_what_is_wrong_and_repeats_nothing(url: str, words: str) -> None:
    identity = Identity(mailbox=mailbox(), email_url=url)
    with pytest.raises(ValidationError) as caught:
        identity.full_clean()
    (found,) = caught.value.message_dict["email_url"]
    assert words in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "url",
    [
        'anymail://amazon_ses?client_params={"region_name":"eu-central-1"}',
        "anymail://amazon_ses?client_params=%7B%22region_name%22%3A%20%22eu-central-1%22%7D&configuration_set_name=x",
        "anymail://postmark?server_token=x",
        "smtp+tls://user:p%40ss@relay.example.com",
    ],
)
def test_what_is_right_is_taken(url: str) -> None:
    mail_backend.check_url(url)
    found = read_mail_url(url)
    get_connection(found.backend, **found.options)


# --- The start


def start(tmp_path: Path, command: str, **given: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "HELPDESK_KEYS": "throwaway",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/none",
        "SMTP_ADDR": "off",
        **given,
    }
    return subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"EMAIL_URL": "anymail://postmark"}, "ANYMAIL_POSTMARK_SERVER_TOKEN"),
        (
            {"EMAIL_URL": "anymail://postmark", "ANYMAIL_POSTMARK_SERVER_TOKEN": ""},
            "ANYMAIL_POSTMARK_SERVER_TOKEN",
        ),
        ({"EMAIL_URL": "anymail://amazon_ses"}, "ANYMAIL_AMAZON_SES_CLIENT_PARAMS"),
        (
            {
                "EMAIL_URL": "anymail://amazon_ses",
                "ANYMAIL_AMAZON_SES_CLIENT_PARAMS": f"region_name={SECRET}",
            },
            "ANYMAIL_AMAZON_SES_CLIENT_PARAMS",
        ),
        (
            {
                "EMAIL_URL": "anymail://amazon_ses",
                "ANYMAIL_AMAZON_SES_CLIENT_PARAMS": json.dumps({SECRET: SECRET}),
            },
            "ANYMAIL_AMAZON_SES_CLIENT_PARAMS",
        ),
    ],
)
def test_the_start_stops(tmp_path: Path, command: str, given: dict[str, str], name: str) -> None:
    done = start(tmp_path, command, **given)
    assert done.returncode == 1
    assert re.search(rf"\b{name}\b", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_worker_does_not_begin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "helpdesk", "worker", "-c", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(tmp_path),
            "HELPDESK_KEYS": "throwaway",
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
            "EMAIL_URL": "anymail://postmark",
        },
    )
    assert done.returncode == 1
    assert "ANYMAIL_POSTMARK_SERVER_TOKEN" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "given",
    [
        {"EMAIL_URL": f"anymail://postmark?server_token={SECRET}"},
        {"EMAIL_URL": "anymail://amazon_ses", "ANYMAIL_AMAZON_SES_CLIENT_PARAMS": json.dumps(AWS)},
        {"EMAIL_URL": f"anymail://amazon_ses?client_params={json.dumps(AWS)}&requests_timeout=5"},
    ],
)
def test_a_start_that_is_complete_goes_on(tmp_path: Path, given: dict[str, str]) -> None:
    done = start(tmp_path, "check", **given)
    assert (done.returncode, done.stderr) == (0, "")
