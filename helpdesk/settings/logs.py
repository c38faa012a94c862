"""What is logged, and how."""

from helpdesk.settings.environment import setting

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": setting("LOG_LEVEL")},
    "loggers": {
        "mail.log": {"level": "WARNING"},  # aiosmtpd: a line a command is too much
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        # A line for each connection that it fails to make, several a second; who asked it for one
        # says so as well.
        "psycopg.pool": {"level": "ERROR"},
        "axes": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
    },
}
