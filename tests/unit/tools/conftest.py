"""A fresh archive for each test of a tool."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.tools.trial_archive import TrialArchive, open_archive


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[TrialArchive]:
    async with open_archive(tmp_path) as archive:
        yield archive
