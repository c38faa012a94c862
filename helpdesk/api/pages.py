"""?limit= and ?offset=, with a count that stays cheap however many there are."""

from collections import OrderedDict
from typing import Any

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

COUNTED = 10_000  # beyond that `count` says so many; `next` goes on


class Pages(LimitOffsetPagination):
    default_limit = 20
    max_limit = 100
    max_offset = 100_000

    def get_count(self, queryset: Any) -> int:
        return int(queryset.order_by()[:COUNTED].count())

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.limit = self.get_limit(request) or self.default_limit
        self.offset = min(self.get_offset(request), self.max_offset)
        self.count = self.get_count(queryset)
        found = list(queryset[self.offset : self.offset + self.limit + 1])
        self.has_more = len(found) > self.limit
        return found[: self.limit]

    def get_next_link(self) -> str | None:
        if not self.has_more:
            return None
        url = replace_query_param(self.request.build_absolute_uri(), "limit", self.limit)
        return str(replace_query_param(url, "offset", self.offset + self.limit))

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            OrderedDict(
                count=self.count,
                next=self.get_next_link(),
                previous=self.get_previous_link(),
                results=data,
            )
        )
