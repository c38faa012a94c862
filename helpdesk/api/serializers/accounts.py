"""What several paths about accounts are told, and say."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from helpdesk.api.serializers.people import ProfileSerializer
from helpdesk.request_data import AddressOfBody


class Email(serializers.Serializer[Any]):
    email = AddressOfBody()


class Pair(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class PairAndProfile(Pair):
    profile = ProfileSerializer()


Said = inline_serializer("Said", {"message": serializers.CharField()})
