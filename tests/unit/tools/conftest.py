"""An archive and a model for the tools."""

import pytest

from tests.unit.tools.memory_archive import MemoryArchive


@pytest.fixture
def archive() -> MemoryArchive:
    return MemoryArchive()
