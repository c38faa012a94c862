#!/usr/bin/env python
"""Django's command line: `manage.py serve` runs everything, `manage.py help` lists the rest."""

import os
import sys
import traceback

# On one machine these commands may make the keys they need (VAR_DIR/secrets); every other
# process must be given them, or two hosts would sign with different keys and never notice.
MAKES_KEYS = {"serve", "runserver", "migrate", "createsuperuser", "demo"}
# What these write is the product's, not customers'.
FOR_EVERYBODY = {"makemigrations", "makemessages", "compilemessages", "collectstatic"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in FOR_EVERYBODY:
        from helpdesk.env import private

        private.write_for_us_alone()
    if command in MAKES_KEYS:
        os.environ.setdefault("HELPDESK_KEYS", "make")
    elif command in {"test", "makemigrations", "collectstatic", "check", "help", ""}:
        os.environ.setdefault("HELPDESK_KEYS", "throwaway")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    # A mail system's pipe: a wrong setting is our fault, and must not bounce a customer's mail.
    failed = 75 if command == "ingest" else 1
    try:
        execute_from_command_line(sys.argv)
    except (
        ImproperlyConfigured
    ) as error:  # its words say which setting; where it was read says nothing
        sys.stderr.write(f"{error}\n")
        sys.exit(failed)
    except Exception:
        if failed == 1:
            raise
        traceback.print_exc()
        sys.exit(failed)


if __name__ == "__main__":
    main()
