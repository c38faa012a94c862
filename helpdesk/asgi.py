import os
import warnings

from django.core.asgi import get_asgi_application

from helpdesk import private

private.write_for_us_alone()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
# WhiteNoise streams files synchronously, which Django's ASGI handler does for it; and a checkout has no collected folder.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
warnings.filterwarnings("ignore", message="No directory at")
application = get_asgi_application()
