"""A deletion tells until when backups may still hold what it took."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from server.settings import Settings


@pytest.fixture(params=["7d 4w 6m", "3d", None])
def keep(request: pytest.FixtureRequest) -> str | None:
    chosen: str | None = request.param
    return chosen


@pytest.fixture
def settings(tmp_path: Path, keep: str | None) -> Settings:
    each_day = {} if keep is None else {"backup_at": "03:00 Asia/Seoul", "backup_keep": keep}
    return Settings(data=tmp_path / "data", port=0, **each_day)


async def test_a_deletion_tells_of_backups(client: httpx.AsyncClient, keep: str | None) -> None:
    room = (await client.post("/api/rooms", json={})).json()["id"]
    await client.post(f"/api/rooms/{room}/chat", json={"message": "안녕?", "stream": False})
    listed = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    keys = [message["key"] for message in listed]
    gone = await client.request("DELETE", f"/api/rooms/{room}/messages", json={"keys": keys})
    assert gone.status_code == 200, gone.text
    told = gone.json()["backups_until"]
    if keep is None:
        assert told is None
        return
    # The longest that any is kept, and the day until the next one is made.
    days = {"7d 4w 6m": 6 * 31 + 1, "3d": 4}[keep]
    left = datetime.fromisoformat(told) - datetime.now(UTC)
    assert timedelta(days=days, minutes=-10) < left <= timedelta(days=days)
