"""The keys: one for each use, so that one leaked key opens one door."""

from helpdesk.env import values
from helpdesk.env.keys import key
from helpdesk.settings.environment import DEBUG, VAR_DIR, setting

_make: str = setting("HELPDESK_KEYS")
SECRET_KEY = key("SECRET_KEY", VAR_DIR, make=_make, debug=DEBUG)
SECRET_KEY_FALLBACKS: list[str] = setting("SECRET_KEY_FALLBACKS")
JWT_KEY = key("JWT_KEY", VAR_DIR, make=_make, debug=DEBUG)
PIN_KEY = key("PIN_KEY", VAR_DIR, make=_make, debug=DEBUG)
FERNET_KEYS = values.words(key("FERNET_KEYS", VAR_DIR, make=_make, debug=DEBUG))
