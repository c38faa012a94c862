"""Who may import whom (docs/DESIGN.md): reading → store and transports → helpdesk → web, tasks, commands."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("inbound", "helpdesk", "tasks"):
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def offenders(who: str, *denied: str, but: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return [
        f"{module} imports {found}"
        for module, path in modules()
        if (module == who or module.startswith(who + ".")) and module not in but
        for found in imports(path)
        if any(found == name or found.startswith(name + ".") for name in denied)
    ]


def test_reading_knows_no_django_no_tickets_and_no_tasks() -> None:
    """It runs in processes of its own, which start without Django."""
    assert offenders("inbound.reading", "django", "helpdesk", "tasks") == []
    ours = {
        f"{module} imports {found}"
        for module, path in modules()
        if module.startswith("inbound.reading")
        for found in imports(path)
        if found.startswith("inbound.") and not found.startswith("inbound.reading")
    }
    assert ours == set()


def test_inbound_knows_no_tickets() -> None:
    assert offenders("inbound", "helpdesk", "tasks.inbound", "tasks.outbound", "tasks.claim") == []


def test_only_tasks_and_reprocess_decide_about_mail() -> None:
    allowed = {"helpdesk.management.commands.reprocess", "helpdesk.intake", "helpdesk.demo"}
    assert offenders("helpdesk", "helpdesk.intake", but=allowed) == []
    assert offenders("inbound", "helpdesk.intake") == []


def test_the_domain_knows_no_transport_and_no_task_but_the_bell() -> None:
    outer = {
        "helpdesk.serve",
        "helpdesk.demo",
        "helpdesk.settings",
        "helpdesk.bodies",
        "helpdesk.urls",
        "helpdesk.apps",
        "helpdesk.admin",
        "helpdesk.health",
    }
    assert (
        offenders("helpdesk", "inbound.transports", "tasks.inbound", "tasks.outbound", "tasks.claim", but=outer) == []
    )


def test_the_bell_knows_nothing_of_ours() -> None:
    assert offenders("tasks.ring", "helpdesk", "inbound") == []


def test_the_pages_write_through_actions_only() -> None:
    written = [
        f"{module}:{node.lineno}"
        for module, path in modules()
        if module.startswith(("helpdesk.staff", "helpdesk.portal", "helpdesk.api"))
        and module != "helpdesk.api.idempotency"  # its rows are its own affair
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"create", "bulk_create", "get_or_create", "update_or_create", "delete", "bulk_update"}
    ]
    assert written == []
