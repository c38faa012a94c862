"""How the staff site looks."""

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Helpdesk",
    "SITE_HEADER": "Helpdesk",
    "SITE_SYMBOL": "support_agent",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("helpdesk/staff.css")],
    "COMMAND": {
        "search_models": False,
        "search_callback": "helpdesk.staff.navigation.command",
        "show_history": False,
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "helpdesk.staff.navigation.sidebar",
    },
    "COLORS": {
        "primary": {
            "50": "#eef7f6",
            "100": "#d5ebe9",
            "200": "#aed8d5",
            "300": "#7dbebb",
            "400": "#4f9f9d",
            "500": "#348483",
            "600": "#27696a",
            "700": "#235556",
            "800": "#204546",
            "900": "#1e3a3b",
            "950": "#0c2022",
        },
    },
}
