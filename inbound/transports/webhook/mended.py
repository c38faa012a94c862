"""What single views of django-anymail's do otherwise here, each for what its provider really
posts."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from anymail.webhooks.amazon_ses import AmazonSESBaseWebhookView
from anymail.webhooks.postal import PostalInboundWebhookView
from anymail.webhooks.postmark import PostmarkInboundWebhookView
from anymail.webhooks.sparkpost import SparkPostInboundWebhookView
from botocore.exceptions import ClientError, NoCredentialsError
from django.http import HttpRequest

from inbound.transports.webhook.faults import Unreadable
from inbound.transports.webhook.provider_api import api


class _AmazonSes:
    """A subscription is confirmed without AWS credentials, too, as whoever opens its link would;
    that it was asked for is known by the URL's password
    (https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html)."""

    def auto_confirm_sns_subscription(self, sns_message: Mapping[str, str]) -> None:
        topic, token = sns_message["TopicArn"], sns_message["Token"]
        _, partition, _, region, *_ = topic.split(":")
        if not re.fullmatch(r"[a-z0-9-]+", region):
            raise Unreadable("the topic names no region")
        try:
            super().auto_confirm_sns_subscription(sns_message)  # type: ignore[misc]
        except (NoCredentialsError, ClientError):
            host = f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")
            asked = {
                "Action": "ConfirmSubscription",
                "TopicArn": topic,
                "Token": token,
                "Version": "2010-03-31",
            }
            api.get(f"https://{host}/", params=asked).raise_for_status()


class _Postal:
    """Its view wants UTF-8 where the provider has put bytes in Base64."""

    def parse_events(self, request: HttpRequest) -> Any:
        post = json.loads(request.body.decode("utf-8"))
        if isinstance(post, dict) and post.get("base64") is True:
            raw = base64.b64decode(post["message"]).decode("utf-8", "surrogateescape")
            request._body = json.dumps({**post, "base64": False, "message": raw}).encode()  # type: ignore[attr-defined]
        return super().parse_events(request)  # type: ignore[misc]


class _SparkPost:
    """As Postal's."""

    def unwrap_event(self, raw_event: Any) -> Any:
        kind, event, post = super().unwrap_event(raw_event)  # type: ignore[misc]
        content = event.get("content") if event else None
        if content and content["email_rfc822_is_base64"]:
            content["email_rfc822"] = base64.b64decode(content["email_rfc822"]).decode(
                "utf-8", "surrogateescape"
            )
            content["email_rfc822_is_base64"] = False
        return kind, event, post


class _Postmark:
    """Its view wants addresses as they ought to be, also of who has none."""

    @classmethod
    def _address(cls, full: Mapping[str, str] | None) -> str:
        if not full:
            return ""
        name = (full.get("Name") or "").replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{full.get("Email") or ""}>' if name else full.get("Email") or ""


MENDED: dict[type, type] = {
    AmazonSESBaseWebhookView: _AmazonSes,
    PostalInboundWebhookView: _Postal,
    SparkPostInboundWebhookView: _SparkPost,
    PostmarkInboundWebhookView: _Postmark,
}
