"""What an admin can write between two braces into a text of their own, and does that text hold
anything else?

What each stands for is known by `helpdesk.outbound.texts`.
"""

import re

NAMES = [
    "customer",
    "number",
    "subject",
    "mailbox",
    "agent",
    "message",
    "link",
    "link_until",
    "answer_by",
    "code",
    "signature",
]
WRITTEN = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


def check(text: str) -> None:
    """Raises ValueError with the first that there is not."""
    for name in WRITTEN.findall(text):
        if name not in NAMES:
            known = ", ".join(f"{{{{{known}}}}}" for known in NAMES)
            raise ValueError(f"There is no {{{{{name}}}}}. There are: {known}.")
