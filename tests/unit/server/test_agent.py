"""What stands between the agent and the stores, by the settings."""

from types import SimpleNamespace
from typing import cast

from server.agent import open_archive
from server.settings import Settings
from server.stores import Stores


async def test_without_settings_for_it_nothing_stands_before_the_archive() -> None:
    stores = cast("Stores", SimpleNamespace(archive=object()))
    async with open_archive(Settings(), stores) as archive:
        assert archive is stores.archive
