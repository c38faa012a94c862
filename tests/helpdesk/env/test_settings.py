"""What is set wrongly stops the start, named, and is repeated nowhere: it may be a password."""

import json
import logging
import os
import re
import subprocess
import sys
import traceback
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from helpdesk.env import keys, parsing, store_urls, values, variables
from helpdesk.env.parsing import Wrong
from helpdesk.env.variables import TABLE
from helpdesk.settings import database
from tests.support import settings_table

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "ALLOWED_HOSTS": ["*", ".example.com, help.example.com", "[::1]", "münchen.example", "web_1"],
    "ATTACHMENT_TYPES": ["pdf", "PDF,7z"],
    "AUTHSERV_ID": ["", "mx.example.com"],
    "CACHE_URL": [
        "locmem://",
        "redis://redis:6379/1",
        "rediss://:p%40ss@redis.example.com",
        "redis://a:1/0;redis://b:2/0",
        "rediss://redis/1?ssl_cert_reqs=none&health_check_interval=5",
    ],
    "CELERY_BROKER_URL": [
        "memory://",
        "redis://redis:6379/0",
        "amqp://user:pass@rabbit:5672//",
        "redis+socket:///run/redis.sock",
        "sentinel://a:26379;sentinel://b:26379",
        "redis://a:1/0;redis://b:2/0",
        "rediss://redis/0?ssl_cert_reqs=required",
        "amqp://u:p@rabbit//?heartbeat=30",
    ],
    "CLAMAV_ADDR": ["off", "clamav:3310", "[::1]:3310"],
    "CORS_ALLOWED_ORIGINS": [
        "",
        "https://app.example.com,http://localhost:5173",
        "capacitor://localhost",
    ],
    "DATABASE_URL": [
        "postgres://u:p%23@db:5432/name?sslmode=require",
        "postgres://u:p@ss#?w@db/name",
        "postgres:///name",
        "postgres://u@%2Frun%2Fpostgresql/name",
        "postgres://u:p@a:5432,b:5433/name",
        "postgres://u:p@[::1]:5432/name",
        "postgres://u:p@db/name?application_name=helpdesk&assume_role=app&conn_max_age=5&target_session_attrs=read-write",
        "sqlite:////srv/helpdesk.sqlite3",
        "sqlite://:memory:",
    ],
    "DNS_SERVERS": ["9.9.9.9,2620:fe::fe"],
    "EMAIL_URL": [
        "smtp://relay",
        "smtp+tls://u:p%40%2F@relay.example.com:587/",
        "smtps://u:p@[2001:db8::1]",
        "file:/srv/sent",
        "file:///srv/sent",
        "anymail://postmark?server_token=x",
        'anymail://amazon_ses?client_params={"region_name":"eu-central-1"}',
    ],
    "HTTP_ADDR": ["0.0.0.0:8000", "[::]:80", ":8000", "localhost:0"],
    "IMAP_URLS": [
        "imaps://u%40example.com:p%2F@imap.example.com/INBOX?mailbox=a@example.com&first=all imap://u:p@localhost:1143"
    ],
    "LOG_LEVEL": ["debug", "WARNING"],
    "MAX_MAIL_BYTES": ["25MB", "25 m", "100000"],
    "PASSWORD_RESET_URL": ["https://app.example.com/#/reset/{uid}/{token}"],
    "PUBLIC_URL": [
        "https://helpdesk.example.com",
        "https://example.com/help/",
        "http://[::1]:8000",
    ],
    "SMTP_ADDR": ["off", "0.0.0.0:25"],
    "SUPPORT_ADDRESS": ["Support@Example.COM", "support@bücher.example"],
    "TIME_ZONE": ["Europe/Berlin", "UTC"],
    "TRUSTED_ARC_SEALERS": ["google.com"],
    "ANYMAIL_WEBHOOK_SECRET": ["", "user:pass:word", "user:correct horse"],
}
BAD = {
    "ALLOWED_HOSTS": [
        "https://help.example.com",
        "help.example.com:8000",
        "help.example.com/x",
        ",",
        "a b",
    ],
    "ATTACHMENT_TYPES": [".pdf", "pdf,.jpg", ",", "*.pdf", "pdf jpg"],
    "AUTHSERV_ID": ["https://mx.example.com", "mx; example"],
    "CACHE_URL": [
        "redis://HOST:PORT/1",
        "redis://HOST:6379/1",
        "redis://redis:6379/one",
        "redis://:pa/ss@redis/1",
        "memcached://x",
        "redis://",
        "redis:6379",
        "redis://redis:0",
        "redis://redis:70000",
        "redis://<host>:6379",
        "redis://:PASS@127.0.0.1:1/0?db=PASS",
        "redis://redis/1?socket_timeout=abc",
        "redis://redis/1?bogus=1",
        "redis://a/1;redis://b/1?bogus=1",
        "rediss://redis/1?ssl_cert_reqs=bogus",
    ],
    "CELERY_BROKER_URL": [
        "redis://HOST:PORT",
        "redis://HOST:6379/0",
        "unix:///x",
        "redis://u:12#x@redis/0",
        "amqp://",
        "redis://:PASS@127.0.0.1:1/0?db=PASS",
        "redis://redis/0?socket_timeout=abc",
        "redis://a/0;redis://b/0?bogus=1",
        "rediss://redis/0?ssl_cert_reqs=bogus",
        "amqp://u:p@rabbit//?bogus=1",
    ],
    "CLAMAV_ADDR": [
        "tcp://clamav:3310",
        "clamav",
        ":3310",
        "clamav:0",
        "clamav:clamd",
        "HOST:3310",
    ],
    "CORS_ALLOWED_ORIGINS": [
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "*",
        ",",
        "https://",
        "https://<your host>",
        "https://u:p@app.example.com",
    ],
    "DATABASE_POOL": ["-1", "1", "lots", "1.5", "9" * 5000, "²"],
    "DATABASE_PREPARE": ["sometimes"],
    "DATABASE_URL": [
        "postgres://u:pa/ss@db/name",
        "postgres://u:p@db",
        "postgres://u:p@db:port/name",
        "postgres://USER:PASSWORD@HOST/NAME",
        "postgres://<user>:<password>@db/name",
        "mysql://x",
        "sqlite://",
        "sqlite:///",
        "sqlite://u:p@x/y",
        "x",
        "postgres://u:p@[::1/x",
        "postgres://u:p@db/name?sslmode=bogus",
        "postgres://u:p@db/name?bogus=1",
    ],
    "DEBUG": ["maybe"],
    "DIGEST_MINUTES": ["-5", "0"],
    "DNS_SERVERS": ["dns.example.com", "9.9.9", ","],
    "EMAIL_URL": [
        "smtp://",
        "smtp://HOST",
        "smtp://u:p@relay/x",
        "smtp://u:12/x@relay",
        "smtp://u:12?x@relay",
        "smtp://u:p@relay:smtp",
        "smtp://u:p@relay:99999",
        "anymail://nobody",
        "anymail://PROVIDER",
        "anymail://test",
        "anymail://base",
        "anymail://",
        "relay:25",
        "anymail://amazon_ses?client_params=eu",
        "anymail://amazon_ses?client_params=[]",
        "anymail://postmark?server_token",
        "anymail://postmark?server_token=x&api_url=nowhere",
        "anymail://postmark?generate_message_id=maybe",
        "anymail://key@postmark",
        "file:",
        "file:sent",
        "https://relay",
        "smtp://u:p@rel<ay",
    ],
    "FERNET_KEYS": ["short", "k" * 40 + ",short", ","],
    "HTTP_ADDR": [
        "off",
        "8000",
        "http://localhost:8000",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "HOST:8000",
    ],
    "IMAP_URLS": [
        "imaps://imap.example.com",
        "imaps://u@imap.example.com",
        "imap://u:p@imap.example.com/INBOX",
        "imaps://u:p@HOST/INBOX",
        "imaps://u:p@host:imap/",
        "imaps://u:pa/ss@host",
        "imaps://u:p@host/INBOX?first=some",
        "x",
    ],
    "JWT_KEY": ["short"],
    "LOG_LEVEL": ["verbose", "10"],
    "MAILBOX_SILENCE": ["-1"],
    "MAX_MAIL_BYTES": ["lots", "0", "-1", "25GB", "²MB", "9" * 5000],
    "PASSWORD_RESET_URL": [
        "https://app.example.com/reset",
        "/reset/{uid}/{token}",
        "https://<host>/{uid}/{token}",
    ],
    "PUBLIC_URL": [
        "https://<your host>",
        "https://{host}",
        "https://${HOST}",
        "https://HOST",
        "helpdesk.example.com",
        "ftp://x.example.com",
        "https://",
        "https://x:port",
        "https://x:99999",
        "https://u:p@x.example.com",
        "https://x.example.com?y",
        "https://a b",
    ],
    "SECRET_KEY_FALLBACKS": [","],
    "SMTP_ADDR": ["2525", "smtp://x:25", "x:y"],
    "SMTP_HOSTNAME": ["https://mx.example.com", "mx.example.com:25", "mx example"],
    "SMTP_TLS_CERT": ["/nowhere.pem"],
    "SMTP_TRUSTED": ["10.0.0.0/33", "relay.example.com", ","],
    "SUPPORT_ADDRESS": [
        "support",
        "Support <support@example.com>",
        "mailto:support@example.com",
        "a@b@c",
        "support@https://x",
        "support@HOST",
    ],
    "TIME_ZONE": ["Berlin", "Europe", "../../etc/passwd", "+02:00", "europe berlin"],
    "TRUSTED_ARC_SEALERS": ["https://google.com", ","],
    "TRUSTED_PROXIES": ["*", "0.0.0.0/0", ","],
    "ANYMAIL_WEBHOOK_SECRET": ["password", ":", "user:", ":password"],
}
SECRET = "Zq9Xv7secretWm3"
SCHEMES = [
    "redis",
    "postgres",
    "sqlite",
    "smtp",
    "smtp+tls",
    "anymail",
    "imaps",
    "imap",
    "https",
    "file",
    "amqp",
    "sentinel",
    "memory",
]
ODD_URLS = [
    "{s}://user:{x}@host:bad/0",
    "{s}://user:{x}@host:99999/0",
    "{s}://user:{x}@[::1/0",
    "{s}://user:{x}@[x]/0",
    "{s}://{x}@",
    "{s}://{x}",
    "{s}://user:{x}/y@host/0",
    "{s}://user:12/{x}@host/0",
    "{s}://user:{x}#y@host/0",
    "{s}://user:{x}?y@host/0",
    "{s}://user:%{x}@host:x",
    "{s}://user:{x}℀@host/0",
    "{s}://user:{x}@ho st/0",
    "{s}://user:{x}@<host>/0",
    "{s}://user:{x}@HOST/0",
    "{s}:///{x}",
    "{s}:{x}",
    "{s}://host:{x}/0",
    "{s}://host/{x}",
    "{s}://host?{x}",
    "{s}://host?x={x}",
    "{s}://postmark?{x}",
    "{s}://amazon_ses?client_params={x}",
    '{s}://amazon_ses?client_params={{"{x}"',
    "{s}://u:%5A{x}@host:x",
    "{s}://{x}:{x}@{x}:{x}/{x}?{x}={x}#{x}",
    "{s}://u:{x}@imap.example.com",
]
ODD_WORDS = [
    "{x}",
    " {x} ",
    "{x},",
    ",{x}",
    "{x}:",
    ":{x}",
    "{x}:{x}",
    "{x} {x}",
    "/{x}",
    "[{x}",
    "<{x}>",
    "{x}@",
    "@{x}",
    "{x}@{x}@{x}",
    ".{x}",
    '{{"a": "{x}"',
    "%{x}",
    "{x}\udcff",
    "1{x}",
    "-{x}",
    "{x}/33",
    "Europe/{x}",
    "{{uid}}{{token}}{x}",
    "{x}://{x}",
    "10.0.0.1,{x}",
    "{x}=",
]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_what_is_right_is_read(name: str, value: str) -> None:
    parsing.read(name, value, TABLE[name].read)
    if name == "DATABASE_URL":
        database(value)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_what_is_wrong_names_its_variable(name: str, value: str) -> None:
    error = refusal(name, value)
    assert type(error) is ImproperlyConfigured
    assert re.match(
        f"{name}: ([a-z_]+ )?(must|is no|still|names|has|number|there is|cannot)", str(error)
    )


def test_every_default_can_be_read() -> None:
    for variable in variables.TABLE.values():
        if variable.default:
            parsing.read(variable.name, variable.default, variable.read)


def test_a_broker_whose_library_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqp", None)
    with pytest.raises(Wrong, match="amqp must be installed"):
        store_urls.broker_url("amqp://user:pass@rabbit:5672//")


def test_postgresqls_pool_is_silent_while_the_database_is_away() -> None:
    """Who asks it for a connection says so; it would write a line for each that it fails to make."""
    pool = logging.getLogger("psycopg.pool")
    assert not pool.isEnabledFor(logging.WARNING)
    assert pool.isEnabledFor(logging.ERROR)


def odd_forms() -> list[str]:
    urls = [form.format(s=scheme, x=SECRET) for scheme, form in product(SCHEMES, ODD_URLS)]
    return urls + [form.format(x=SECRET) for form in ODD_WORDS]


def refusal(name: str, value: str) -> Exception | None:
    try:
        found = parsing.read(name, value, TABLE[name].read)
        if name == "DATABASE_URL":
            parsing.read(name, found, database)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", [name for name in TABLE if "…" not in name])
def test_no_error_repeats_a_value(name: str, recwarn: pytest.WarningsRecorder, capfd) -> None:
    """Nor does what raised it, which a traceback would show."""
    errors = [error for value in odd_forms() if (error := refusal(name, value))]
    for error in errors:
        assert type(error) is ImproperlyConfigured
        assert error.__context__ is None
        assert str(error).startswith(f"{name}: ")
        assert SECRET not in "".join(traceback.format_exception(error))
    assert not [warning for warning in recwarn if SECRET in str(warning.message)]
    assert SECRET not in "".join(capfd.readouterr())
    takes_all = {
        "VAR_DIR",
        "ADMIN_PASSWORD",
        "SECRET_KEY_FALLBACKS",
        "SECRET_KEY",
        "JWT_KEY",
        "PIN_KEY",
        "FERNET_KEYS",
    }
    assert len(errors) > (0 if name in takes_all else 10)


@pytest.mark.parametrize(
    "name",
    [
        "ANYMAIL_AMAZON_SES_CLIENT_PARAMS",
        "ANYMAIL_SEND_DEFAULTS",
        "ANYMAIL_REQUESTS_TIMEOUT",
        "ANYMAIL_MAILGUN_API_URL",
        "ANYMAIL_IGNORE_RECIPIENT_STATUS",
    ],
)
def test_no_error_repeats_a_providers_option(name: str) -> None:
    for value in odd_forms():
        if name.endswith("API_URL") and value.startswith("https://"):
            continue
        with pytest.raises(ImproperlyConfigured, match=f"^{name}: ") as caught:
            variables.anymail({name: value})
        assert SECRET not in "".join(traceback.format_exception(caught.value)), value


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_KEY", "PIN_KEY", "FERNET_KEYS"])
def test_no_error_repeats_a_key(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(ImproperlyConfigured, match=f"^{name}: .*at least 32 characters") as caught:
        keys.key(name, tmp_path, make="", debug=False)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# --- The real start

STARTS = """
import os, sys, json, runpy
import django.core.management, environ, kombu, celery, helpdesk.env.variables, boto3  # once, for all of them
for number, (command, name, value) in enumerate(json.loads(sys.stdin.read())):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ[name] = value
        sys.argv = ["manage.py", command]
        try:
            runpy.run_path("manage.py", run_name="__main__")
        except SystemExit as end:
            sys.stderr.write(end.code if isinstance(end.code, str) else "")
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(9)
        os._exit(0)
    os.close(write)
    said = os.fdopen(read, errors="replace").read()
    _, status = os.waitpid(child, 0)
    print(json.dumps([command, name, value, os.waitstatus_to_exitcode(status), said]), flush=True)
"""


def starts(tmp_path: Path, *tried: tuple[str, str, str]) -> list[tuple[str, str, str, int, str]]:
    """For each (command, variable, value): its exit code, and what it said on stderr."""
    environment = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "HELPDESK_KEYS": "throwaway",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", STARTS],
        cwd=ROOT,
        env=environment,
        input=json.dumps(tried),
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_check_and_serve_stop_with_one_line_that_names_the_variable(tmp_path: Path) -> None:
    bad = [(name, values[0]) for name, values in BAD.items()]
    for command, name, _, code, said in starts(
        tmp_path,
        *[("check", name, value) for name, value in bad],
        *[("serve", name, value) for name, value in bad[::5]],
    ):
        assert (code, said.count("\n")) == (1, 1), (command, name, said)
        assert said.startswith(f"{name}: "), (command, said)


def test_what_check_and_serve_say_never_holds_a_secret(tmp_path: Path) -> None:
    url = {
        "DATABASE_URL": "postgres",
        "CELERY_BROKER_URL": "redis",
        "CACHE_URL": "redis",
        "EMAIL_URL": "smtp",
        "IMAP_URLS": "imaps",
        "PUBLIC_URL": "https",
    }
    odd = [
        (name, form.format(s=scheme, x=SECRET)) for name, scheme in url.items() for form in ODD_URLS
    ]
    # A folder's path is no secret.
    odd += [(name, SECRET) for name in TABLE if name not in {"VAR_DIR", "ANYMAIL_…"}]
    odd += [("ANYMAIL_AMAZON_SES_CLIENT_PARAMS", SECRET), ("ANYMAIL_WEBHOOK_SECRET", f":{SECRET}")]
    odd = odd[::8]  # a process each; test_no_error_repeats_a_value has them all
    found = starts(tmp_path, *[("check", name, value) for name, value in odd])
    assert len(found) == len(odd)
    for _, name, value, code, said in found:
        assert SECRET not in said, (name, value)
        assert code in {0, 1}, (name, value, said)
        assert not code or said.startswith(f"{name}: "), (name, value, said)
    refused = [(name, value) for _, name, value, code, _ in found if code]
    for _, name, value, code, said in starts(
        tmp_path, *[("serve", name, value) for name, value in refused[::4]]
    ):
        assert code == 1
        assert SECRET not in said, (name, value)


def test_a_pipe_says_75(tmp_path: Path) -> None:
    ((_, _, _, code, said),) = starts(
        tmp_path, ("ingest", "DATABASE_URL", f"postgres://u:{SECRET}/x@db/y")
    )
    assert code == 75
    assert said.startswith("DATABASE_URL: ")
    assert SECRET not in said


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ((_, _, _, code, said),) = starts(tmp_path, ("check", "VAR_DIR", str(tmp_path / "file")))
    assert (code, said) == (1, "VAR_DIR: cannot be made or used (File exists)\n")


# --- What is set is what counts

# A valid value of each that is not the default; of a number it is the next one.
OTHER = {
    "HTTP_ADDR": "127.0.0.2:8001",
    "SMTP_ADDR": "127.0.0.2:2526",
    "LMTP_ADDR": "127.0.0.2:2527",
    "PUBLIC_URL": "https://help.example",
    "ALLOWED_HOSTS": "help.example",
    "TRUSTED_PROXIES": "192.0.2.1/32",
    "TIME_ZONE": "Europe/Berlin",
    "LOG_LEVEL": "ERROR",
    "DEBUG": "on",
    "DATABASE_PREPARE": "off",
    "DATABASE_URL": "postgres://u:p@db/name",
    "CELERY_BROKER_URL": "redis://redis:6379/0",
    "CACHE_URL": "redis://redis:6379/1",
    "SECRET_KEY": "s" * 40,
    "SECRET_KEY_FALLBACKS": "f" * 40,
    "JWT_KEY": "j" * 40,
    "PIN_KEY": "p" * 40,
    "FERNET_KEYS": "k" * 40 + "," + "l" * 40,
    "EMAIL_URL": "smtp://relay.example",
    "ANYMAIL_WEBHOOK_SECRET": "user:password",
    "OUTGOING_HOSTS": "public",
    "TRACK_OPENS": "on",
    "SUPPORT_ADDRESS": "help@help.example",
    "IMAP_URLS": "imaps://u:p@imap.example/INBOX?mailbox=a@example.com",
    "MAX_MAIL_BYTES": "10MB",
    "SMTP_HOSTNAME": "mx.help.example",
    "SMTP_TLS_CERT": str(ROOT / "README.md"),
    "SMTP_TLS_KEY": str(ROOT / "README.md"),
    "SMTP_BYTES_IN_FLIGHT": "512MB",
    "SMTP_TRUSTED": "192.0.2.2/32",
    "AUTHSERV_ID": "mx.help.example",
    "TRUSTED_ARC_SEALERS": "google.com",
    "DNS_SERVERS": "9.9.9.9",
    "ADMIN_EMAIL": "root@help.example",
    "ADMIN_PASSWORD": "correct horse",
    "AGENTS_SEE": "teams",
    "ATTACHMENT_MAX_BYTES": "1MB",
    "ATTACHMENT_TYPES": "pdf",
    "CLAMAV_ADDR": "clamav:3310",
    "PASSWORD_RESET_URL": "https://app.example.com/#/reset/{uid}/{token}",
    "CORS_ALLOWED_ORIGINS": "https://app.example.com",
}
# What becomes of those that are no setting of their own name.
BECOMES = {
    "CACHE_URL": "CACHES",
    "EMAIL_URL": "EMAIL_HOST",
    "IMAP_URLS": "IMAP_ACCOUNTS",
    "LOG_LEVEL": "LOGGING",
}
READ_WITH_EACH = """
import importlib, json, os, sys
from helpdesk.env.variables import TABLE

def read():
    for name in [name for name in sys.modules if name.startswith("helpdesk.settings")]:
        del sys.modules[name]
    return importlib.import_module("helpdesk.settings")

tried, becomes = json.loads(sys.stdin.read())
before, found = read(), {}
for name, value in tried.items():
    setting = becomes.get(name, name)
    os.environ[name] = value
    after = getattr(read(), setting)
    expected = after if name in becomes else TABLE[name].read(value)
    if name in ("SECRET_KEY", "JWT_KEY", "PIN_KEY"):
        expected = value
    found[name] = [after != getattr(before, setting, None), repr(after) == repr(expected)]
    del os.environ[name]
print(json.dumps(found))
"""


def test_each_variable_changes_its_own_setting(tmp_path: Path) -> None:
    """In a process of its own, which reads the settings once more for each."""
    numbers = {
        name: str(int(row.default) + 1) for name, row in TABLE.items() if row.default.isdigit()
    }
    tried = {**numbers, **OTHER, "VAR_DIR": str(tmp_path / "other")}
    # HELPDESK_KEYS only says what becomes of keys that are missing: see test_kept_secrets.
    assert set(tried) == {name for name in TABLE if "…" not in name} - {"HELPDESK_KEYS"}
    environment = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "HELPDESK_KEYS": "make",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_EACH],
        cwd=ROOT,
        env=environment,
        input=json.dumps([tried, BECOMES]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: what for name, what in found.items() if what != [True, True]} == {}


# --- Names, and the .env file


def test_a_name_that_looks_like_ours_is_said_with_the_nearest() -> None:
    names = {
        "TIMEZONE",
        "IMAP_URL",
        "HELPDESK_COLOUR",
        "DATABASE_URI",
        "ANYMAIL_WEBHOOK_SECRETS",
        "ANYMAIL_POSTMRK_SERVER_TOKEN",
    }
    assert variables.unknown(names) == [
        "ANYMAIL_POSTMRK_SERVER_TOKEN: there is no such setting",
        "ANYMAIL_WEBHOOK_SECRETS: there is no such setting; is it ANYMAIL_WEBHOOK_SECRET?",
        "DATABASE_URI: there is no such setting; is it DATABASE_URL?",
        "HELPDESK_COLOUR: there is no such setting",
        "IMAP_URL: there is no such setting; is it IMAP_URLS?",
        "TIMEZONE: there is no such setting; is it TIME_ZONE?",
    ]


def test_other_programs_names_are_nobodys_concern() -> None:
    theirs = {
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "USER",
        "PWD",
        "TZ",
        "HOSTNAME",
        "TERM",
        "SHELL",
        "SHLVL",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "EMAIL",
        "DJANGO_SETTINGS_MODULE",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "PGHOST",
        "PGPASSWORD",
        "HTTP_PROXY",
        "NO_PROXY",
        "REDIS_URL",
        "HELPDESK_SERVICE_HOST",
        "HELPDESK_SERVICE_PORT",
        "HELPDESK_PORT",
        "HELPDESK_PORT_8000_TCP_ADDR",
        "HELPDESK_TAG",
        "KUBERNETES_PORT",
        "POSTGRES_PASSWORD",
        "ANYMAIL_POSTMARK_SERVER_TOKEN",
        "ANYMAIL_MAILGUN_WEBHOOK_SIGNING_KEY",
        "SUDO_USER",
        "LOGNAME",
        "JOURNAL_STREAM",
        "CI",
        "DEBIAN_FRONTEND",
        "HTTP_PORT",
        "SMTP_HOST",
        "SMTP_PORT",
    }
    assert variables.unknown(theirs) == []


def test_they_are_said_at_the_start_which_goes_on(tmp_path: Path) -> None:
    ((_, _, _, code, said),) = starts(tmp_path, ("check", "TIMEZONE", SECRET))
    assert (code, said) == (0, "TIMEZONE: there is no such setting; is it TIME_ZONE?\n")


def test_a_line_of_the_env_file_that_is_none_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# ours\n\nDEBUG=on\nexport TIME_ZONE=UTC\nSECRET_KEY=\n")
    parsing.check_file(path)
    path.write_text(f"DEBUG=on\nADMIN_PASSWORD {SECRET}\n")
    with pytest.raises(
        ImproperlyConfigured, match=r"\.env: line 2 is neither NAME=VALUE nor a comment"
    ) as caught:
        parsing.check_file(path)
    assert SECRET not in str(caught.value)


# --- What is written from the table


def test_readme_and_the_example_say_what_the_table_says() -> None:
    assert (ROOT / "README.md").read_text() == settings_table.readme(), "run `make settings`"
    assert (ROOT / ".env.example").read_text() == settings_table.example(), "run `make settings`"


def test_the_example_can_be_read_and_sets_nothing() -> None:
    parsing.check_file(ROOT / ".env.example")
    assert not [
        line
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    ]


def test_settings_read_what_the_table_has_and_nothing_else() -> None:
    """Nobody else looks into the environment, and no line of the table is there for nothing."""
    parts = (ROOT / "helpdesk" / "settings").glob("*.py")
    read = "".join(path.read_text() for path in parts)
    named = set(re.findall(r'(?:setting|key)\(\s*"([A-Z_]+)"', read))
    assert named == {name for name in TABLE if "…" not in name}
    others = [
        f"{path.relative_to(ROOT)}: {found}"
        for package in ("helpdesk", "inbound", "tasks")
        for path in (ROOT / package).rglob("*.py")
        for found in re.findall(r"os\.environ(?:\.get\(|\[)\s*(\"\w+\")", path.read_text())
    ]
    assert sorted(others) == [
        'helpdesk/outbound/delivery.py: "AWS_DEFAULT_REGION"',
        'inbound/reader_process.py: "PATH"',
    ]


def test_a_readers_own_words_are_a_value_error_for_a_form() -> None:
    with pytest.raises(ValueError, match="must be on or off"):
        values.boolean("perhaps")
    assert issubclass(Wrong, ValueError)


def test_json_of_a_provider_is_read() -> None:
    found: dict[str, Any] = variables.anymail(
        {
            "ANYMAIL_AMAZON_SES_CLIENT_PARAMS": '{"region_name": "eu-central-1"}',
            "ANYMAIL_IGNORE_RECIPIENT_STATUS": "off",
            "ANYMAIL_REQUESTS_TIMEOUT": "10",
            "ANYMAIL_SEND_DEFAULTS": '{"tags": ["a"]}',
            "ANYMAIL_BREVO_API_KEY": "{k}",
            "ANYMAIL_MAILJET_API_KEY": "",
            "PATH": "/",
        }
    )
    assert found == {
        "AMAZON_SES_CLIENT_PARAMS": {"region_name": "eu-central-1"},
        "IGNORE_RECIPIENT_STATUS": False,
        "REQUESTS_TIMEOUT": 10,
        "SEND_DEFAULTS": {"tags": ["a"]},
        "BREVO_API_KEY": "{k}",
    }
