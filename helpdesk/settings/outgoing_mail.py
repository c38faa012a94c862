"""Mail out."""

import os
from typing import Any

from helpdesk.env import variables
from helpdesk.env.server_url import Outgoing
from helpdesk.settings.environment import VAR_DIR, setting


def mail_out(found: Outgoing) -> dict[str, Any]:
    """What Django's own setting names, and django-anymail's, make of EMAIL_URL."""
    if found.backend.startswith("anymail."):
        provider = found.backend.split(".")[2]
        general = {name.removeprefix("ANYMAIL_") for name in variables.ANYMAIL}
        options = {name.upper(): value for name, value in found.options.items()}
        own = {
            name if name in general else f"{provider.upper()}_{name}": value
            for name, value in options.items()
        }
        return {"EMAIL_BACKEND": found.backend, "ANYMAIL": ANYMAIL | own}
    names = {
        "host": "EMAIL_HOST",
        "port": "EMAIL_PORT",
        "username": "EMAIL_HOST_USER",
        "password": "EMAIL_HOST_PASSWORD",
        "use_tls": "EMAIL_USE_TLS",
        "use_ssl": "EMAIL_USE_SSL",
        "file_path": "EMAIL_FILE_PATH",
    }
    given = {names[name]: value for name, value in found.options.items() if name in names}
    return {"EMAIL_BACKEND": found.backend, **given}


SENT_MAIL_DIR = VAR_DIR / "sent-mail"
EMAIL_BACKEND = ""
ANYMAIL = variables.anymail(dict(os.environ))
globals().update(mail_out(setting("EMAIL_URL", f"file:{SENT_MAIL_DIR}")))
EMAIL_TIMEOUT = 30
SUPPORT_ADDRESS: str = setting("SUPPORT_ADDRESS")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = SUPPORT_ADDRESS
OUTBOUND_MAX_AGE: int = setting("OUTBOUND_MAX_AGE")  # seconds
AUTOMATIC_MAILS_PER_ADDRESS = 10  # in three hours, whatever the address writes
OUTGOING_HOSTS: str = setting("OUTGOING_HOSTS")  # those that an admin names on the staff site
MAX_PEOPLE_FROM_MAIL: int = setting("MAX_PEOPLE_FROM_MAIL")  # in To and Cc, who take part unasked
UNDO_SEND_SECONDS: int = setting("UNDO_SEND_SECONDS")
TRACK_OPENS: bool = setting("TRACK_OPENS")
ANYMAIL_WEBHOOK_SECRET: str = setting("ANYMAIL_WEBHOOK_SECRET")
