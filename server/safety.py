"""What must not be in production, told by the setting's name with the way to mend it. Pure."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

# What examples, images and tutorials use: the first that anybody tries.
KNOWN = frozenset(
    "admin changeme default example guest letmein minioadmin minio123 mongo mongodb none pass "
    "password password1 redis root s3cr3t secret test tomato 123456 12345678 key any".split()
)
SHORTEST = 12


def unsafe_in_prod(
    *, origins: Iterable[str], secrets: Mapping[str, str], rate_limits: bool
) -> str | None:
    """The first thing that must not be so in prod, as a sentence; None if there is none.

    ``secrets`` are those that are set, by the names of their settings.
    """
    for origin in origins:
        host = urlsplit(origin).hostname
        if origin.startswith("http://") and host not in ("localhost", "127.0.0.1"):
            return (
                f"TOMATO_ORIGINS must not hold {origin} when TOMATO_ENV is prod: cookies would pass"
                " the network in clear; use https"
            )
    for name, secret in secrets.items():
        if is_weak(secret):
            return (
                f"{name} has a default or short secret, which TOMATO_ENV=prod refuses: make one"
                " with `openssl rand -hex 24`"
            )
    if not rate_limits:
        return "TOMATO_RATE_LIMITS must be on when TOMATO_ENV is prod: passwords could be guessed"
    return None


def is_weak(secret: str) -> bool:
    """Whether a secret is one that everybody tries, or too short to stand guessing."""
    plain = re.sub(r"[^a-z0-9]", "", secret.lower())
    return plain in KNOWN or len(secret) < SHORTEST or len(set(secret)) < 5
