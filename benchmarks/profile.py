"""Where the pipeline's time goes: functions from cProfile, and the statements that each mail asks
the database."""

import cProfile
import io
import pstats
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

LINES = 30
BLOCK = 50


def profile(pks: Sequence[int]) -> str:
    """One block of mails is profiled, the next one has its statements counted: neither disturbs the
    other."""
    from django.db import connection

    from tasks.inbound import process

    profiler, statements = cProfile.Profile(), _Statements()
    for start in range(0, len(pks), 2 * BLOCK):
        profiler.enable()
        for pk in pks[start : start + BLOCK]:
            process(pk)
        profiler.disable()
        with connection.execute_wrapper(statements):
            for pk in pks[start + BLOCK : start + 2 * BLOCK]:
                process(pk)
                statements.mails += 1
    output = io.StringIO()
    for order in ("cumulative", "tottime"):
        pstats.Stats(profiler, stream=output).strip_dirs().sort_stats(order).print_stats(2 * LINES)
    return f"{output.getvalue()}\n{statements}"


class _Statements:
    def __init__(self) -> None:
        self.mails = 0
        self._count: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            shown = _short(sql)
            self._count[shown] += 1
            self._seconds[shown] += time.perf_counter() - started  # type: ignore[assignment]

    def __str__(self) -> str:
        mails = max(1, self.mails)
        lines = [
            f"{self._count.total() / mails:.1f} statements a mail, "
            f"{1000 * sum(self._seconds.values()) / mails:.2f} ms a mail",
            " a mail  ms a mail  statement",
        ]
        for sql, seconds in self._seconds.most_common(2 * LINES):
            lines.append(f"{self._count[sql] / mails:7.2f}  {1000 * seconds / mails:9.3f}  {sql}")
        return "\n".join(lines)


def _short(sql: str) -> str:
    sql = re.sub(r"^SELECT .*? FROM", "SELECT … FROM", sql.replace('"', ""), flags=re.DOTALL)
    sql = re.sub(r"\(%s(, %s)*\)(, \(%s(, %s)*\))*", "(…)", sql)
    sql = re.sub(
        r"^(INSERT INTO \w+) .*",
        r"\1 …",
        re.sub(r"SAVEPOINT \w+", "SAVEPOINT", sql),
        flags=re.DOTALL,
    )
    return " ".join(sql.split())[:150]
