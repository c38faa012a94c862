"""`make mutants`: small faults put into the code one after the other (mutmut), and which of them no
test notices.

What is known of a file is kept in mutants/ until the file changes, so a run that was stopped goes
on, and one that has ended tries again what was not noticed. mutmut leaves alone what stands outside
of functions (patterns, `Prepared` queries), and decorated functions. Each function is tried with
the tests that call it in their own process, of those that pyproject.toml names; what readers'
processes do tells nothing.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from tests.support.services import ROOT

# By the exit status of the tests; endless loops are ended, and noticed.
NOTICED = "noticed"
MEANING = {0: "survived", 5: "no test", 33: "no test", None: "not tried"} | dict.fromkeys(
    [1, 3, 24, -24, 36, 152, 255], NOTICED
)
COLUMNS = (NOTICED, "survived", "no test", "not tried", "other")


def main() -> int:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    known = files(config["only_mutate"])
    wanted = files(os.environ.get("MUTANTS", "").split()) or known
    if strange := [str(path.relative_to(ROOT)) for path in wanted if path not in known]:
        sys.exit(f"MUTANTS: {', '.join(strange)}: not among only_mutate in pyproject.toml")
    names = [name for path in wanted for name in to_try(path)]
    if not names:
        report(wanted)
        return 0
    processes = os.environ.get("PROCESSES", str(os.cpu_count() or 1))
    try:
        failed = subprocess.call(
            [sys.executable, "-m", "mutmut", "run", "--max-children", processes, *names], cwd=ROOT
        )
    except KeyboardInterrupt:
        failed = 130
    report(wanted)
    return failed


def files(names: list[str]) -> list[Path]:
    """A folder stands for its files."""
    found = [
        path
        for name in names
        for path in ROOT.glob(f"{name.rstrip('/')}/*.py" if (ROOT / name).is_dir() else name)
    ]
    if names and not found:
        sys.exit(f"MUTANTS: there is no {' '.join(names)}")
    return sorted(found)


def to_try(path: Path) -> list[str]:
    """All of a file that has changed or is new; else what a run that was stopped left, or else what
    was not noticed."""
    meta, results = results_of(path)
    if not meta.exists() or meta.stat().st_mtime < path.stat().st_mtime:
        return [".".join(path.relative_to(ROOT).with_suffix("").parts) + ".x*"]
    left = [name for name, result in results.items() if result == "not tried"]
    return left or [name for name, result in results.items() if result != NOTICED]


def results_of(path: Path) -> tuple[Path, dict[str, str]]:
    """Where mutmut keeps what became of a file's mutants, and what did."""
    meta = ROOT / "mutants" / path.relative_to(ROOT).with_name(f"{path.name}.meta")
    statuses = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
    return meta, {name: MEANING.get(status, "other") for name, status in statuses.items()}


def report(tried: list[Path]) -> None:
    """Each survivor with the lines in which it differs, and the count of each file."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = [f"{'file':<32}{'mutants':>10}" + "".join(f"{column:>10}" for column in COLUMNS)]
    for path in tried:
        name, results = path.relative_to(ROOT), results_of(path)[1]
        for mutant in (mutant for mutant, result in results.items() if result == "survived"):
            diff = get_diff_for_mutant(mutant, path=name).splitlines()
            print(mutant, *(line for line in diff[2:] if line[:1] in {"+", "-"}), sep="\n")
        counts = Counter(results.values())
        lines.append(
            f"{name!s:<32}{len(results):>10}"
            + "".join(f"{counts[column]:>10}" for column in COLUMNS)
        )
    print("", *lines, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
