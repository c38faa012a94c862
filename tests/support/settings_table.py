"""`make settings`: README.md's table of settings and .env.example, written from the one table that
settings are read by."""

import textwrap
from pathlib import Path

from helpdesk.env.variable import Variable
from helpdesk.env.variables import GROUPS

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- written by `make settings` -->\n", "<!-- end -->\n"
ABOVE = """\
# Every setting with its default; copy it to .env and change what is to be different. A variable of the process's own
# environment wins. What it means is in README.md, too.
"""


def readme() -> str:
    """README.md as it should be."""
    before, _, rest = (ROOT / "README.md").read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, "README.md has no place for the table"
    return before + BEGIN + "\n".join(map(_section, GROUPS)) + "\n" + END + after


def example() -> str:
    """.env.example as it should be."""
    groups = [
        f"# --- {title}\n\n" + "\n".join(map(_lines, group)) for title, group in GROUPS.items()
    ]
    return "\n".join([ABOVE, *groups])


def _section(title: str) -> str:
    rows = [
        f"| `{variable.name}` | {_default(variable)} | {variable.meaning} |\n"
        for variable in GROUPS[title]
    ]
    return f"### {title}\n\n| variable | default | meaning |\n| --- | --- | --- |\n{''.join(rows)}"


def _default(variable: Variable) -> str:
    return variable.shown or (f"`{variable.default}`" if variable.default else "")


def _lines(variable: Variable) -> str:
    default = f" (without it: {variable.shown})" if variable.shown else ""
    words = textwrap.wrap(
        f"{variable.meaning}{default}", 118, break_long_words=False, break_on_hyphens=False
    )
    named = variable.name.replace("…", "POSTMARK_SERVER_TOKEN")
    return "".join(f"# {line}\n" for line in words) + f"#{named}={variable.default}\n"


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme())
    (ROOT / ".env.example").write_text(example())
