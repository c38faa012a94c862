"""The bytes of mail."""

import zlib

from django.db import models


class RawMail(models.Model):
    """The bytes, exactly as received but for a code or a link of ours that came back (see
    inbound.returned); in a table of their own, so that no update rewrites them."""

    data = models.BinaryField()
    is_compressed = models.BooleanField(
        default=False, help_text="Done a while after it arrived: see housekeeping."
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(is_compressed=False), name="rawmail_plain"
            )
        ]

    @property
    def content(self) -> bytes:
        """The bytes as they are kept."""
        return zlib.decompress(self.data) if self.is_compressed else bytes(self.data)

    def __str__(self) -> str:
        return f"raw mail {self.pk}"
