"""What Django itself is told: who signs in and how, its applications, pages, languages, files."""

from django.urls import reverse_lazy

from helpdesk.languages import LANGUAGES as LANGUAGES
from helpdesk.settings.environment import BASE_DIR, VAR_DIR, setting
from helpdesk.settings.incoming_mail import MAX_MAIL_BYTES
from helpdesk.settings.outgoing_mail import ANYMAIL_WEBHOOK_SECRET

AUTH_USER_MODEL = "helpdesk.Person"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "helpdesk.auth.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600  # seconds
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "helpdesk.auth.passwords.axes_account"
AXES_CLIENT_IP_CALLABLE = "helpdesk.auth.passwords.axes_network"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "helpdesk.edge.error_pages.not_ours"
AXES_LOCKOUT_CALLABLE = "helpdesk.edge.error_pages.locked_out"
SILENCED_SYSTEM_CHECKS = ["axes.W006"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "helpdesk.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "anymail",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "djoser",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "inbound.apps.InboundConfig",
    "helpdesk.apps.HelpdeskConfig",
    "tasks.apps.TasksConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "helpdesk.request_data.text_only",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "helpdesk.api.slashes.either_way",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "helpdesk.edge.middleware.let_in_by_pin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "helpdesk.edge.middleware.content_security_policy",
    "helpdesk.edge.middleware.language_of_customers",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "helpdesk.urls"
ASGI_APPLICATION = "helpdesk.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 3600 * 24 * 14
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "helpdesk" / "locale"]
TIME_ZONE: str = setting("TIME_ZONE")
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-collected"
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "helpdesk.files.stored.Storage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedStaticFilesStorage",
        # Collected by one account, and served by another: see Dockerfile.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
# Without a collected folder (a developer's checkout) static files are found in the packages.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
# A provider's post is read at once; helpdesk.edge.bodies says how large it may be, and everything
# else.
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    2 * 10**6 + max(MAX_MAIL_BYTES, 40 * 10**6) * 3 if ANYMAIL_WEBHOOK_SECRET else 5 * 10**6
)
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
TEST_RUNNER = "tests.support.runner.PytestRunner"
