"""A real MongoDB for tests: a replica set of one member, or a standalone server."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.services.process import PACKAGES, ServerProcess, executable, free_ports

NOT_YET_INITIALIZED = 94


@dataclass
class MongoServer(ServerProcess):
    """One mongod on a free port of 127.0.0.1."""

    replica_set: bool = True
    port: int = field(default_factory=lambda: free_ports(1)[0])

    def url(self, database: str = "") -> str:
        return f"mongodb://127.0.0.1:{self.port}/{database}?directConnection=true"

    def command(self) -> list[str | Path]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            executable(PACKAGES / "fiftyone/db/bin/mongod"),
            f"--dbpath={data}",
            f"--port={self.port}",
            "--bind_ip=127.0.0.1",
            "--nounixsocket",
            "--wiredTigerCacheSizeGB=0.25",
            "--setParameter=diagnosticDataCollectionEnabled=false",
            *(["--replSet=rs0", "--oplogSize=64"] if self.replica_set else []),
        ]

    def ready(self) -> bool:
        with MongoClient[dict[str, object]](self.url(), serverSelectionTimeoutMS=500) as client:
            try:
                if self.replica_set:
                    self._initiate(client)
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False

    def _initiate(self, client: MongoClient[dict[str, object]]) -> None:
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as failure:
            if failure.code != NOT_YET_INITIALIZED:
                raise
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """The run's MongoDB: a replica set. Whoever stops it starts it again."""
    server = MongoServer(tmp_path_factory.mktemp("mongo"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mongo_url(mongo_server: MongoServer) -> Iterator[str]:
    """The URL of a database of this test alone."""
    name = f"test_{secrets.token_hex(6)}"
    yield mongo_server.url(name)
    with MongoClient[dict[str, object]](mongo_server.url()) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def standalone_mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A MongoDB that is no replica set, and so has no transactions."""
    server = MongoServer(tmp_path_factory.mktemp("standalone"), replica_set=False)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def standalone_mongo_url(standalone_mongo_server: MongoServer) -> str:
    """The URL of a database of this test alone; it goes with its server."""
    return standalone_mongo_server.url(f"test_{secrets.token_hex(6)}")
