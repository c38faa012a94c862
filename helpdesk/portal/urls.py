from django.urls import path

from helpdesk.portal import accounts, links, me, new, signing_in, tickets

app_name = "portal"
urlpatterns = [
    path("", tickets.ticket_list, name="tickets"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-in/code/", signing_in.enter_code, name="enter_code"),
    path("sign-in/pin/", signing_in.enter_pin, name="enter_pin"),
    path("pin/<str:token>/", accounts.end_pin, name="end_pin"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("password/<uidb64>/<token>/", accounts.NewPassword.as_view(), name="password"),
    path("registration/<str:token>/", accounts.registration, name="registration"),
    path("new/", new.new, name="new"),
    path("thanks/", new.thanks, name="thanks"),
    path("me/address/", accounts.new_address, name="new_address"),
    path("me/", me.me, name="me"),
    path("tickets/<key:pk>/", tickets.ticket, name="ticket"),
    path("tickets/<key:pk>/reply/", tickets.reply, name="reply"),
    path("tickets/<key:pk>/rate/", tickets.rate, name="rate"),
    path("tickets/<key:pk>/confirm/", tickets.confirm, name="confirm"),
    path("tickets/<key:pk>/withdraw/", tickets.withdraw, name="withdraw"),
    path("tickets/<key:pk>/links/", tickets.end_links, name="end_links"),
    path("files/<key:pk>/", tickets.file, name="file"),
    path("comments/<key:pk>/", tickets.comment_html, name="comment_html"),
    path("link/<str:token>/", links.ticket, name="link"),
    path("link/<str:token>/confirm/", links.confirm, name="link_confirm"),
    path("link/<str:token>/files/<key:pk>/", links.file, name="link_file"),
    path("link/<str:token>/comments/<key:pk>/", links.comment_html, name="link_comment_html"),
]
