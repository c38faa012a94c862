"""Somebody who has signed in on the staff site and opens one page after the other."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "correct horse battery"


class Browser:
    """A signed-in admin."""

    PATHS = ("/admin/tickets/", "/admin/tickets/1/", "/api/health/")

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.HTTPErrorProcessor(),
        )

    def sign_in(self) -> None:
        token = re.search(
            r'name="csrfmiddlewaretoken" value="([^"]+)"',
            self.get("/admin/login/?next=/admin/tickets/"),
        )
        assert token is not None
        form = {
            "username": "admin@example.com",
            "password": PASSWORD,
            "csrfmiddlewaretoken": token[1],
        }
        self.get("/admin/login/?next=/admin/tickets/", urllib.parse.urlencode(form).encode())

    def get(self, path: str, form: bytes | None = None) -> str:
        request = urllib.request.Request(
            self._url + path, data=form, headers={"Referer": self._url + path}
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:  # health says 503 while mail waits for long
            return str(error.read().decode())
