"""Signatures after the Standard Webhooks specification: the receiver knows who sent a request, and when.

The id is the same for every attempt, so that a receiver recognises a repetition; the time is the attempt's own.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final

from scheduler.domain.errors import ConfigurationError

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


class Signer:
    """Signs with a secret like `whsec_<base64>`; raises ConfigurationError when it is none."""

    def __init__(self, secret: str) -> None:
        try:
            self._key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            self._key = b""
        if not secret.startswith(_PREFIX) or len(self._key) not in _KEY_BYTES:
            raise ConfigurationError(
                "API_TASK_SIGNING_SECRET must be whsec_ and the base64 of 24 to 64 random bytes: "
                'echo "whsec_$(openssl rand -base64 32)" makes one.'
            )

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """What tells the receiver that `body` is ours."""
        timestamp = str(int(now.timestamp()))
        digest = hmac.digest(self._key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
        return dict(zip(HEADERS, (message_id, timestamp, f"v1,{base64.b64encode(digest).decode()}"), strict=True))
