"""The password that stands in the URLs to which providers post."""

import base64

from django.conf import settings
from django.utils.crypto import constant_time_compare


def knows_the_secret(authorization: str) -> bool:
    """Whether it pays to read the post; anymail's views decide for themselves."""
    kind, _, given = authorization.partition(" ")
    wanted = base64.b64encode(settings.ANYMAIL_WEBHOOK_SECRET.encode()).decode()
    return kind.lower() == "basic" and constant_time_compare(given.strip(), wanted)
