from anymail.urls import urlpatterns as providers
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from helpdesk.files.frames import picture
from helpdesk.portal.unsubscribe import unsubscribe
from inbound.transports.webhook.guarded import guarded_route


def home(request: HttpRequest) -> HttpResponse:
    return redirect("portal:tickets")


handler400 = "helpdesk.edge.error_pages.bad_request"
handler404 = "helpdesk.edge.error_pages.not_found"
handler500 = "helpdesk.edge.error_pages.server_error"

urlpatterns = [
    path("", home),
    path("portal/", include("helpdesk.portal.urls")),
    path("admin/", admin.site.urls),
    path("pictures/<str:token>/", picture, name="picture"),
    path("unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("", include("helpdesk.api.urls")),
]

# Without a secret some providers' posts could be anybody's.
if settings.ANYMAIL_WEBHOOK_SECRET:
    urlpatterns.append(path("anymail/", include([guarded_route(route) for route in providers])))
