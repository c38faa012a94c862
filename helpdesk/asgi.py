import os
import warnings
from typing import cast

from asgiref.typing import ASGI3Application
from django.conf import settings
from django.core.asgi import get_asgi_application

from helpdesk.env import private

private.write_for_us_alone()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
# WhiteNoise streams files synchronously, which Django's ASGI handler does for it; and a checkout
# has no collected folder.
warnings.filterwarnings(
    "ignore", message="StreamingHttpResponse must consume synchronous iterators"
)
warnings.filterwarnings("ignore", message="No directory at")
django = cast(ASGI3Application, get_asgi_application())

from helpdesk.edge.bodies import bounded  # noqa: E402  # they need the settings, and the apps
from helpdesk.edge.proxies import behind_proxies  # noqa: E402

application = behind_proxies(bounded(django), settings.TRUSTED_PROXIES)
