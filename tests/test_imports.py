"""Who may import whom (docs/DESIGN.md): from the ground up, no circle, nothing hidden in a function."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# From the ground up: a module imports those above its own line, and others of its line where that
# makes no circle. A name stands for what is in it, too; the longest that fits counts.
ORDER = [
    "inbound.reading",
    "tasks.ring",
    "inbound.fields inbound.addresses inbound.secrets inbound.network inbound.hosts inbound.faults"
    " inbound.connections inbound.imap_folders",
    "inbound.models",
    "inbound.prepared inbound.rows inbound.glance inbound.recipients inbound.queue",
    "inbound.resolver inbound.sender_records inbound.believed inbound.reader_process"
    " inbound.readers inbound.proving inbound.returned inbound.stored inbound.default_mailbox",
    "inbound.store",
    "inbound.transports.imap.account",
    "helpdesk.content_policy helpdesk.deadline helpdesk.languages helpdesk.sqlite3",
    "helpdesk.env",
    "helpdesk.checks",
    "helpdesk.settings",
    "helpdesk.models",
    "helpdesk.refused helpdesk.cached helpdesk.config_cache helpdesk.request_data"
    " helpdesk.kept_codes helpdesk.counting",
    "helpdesk.facts helpdesk.changes",
    "helpdesk.people helpdesk.participants helpdesk.history helpdesk.throttle helpdesk.access"
    " helpdesk.search helpdesk.ledger helpdesk.files helpdesk.sla helpdesk.auth",
    "helpdesk.outbound",
    "helpdesk.actions",
    "helpdesk.assignment helpdesk.escalation helpdesk.submissions",
    "helpdesk.intake",
    "tasks",
    # The domain knows no transport.
    "inbound.mbox_lines inbound.mbox_window inbound.mbox inbound.archives inbound.transports"
    " inbound.ingested",
    "inbound",
    "helpdesk.edge",
    "helpdesk.setup helpdesk.demo helpdesk.health",
    "helpdesk.templatetags helpdesk.staff helpdesk.portal helpdesk.api helpdesk.admin",
    "helpdesk.processes helpdesk.celery helpdesk.asgi helpdesk.urls helpdesk.apps",
    "helpdesk",
]
HEIGHT = {name: height for height, line in enumerate(ORDER) for name in line.split()}


@cache
def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ("inbound", "helpdesk", "tasks")
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    }


def ours(module: str) -> set[str]:
    """The modules of ours that it imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports by dots"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules() else node.module for name in whole}
    return {name for name in found if name in modules()} - {module}


def test_every_module_stands_in_a_line_of_its_own_or_of_its_room() -> None:
    """What lies in a package's root is no room: it says itself where it belongs."""
    apart = {"helpdesk", "helpdesk.management", "inbound", "inbound.apps", "inbound.management"}
    nowhere = [
        module
        for module in modules()
        if _line(module) in ("helpdesk", "inbound")
        and not any(module == one or module.startswith(f"{one}.management") for one in apart)
        and module not in apart
    ]
    assert nowhere == []


def test_every_line_names_what_is_there() -> None:
    assert [name for name in HEIGHT if name not in modules()] == []


def test_every_package_of_ours_is_looked_at() -> None:
    """Beside these only what is no part of the product: tests and measurements."""
    beside = {"tests", "benchmarks"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - beside == {"inbound", "helpdesk", "tasks"}


def height(module: str) -> int:
    return HEIGHT[_line(module)]


def _line(module: str) -> str:
    parts = module.split(".")
    return next(
        name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in HEIGHT
    )


def test_nothing_imports_upwards() -> None:
    upwards = [
        f"{module} imports {found}"
        for module in modules()
        for found in sorted(ours(module))
        if height(found) > height(module)
    ]
    assert upwards == []


def circles() -> Iterator[list[str]]:
    """Each circle of imports that a walk through all of them comes upon."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> Iterator[list[str]]:
        if module in way:
            yield [*way[way.index(module) :], module]
        elif module not in done:
            for found in sorted(ours(module)):
                yield from walk(found, [*way, module])
            done.add(module)

    for module in modules():
        yield from walk(module, [])


def test_there_is_no_circle() -> None:
    assert [" → ".join(circle) for circle in circles()] == []


# Where ours are imported in a function: Django and Celery call these once everything is ready.
ONCE_READY = {"helpdesk.apps", "helpdesk.celery"}


def test_no_import_hides_in_a_function_but_for_the_time_that_it_takes() -> None:
    """A package that is slow to import is, where few need it, with the reason beside it."""
    hidden = [
        f"{module}:{node.lineno}"
        for module, path in modules().items()
        if module not in ONCE_READY
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and (not _says_why(path, node) or _is_ours(node))
    ]
    assert hidden == []


def _says_why(path: Path, node: ast.Import | ast.ImportFrom) -> bool:
    comment = path.read_text().splitlines()[node.lineno - 1].partition("  # ")[2]
    return bool(comment) and not comment.startswith(("noqa", "type:"))


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
    return any(str(name).split(".")[0] in ("inbound", "helpdesk", "tasks") for name in names)
