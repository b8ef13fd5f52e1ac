"""A server tells how old the last good backup is, and whether it is late."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from memory.folder.objects import FolderObjects
from memory.last_backup import noted
from server.settings import Settings

DAY = 86_400


@pytest.fixture(params=["03:00 Asia/Seoul", None], ids=["each day", "none asked for"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update={"backup_at": request.param})


async def told(client: httpx.AsyncClient) -> tuple[dict[str, object], dict[str, float]]:
    """What /readyz and /metrics say of backups, of a server that is ready."""
    await client.get("/api/rooms")  # which waits until all is open
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    text = (await client.get("/metrics")).text
    families = text_string_to_metric_families(text)
    metrics = {one.name: one.samples[0].value for one in families if "_backup_" in one.name}
    return ready.json()["backup"], metrics


async def test_one_that_is_asked_for_and_missing_is_late(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    backup, metrics = await told(client)
    late = settings.backup_at is not None
    assert backup == {"made_at": None, "age_seconds": None, "late": late}
    assert str(metrics["tomato_backup_age_seconds"]) == "nan"
    assert metrics["tomato_backup_late"] == late


@pytest.mark.parametrize("days", [1, 3])
async def test_an_old_one_is_late(client: httpx.AsyncClient, settings: Settings, days: int) -> None:
    made_at = datetime.now(UTC) - timedelta(days=days)
    store = FolderObjects(settings.objects_path)
    await noted(store, f"backups/{made_at:%Y%m%dT%H%M%S%fZ}.tar.zst")
    backup, metrics = await told(client)
    late = settings.backup_at is not None and days == 3
    assert backup["late"] == late
    assert datetime.fromisoformat(str(backup["made_at"])) == made_at
    assert days * DAY <= int(str(backup["age_seconds"])) < days * DAY + 600
    assert days * DAY <= metrics["tomato_backup_age_seconds"] < days * DAY + 600
    assert metrics["tomato_backup_late"] == late
