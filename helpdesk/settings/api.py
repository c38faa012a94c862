"""The API."""

from datetime import timedelta

from helpdesk.settings.addresses import PUBLIC_URL
from helpdesk.settings.environment import DEBUG, setting
from helpdesk.settings.keys import JWT_KEY

JWT_ACCESS_MINUTES: int = setting("JWT_ACCESS_MINUTES")
JWT_REFRESH_DAYS: int = setting("JWT_REFRESH_DAYS")
REQUESTS_A_MINUTE: int = setting("REQUESTS_A_MINUTE")
SIGN_INS_A_MINUTE: int = setting("SIGN_INS_A_MINUTE")
PASSWORD_RESET_URL: str = setting(
    "PASSWORD_RESET_URL", PUBLIC_URL + "/portal/password/{uid}/{token}/"
)
CORS_ALLOWED_ORIGINS: list[str] = setting("CORS_ALLOWED_ORIGINS")
if DEBUG:
    CORS_ALLOWED_ORIGINS += ["http://localhost:5173", "http://127.0.0.1:5173"]
CORS_URLS_REGEX = r"^/(?!admin/|portal/).*$"
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "user-agent",
    "x-csrftoken",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After"]
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_KEY,
    "ALGORITHM": "HS256",
    "AUTH_HEADER_TYPES": ("Bearer", "JWT"),
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=JWT_ACCESS_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=JWT_REFRESH_DAYS),
    "UPDATE_LAST_LOGIN": False,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "helpdesk.api.tokens.Authentication",
        "helpdesk.api.tokens.SessionOfPages",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "helpdesk.request_data.StrictJSONParser",
        "rest_framework.parsers.MultiPartParser",
        "rest_framework.parsers.FormParser",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["helpdesk.api.throttling.PerUser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "helpdesk.api.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "helpdesk.api.schema.Schema",
    "EXCEPTION_HANDLER": "helpdesk.api.errors.answer",
    "PAGE_SIZE": 20,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
DJOSER = {
    "PASSWORD_RESET_CONFIRM_RETYPE": False,
    "SEND_ACTIVATION_EMAIL": False,
    "HIDE_USERS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Helpdesk API",
    "DESCRIPTION": "Tickets, comments, attachments and accounts. Every path works with and "
    "without its "
    "last slash. Every error has the shape of Problem.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {"key": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}},
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "helpdesk.models.Ticket.Status",
        "VisibilityEnum": "helpdesk.models.Comment.Visibility",
        "WrittenVisibilityEnum": ["public", "internal"],
        "ViaEnum": "helpdesk.models.Comment.Via",
        "RoleEnum": "helpdesk.models.Person.Role",
    },
}
