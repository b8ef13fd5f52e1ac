"""`tomato backup` as it is typed: what it says, and its exit codes."""

import secrets
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pymongo import MongoClient

from memory.mongo.backups import DRILL, at_database, drill_name
from server.cli import main
from tests.services.process import free_ports
from tests.services.s3 import Bucket
from tests.services.tomato_server import TOMATO

KEY = "a key of the drawer"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.nice", lambda _: 0)  # this process goes on after the command
    return {"TOMATO_DATA": str(tmp_path / "data"), "TOMATO_ENV": "dev"}


@pytest.fixture
def filled(mongo_url: str, environment: dict[str, str]) -> Iterator[MongoClient[Any]]:
    """A MongoDB that the settings name, as a server leaves it."""
    environment["MONGODB_URL"] = mongo_url
    with MongoClient[Any](mongo_url) as client:
        database = client.get_default_database()
        database["schema"].insert_one({"_id": "tomato", "version": 1})
        database["rooms"].insert_one({"_id": "room_1", "title": "토마토"})
        yield client


def tomato(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, ["backup", *arguments], env=environment)


def told(environment: dict[str, str], *arguments: str) -> str:
    ran = tomato(environment, *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output.strip()


def refused(environment: dict[str, str], *arguments: str) -> str:
    ran = tomato(environment, *arguments)
    assert ran.exit_code == 1, ran.output
    assert isinstance(ran.exception, SystemExit), ran.exception
    return ran.output


def test_a_backup_needs_its_key(filled: MongoClient[Any], environment: dict[str, str]) -> None:
    store = ("--store", "other")
    name = told({**environment, "TOMATO_BACKUP_KEY": KEY}, "run", *store)
    assert name in told(environment, "list", *store)
    assert "TOMATO_BACKUP_KEY is not set" in refused(environment, "verify", *store)
    environment["TOMATO_BACKUP_KEY"] = "another key"
    for command in ("verify", "drill", "restore"):
        assert "is not its key" in refused(environment, command, *store)
    environment["TOMATO_BACKUP_KEY"] = KEY
    assert "good" in told(environment, "verify", *store)
    killed = drill_name(datetime.now(UTC) - timedelta(days=2))
    running = drill_name(datetime.now(UTC))
    for left in (killed, running):
        filled[left]["rooms"].insert_one({"_id": "room_1"})
    assert KEY not in told(environment, "drill", *store)
    assert [name for name in filled.list_database_names() if name.startswith(DRILL)] == [running]
    filled.drop_database(running)


def test_a_restore_beside_the_database_in_use(
    filled: MongoClient[Any], environment: dict[str, str], mongo_url: str
) -> None:
    told(environment, "run", "--store", "other")
    assert "is not empty" in refused(environment, "restore", "--store", "other")
    beside = f"beside_{secrets.token_hex(4)}"
    assert beside in told(environment, "restore", "--store", "other", "--database", beside)
    with MongoClient[Any](at_database(mongo_url, beside)) as client:
        assert client[beside]["rooms"].find_one() == {"_id": "room_1", "title": "토마토"}
        client.drop_database(beside)


def test_backups_in_another_bucket(
    filled: MongoClient[Any], environment: dict[str, str], s3: Bucket
) -> None:
    assert "--bucket needs S3_ENDPOINT" in refused(environment, "run", "--bucket", "backups")
    environment |= {
        "S3_ENDPOINT": s3.endpoint,
        "S3_ACCESS_KEY": s3.access_key,
        "S3_SECRET_KEY": s3.secret_key,
        "S3_BUCKET": s3.bucket,
        "S3_SECURE": "off",
    }
    other = f"{s3.bucket}-backups"
    name = told(environment, "run", "--bucket", other)
    assert f"{name}: good" in told(environment, "verify", "--bucket", other)
    assert "no such backup" in refused(environment, "verify")
    client = s3.client()
    client.remove_object(other, name)
    client.remove_bucket(other)


def test_what_is_away_or_missing_is_told(environment: dict[str, str]) -> None:
    assert "can't be read" in refused(environment, "run")
    for command in ("verify", "drill", "restore"):
        assert "no such backup" in refused(environment, command)
    away = f"mongodb://127.0.0.1:{free_ports(1)[0]}/tomato"
    # A process of its own: the driver may leave a socket to the collector while it can't connect.
    own = {**environment, "MONGODB_URL": away, "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [TOMATO, "backup", "run"], env=own, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "Error: The database does not answer now.\n")


def test_a_backup_of_one_kind_of_store_is_none_of_the_other(
    filled: MongoClient[Any], environment: dict[str, str]
) -> None:
    told(environment, "run", "--store", "other")
    del environment["MONGODB_URL"]
    for command in ("verify", "restore", "drill"):
        assert "is of mongodb" in refused(environment, command, "--store", "other")
    assert "needs MONGODB_URL" in refused(
        environment, "restore", "--store", "other", "--database", "x"
    )


def test_a_place_that_cannot_be_written_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "file" in refused(environment, "run", "--store", "file/below")
