"""One server at a time has a data folder."""

from pathlib import Path

import pytest

from memory.errors import Conflict, Unavailable
from server.data_folder import held


def test_a_folder_is_made_and_held_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "깊은" / "data"
    with held(folder), pytest.raises(Conflict, match="in use by another Tomato"), held(folder):
        raise AssertionError("two hold it")
    with held(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_can_not_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="can't be used"), held(tmp_path / "file" / "data"):
        raise AssertionError("it can't be held")
