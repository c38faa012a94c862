"""What arrived, by mailbox and day, and where it ended."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from helpdesk import access, ledger
from helpdesk.request_data import whole


@require_GET
def ledger_page(request: HttpRequest) -> HttpResponse:
    """What arrived, by mailbox and day, and where it ended."""
    assert access.is_staff(request.user)
    days = min(whole(request.GET.get("days", "")) or 14, 366)
    rows = ledger.lines(days, among=access.mails(request.user))
    total = ledger.totals(rows)
    context = {
        **admin.site.each_context(request),
        "title": "Ledger",
        "rows": rows,
        "columns": ledger.COLUMNS,
        "days": days,
        "total": [total[name] for name in ledger.COLUMNS],
        "arrived": sum(total.values()),
        "is_fullwidth": "1",
    }
    return render(request, "staff/ledger.html", context)
