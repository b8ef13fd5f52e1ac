"""How often something may be asked for: by name, by address, by user; counted in Redis or here."""

import hashlib
import math
import time
from typing import TYPE_CHECKING, Any, cast

from limits import RateLimitItem, parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from memory.errors import Unavailable
from server.context import LOCAL_USER
from server.errors import APIError
from server.settings import Settings

if TYPE_CHECKING:
    from limits.aio.storage import Storage

    from memory.redis.connection import Client

MESSAGE = "Too many requests of this kind; please wait a little."


class RateLimits:
    """One window for each kind of request and each one who asks; none while switched off."""

    def __init__(self, settings: Settings, redis: "Client | None") -> None:
        self._on = settings.rate_limits
        self._limits: dict[str, RateLimitItem] = {
            "login_name": parse(settings.rate_login_name),
            "login_address": parse(settings.rate_login_address),
            "register": parse(settings.rate_register),
            "chat": parse(settings.rate_chat),
            "draft": parse(settings.rate_draft),
        }
        self._strategy = SlidingWindowCounterRateLimiter(_storage(settings, redis))

    async def spend_by_user(self, kind: str, uid: str) -> None:
        """Count a signed-in user's request; the local user has the machine to themselves."""
        if uid != LOCAL_USER:
            await self.spend(kind, uid)

    async def spend(self, kind: str, who: str) -> None:
        """Count one request; APIError 429 ``too_many_requests`` once the window is full."""
        if not self._on:
            return
        limit = self._limits[kind]
        # Only a digest is kept: of names and addresses nothing shall stay behind.
        who = hashlib.sha256(who.encode()).hexdigest()
        try:
            if await self._strategy.hit(limit, kind, who):
                return
            reset, _ = await self._strategy.get_window_stats(limit, kind, who)
        except StorageError as error:
            raise Unavailable("Redis does not answer now.") from error
        wait = max(1, math.ceil(reset - time.time()))
        raise APIError(429, "too_many_requests", MESSAGE, headers={"Retry-After": str(wait)})


def _storage(settings: Settings, redis: "Client | None") -> "Storage":
    if redis is None or settings.redis_url is None:
        return storage_from_string("async+memory://")  # type: ignore[return-value]
    url = settings.redis_url.get_secret_value()
    storage: Any = storage_from_string(
        f"async+{url}",
        implementation="redispy",
        wrap_exceptions=True,
        key_prefix="tomato:rates",
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]
    )
    # It made a client of its own; by ours, its commands leave together with others.
    storage.bridge.storage = redis
    storage.bridge.register_scripts()
    return cast("Storage", storage)
