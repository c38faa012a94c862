"""The product's settings for processes that tests start and sign in to many times: only hashing
passwords is cheap."""

from helpdesk.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
