"""Every path of the API. Each works with and without its last slash (helpdesk.api.slashes)."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from helpdesk.api import (
    attachments,
    bulk,
    comments,
    meta,
    passwords,
    registering,
    signing_in,
    tickets,
)
from helpdesk.api.errors import get_only
from helpdesk.api.legacy import agents, guests, profiles
from helpdesk.health import health

reset = passwords.Accounts.as_view

urlpatterns = [
    path("api/send_otp/", registering.SendOtp.as_view()),
    path("api/verify_otp/", registering.VerifyOtp.as_view()),
    path("auth/users/", registering.Register.as_view()),
    path("auth/users/me/", signing_in.Me.as_view()),
    path("auth/users/reset_password/", reset({"post": "reset_password"})),
    path("auth/users/reset_password_confirm/", reset({"post": "reset_password_confirm"})),
    path("auth/users/set_password/", passwords.ChangePassword.as_view()),
    path("auth/jwt/create/", signing_in.CreateToken.as_view()),
    path("auth/jwt/refresh/", signing_in.RefreshToken.as_view()),
    path("auth/jwt/verify/", signing_in.VerifyToken.as_view()),
    path("auth/jwt/logout/", signing_in.SignOut.as_view()),
    path("signup/", registering.SignUp.as_view()),
    path("login/", signing_in.Login.as_view()),
    path("logout/", signing_in.SignOut.as_view()),
    path("api/users/login/", signing_in.PinLogin.as_view()),
    path("api/token/refresh/", signing_in.RefreshToken.as_view()),
    path("api/tickets/", tickets.TicketList.as_view()),
    path("api/tickets/bulk/", bulk.Bulk.as_view()),
    path("api/tickets/<key:pk>/", tickets.TicketDetail.as_view()),
    path("api/tickets/<key:pk>/comments/", comments.CommentList.as_view()),
    path("api/tickets/<key:pk>/comments/<key:comment>/", comments.CommentDetail.as_view()),
    path("api/tickets/<key:pk>/attachments/", attachments.AttachmentList.as_view()),
    path(
        "api/attachments/<key:pk>/", attachments.AttachmentDownload.as_view(), name="api-attachment"
    ),
    path("media/tickets/<str:folder>/<str:name>/", attachments.Media.as_view()),
    path("api/agent/tickets/", agents.Desk.as_view()),
    path("api/agent/tickets/claim/", agents.ClaimTicket.as_view()),
    path("add/", guests.Add.as_view()),
    path("update_status/<key:pk>/", guests.UpdateStatus.as_view()),
    path("delete/<key:pk>/", guests.Delete.as_view()),
    path("tickets/", guests.StaffTickets.as_view()),
    path("profiles/<key:profile_id>/tickets/", profiles.ProfileTickets.as_view()),
    path("tickets/<key:pk>/", profiles.ProfileTicket.as_view()),
    path("tickets/<key:pk>/messages/", profiles.Messages.as_view()),
    path("tickets/<key:pk>/messages/<key:message_id>/", profiles.OneMessage.as_view()),
    path("api/_meta/", meta.Meta.as_view()),
    path("api/ledger/", meta.Ledger.as_view()),
    path("api/health/", get_only(health), name="health"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",
        SpectacularSwaggerSplitView.as_view(http_method_names=["get", "head"], url_name="schema"),
        name="docs",
    ),
    path(".well-known/hackathon.json", get_only(meta.well_known)),
]
