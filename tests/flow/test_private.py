"""What lies on the disk, from the side of another account of the same machine."""

import os
import subprocess
import sys
from pathlib import Path

from django.core.files.storage import storages

from helpdesk.env import private
from tests.flow.test_serve import ROOT, Served
from tests.support.mail import eml
from tests.support.services import wait_for


def open_to_others(folder: Path) -> list[str]:
    return sorted(
        f"{path} {path.stat().st_mode & 0o777:04o}"
        for path in [folder, *folder.rglob("*")]
        if path.stat().st_mode & 0o077
    )


def run(var: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        umask=0o022,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(var),
            "HELPDESK_KEYS": "make",
            **environment,
        },
    )


def test_what_serve_writes_is_for_nobody_else_and_what_was_open_is_closed_and_named(
    tmp_path: Path,
) -> None:
    var = tmp_path / "var"
    served = Served(tmp_path)
    (var / "secrets").mkdir(mode=0o755)
    (var / "secrets" / "jwt_key").write_text("k" * 40)
    for path in (var, var / "secrets", var / "secrets" / "jwt_key", var / "helpdesk.sqlite3"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    served.start()
    try:
        assert served.process is not None
        served.send(eml("Fire!", message_id="first@example.net"))
        wait_for(lambda: len(served.sent()) == 1, 5)
        assert open_to_others(var) == []
    finally:
        served.kill()
    log = (tmp_path / "log").read_text()
    for name in ("var (0755)", "jwt_key (0644)", "helpdesk.sqlite3 (0644)"):
        assert name in log, log
    assert log.count("closed what other accounts could open") == 1


def test_what_commands_and_the_beat_write_is_for_nobody_else(tmp_path: Path) -> None:
    var = tmp_path / "new"
    for command in ("migrate", "setup", "demo"):
        process = run(var, sys.executable, "manage.py", command)
        assert process.wait(60) == 0, process.communicate()
    schedule = var / "beat-schedule"
    beat = [
        str(Path(sys.executable).with_name("celery")),
        "-A",
        "helpdesk",
        "beat",
        "--schedule",
        str(schedule),
    ]
    process = run(var, *beat, "--pidfile", "", CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    try:
        wait_for(lambda: list(var.glob("beat-schedule*")), 20)
    finally:
        process.kill()
        process.wait()
    assert list(var.iterdir())
    assert open_to_others(var) == []


def test_what_is_not_ours_or_elsewhere_is_left_alone(tmp_path: Path, capfd) -> None:
    elsewhere, deep = tmp_path / "elsewhere", tmp_path / "var" / "media" / "tickets"
    deep.mkdir(parents=True)
    elsewhere.write_text("x")
    elsewhere.chmod(0o644)
    (tmp_path / "var" / "link").symlink_to(elsewhere)
    for path in (deep, deep.parent):
        path.chmod(0o755)
    private.close(tmp_path / "var")
    assert elsewhere.stat().st_mode & 0o777 == 0o644
    assert deep.stat().st_mode & 0o777 == 0o755  # behind a closed folder; there may be a million
    assert deep.parent.stat().st_mode & 0o777 == 0o700
    said = capfd.readouterr().err
    private.close(tmp_path / "var")
    assert (said.count("\n"), capfd.readouterr().err) == (1, "")


def test_the_static_files_are_for_the_account_that_serves_them() -> None:
    """The image collects them as root and runs as nobody in particular."""
    static = storages["staticfiles"]
    assert (static.file_permissions_mode, static.directory_permissions_mode) == (0o644, 0o755)
