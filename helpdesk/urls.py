from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from helpdesk.health import health
from helpdesk.unsubscribe import unsubscribe


def home(request: HttpRequest) -> HttpResponse:
    return redirect("admin:index")


urlpatterns = [
    path("", home),
    path("admin/", admin.site.urls),
    path("unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("api/health/", health, name="health"),
]

# Without a secret some providers' posts could be anybody's.
if settings.ANYMAIL_WEBHOOK_SECRET:
    urlpatterns.append(path("anymail/", include("anymail.urls")))
