"""People and tickets."""

from helpdesk.settings.environment import setting

ADMIN_EMAIL: str = setting("ADMIN_EMAIL")
ADMIN_PASSWORD: str = setting("ADMIN_PASSWORD")
AGENT_MAX_TICKETS: int = setting("AGENT_MAX_TICKETS")

AGENTS_SEE: str = setting("AGENTS_SEE")
ATTACHMENT_MAX_BYTES: int = setting("ATTACHMENT_MAX_BYTES")
ATTACHMENT_TYPES: list[str] = setting("ATTACHMENT_TYPES")
CLAMAV_ADDR: tuple[str, int] | None = setting("CLAMAV_ADDR")
TICKET_LINK_DAYS: int = setting("TICKET_LINK_DAYS")

CONFIG_SECONDS: int = setting("CONFIG_SECONDS")  # how long a worker trusts what it read
