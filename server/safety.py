"""What must not be in production, told by the setting's name with the way to mend it. Pure."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from server.settings import Settings

# What examples, images and tutorials use: the first that anybody tries.
KNOWN = frozenset(
    "admin changeme default example guest letmein minioadmin minio123 mongo mongodb none pass "
    "password password1 redis root s3cr3t secret test tomato 123456 12345678 key any".split()
)
SHORTEST = 12


def unsafe_in_prod(settings: "Settings") -> str | None:
    """The first thing that must not be so in prod, as a sentence; None if there is none."""
    for origin in settings.origins:
        host = urlsplit(origin).hostname
        if origin.startswith("http://") and host not in ("localhost", "127.0.0.1"):
            return (
                f"TOMATO_ORIGINS must not hold {origin} when TOMATO_ENV is prod: cookies would pass"
                " the network in clear; use https"
            )
    for name, secret in _secrets(settings):
        if is_weak(secret):
            return (
                f"{name} has a default or short secret, which TOMATO_ENV=prod refuses: make one"
                " with `openssl rand -hex 24`"
            )
    if not settings.rate_limits:
        return "TOMATO_RATE_LIMITS must be on when TOMATO_ENV is prod: passwords could be guessed"
    return None


def is_weak(secret: str) -> bool:
    """Whether a secret is one that everybody tries, or too short to stand guessing."""
    plain = re.sub(r"[^a-z0-9]", "", secret.lower())
    return plain in KNOWN or len(secret) < SHORTEST or len(set(secret)) < 5


def _secrets(settings: "Settings") -> list[tuple[str, str]]:
    """Every secret that is set, by the name of its setting."""
    found: list[tuple[str, str]] = []
    for name, url in (("MONGODB_URL", settings.mongodb_url), ("REDIS_URL", settings.redis_url)):
        password = urlsplit(url.get_secret_value()).password if url else None
        if password is not None:
            found.append((name, password))
    if settings.backup_key is not None:
        found.append(("TOMATO_BACKUP_KEY", settings.backup_key.get_secret_value()))
    if settings.s3_secret_key is not None:
        found.append(("S3_SECRET_KEY", settings.s3_secret_key.get_secret_value()))
    return found
