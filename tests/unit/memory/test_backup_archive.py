"""An archive comes back as it was, or is refused: cut at every byte, with every byte changed."""

import json
from pathlib import Path

import pytest

from memory import backup_archive
from memory.backup_archive import pack, unpack
from memory.errors import Invalid, Newer


def _packed(tmp_path: Path) -> Path:
    folder = tmp_path / "members"
    folder.mkdir()
    (folder / "words").write_text("토마토 tomato 🍅")
    (folder / "empty").write_bytes(b"")
    pack(folder, tmp_path / "archive", {"schema": 1})
    return tmp_path / "archive"


def test_members_and_manifest_come_back(tmp_path: Path) -> None:
    archive, folder = _packed(tmp_path), tmp_path / "out"
    folder.mkdir()
    manifest = unpack(archive, folder)
    assert (folder / "words").read_text() == "토마토 tomato 🍅"
    assert (folder / "empty").read_bytes() == b""
    assert manifest["schema"] == 1
    assert json.dumps(sorted(manifest["members"])) == '["empty", "words"]'


def test_every_cut_and_every_changed_byte_is_refused(tmp_path: Path) -> None:
    archive, folder = _packed(tmp_path), tmp_path / "out"
    folder.mkdir()
    good = archive.read_bytes()
    bad = tmp_path / "bad"
    for at in range(len(good)):
        for data in (good[:at], good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]):
            bad.write_bytes(data)
            with pytest.raises(Invalid, match="refused"):
                unpack(bad, folder)
    assert not list(folder.iterdir())


def test_an_archive_of_a_newer_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_archive, "FORMAT", 2)
    archive, folder = _packed(tmp_path), tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(backup_archive, "FORMAT", 1)
    with pytest.raises(Newer):
        unpack(archive, folder)
