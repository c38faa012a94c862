"""Who writes rows: helpdesk.actions, and the few places that are named here, each with its reason."""

import ast
import re
from collections.abc import Iterator

from django.apps import apps

from tests.test_imports import modules, ours

PAGES = ("helpdesk.api", "helpdesk.staff", "helpdesk.portal", "helpdesk.admin")
# A package or module, or one top-level name in it.
MAY_WRITE = [
    # Rows of the API's own, which say nothing of tickets or people.
    "helpdesk.api.idempotency",  # the first answer to a request
    "helpdesk.api.tokens",  # which sign-ins go on
    # What was there before anybody acts, or is no installation that somebody works with.
    "helpdesk.setup",  # the first mailbox, the first admin
    "helpdesk.demo",
    "helpdesk.models.person",  # how Django makes a user: createsuperuser, and the tests
    # Beside the rows: actions call them.
    "helpdesk.search",  # the words by which a ticket is found
    "helpdesk.changes",  # how: at once, or in sets
    "inbound.rows",
    # Counts and turns, which are nobody's doing.
    "helpdesk.throttle",  # how often somebody tried
    "helpdesk.assignment:_give",  # whose turn it was, in the transaction of `actions.assign`
    # Parts of the room beneath actions: their callers hold the transaction, and record who did it.
    "helpdesk.history:record",  # what an action writes down of itself
    "helpdesk.sla",  # a ticket's clocks, which follow from what actions write
    "helpdesk.escalation:_once",  # that an alert was given, beside the outbox row that carries it
    "helpdesk.outbound.notify",  # the outbox: every action queues mail by it
    "helpdesk.outbound.outbox_row",
    "helpdesk.outbound.alerts",  # the same for SMS and chat
    # What became of mail: facts about a row of a queue, with nobody who acts.
    "helpdesk.outbound.delivery",
    "helpdesk.outbound.came_back",
    "helpdesk.outbound.suppression",  # that an address takes no mail
    "helpdesk.outbound.spending",  # that what a mail shows of ours is used up
    "helpdesk.outbound.servers",  # whether a way out works
    "helpdesk.intake",  # which mails a ticket's thread names, and when a sender was proven
    # The queues and the transports: their rows are no tickets yet.
    "inbound.store",  # the only creator of InboundMail
    "inbound.queue",  # who makes one due again
    "inbound.transports.imap",  # how far each account was read, and who watches it
    "tasks.leasing",  # whose a due row is, and its outcome
    "tasks.renewing",  # that its holder is still at it
    "tasks.inbound",  # a mail that waits for its parent
    "tasks.writing_down",  # that mail was sent
    "tasks.secret_mail",  # wipes secrets whose time is over
    "tasks.scanning",  # when a file is looked at again; what is found goes through actions
    "tasks.housekeeping",  # deletes what has had its time
]

_WRITES = {"save", "delete", "create", "get_or_create", "update_or_create"}
_WRITES |= {"update", "bulk_create", "bulk_update", "create_user", "create_superuser"}
_WRITES |= {"save_base", "log_action", "log_actions", "raw"}
_WRITES |= {"insert", "insert_all"}  # helpdesk.changes
_WRITES |= {f"a{name}" for name in _WRITES} | {"_raw_delete"}
_OF_A_RELATION = {"set", "add", "remove", "clear", "aset", "aadd", "aremove", "aclear"}
_NO_ROWS = {"default_storage", "cache"}  # Django's names for files, and for what may be forgotten
_SQL = re.compile(
    r"\s*(?:WITH\b.*)?(?:INSERT\s+INTO|UPDATE\s+\S+|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)\s",
    re.DOTALL,
)
# What writes rows for its caller. Pages call actions, which call these.
_BENEATH_ACTIONS = ("helpdesk.outbound.notify", "helpdesk.outbound.outbox_row")


def test_rows_are_written_by_actions_and_by_nobody_else_who_is_not_named_here() -> None:
    strangers = [f"{place} line {line}" for place, line in writes() if not _named(place)]
    assert strangers == []


def test_who_is_named_here_does_write() -> None:
    writing = {place for place, _ in writes()}
    assert [entry for entry in MAY_WRITE if not any(_is_in(p, entry) for p in writing)] == []


def test_pages_write_through_actions_but_for_rows_of_the_api_itself() -> None:
    own = ["helpdesk.api.idempotency", "helpdesk.api.tokens"]
    assert [entry for entry in MAY_WRITE if _is_in(entry, *PAGES)] == own


def test_pages_tell_nobody_by_themselves() -> None:
    telling = [
        f"{module} imports {found}"
        for module in modules()
        if _is_in(module, *PAGES)
        for found in ours(module)
        if _is_in(found, *_BENEATH_ACTIONS, "tasks.ring")
    ]
    assert telling == []


def test_pages_record_nothing_by_themselves() -> None:
    recording = [
        f"{module}:{node.lineno}"
        for module, path in modules().items()
        if _is_in(module, *PAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "record")
        or (isinstance(node, ast.alias) and node.name == "record")
    ]
    assert recording == []


def writes() -> Iterator[tuple[str, int]]:
    """module:name and line of each call that writes rows, outside of helpdesk.actions."""
    relations = set()
    for model in apps.get_models():
        relations |= {field.name for field in model._meta.many_to_many}
        relations |= {str(there.get_accessor_name()) for there in model._meta.related_objects}
    for module, path in modules().items():
        if _is_in(module, "helpdesk.actions"):
            continue
        for top in ast.parse(path.read_text()).body:
            place = f"{module}:{getattr(top, 'name', '')}"
            for node in ast.walk(top):
                if _is_sql(node) or (isinstance(node, ast.Call) and _writes(node, relations)):
                    yield place, node.lineno


def _is_sql(node: ast.AST) -> bool:
    """A statement that writes, as text: in a cursor's hands nobody would see it."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return isinstance(node, ast.Constant) and bool(_SQL.match(str(node.value)))


def _writes(call: ast.Call, relations: set[str]) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    name, on = call.func.attr, call.func.value
    if name in _OF_A_RELATION:
        return isinstance(on, ast.Attribute) and on.attr in relations
    if name not in _WRITES:
        return False
    if name == "raw":
        return isinstance(on, ast.Attribute) and on.attr == "objects"
    if name == "update" and call.args:
        return False  # a dict's, a hash's, a counter's: a queryset's takes no positional argument
    if isinstance(on, ast.Call) and isinstance(on.func, ast.Name) and on.func.id == "super":
        return False  # a model's own save() within the one that somebody has called
    return not (isinstance(on, ast.Name) and on.id in _NO_ROWS)


def _named(place: str) -> bool:
    return _is_in(place, *MAY_WRITE)


def _is_in(place: str, *entries: str) -> bool:
    return any(place == e or place.startswith((f"{e}.", f"{e}:")) for e in entries)
