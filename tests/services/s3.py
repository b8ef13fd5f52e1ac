"""A real server of the S3 API for tests."""

import secrets
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import urllib3
from minio import Minio
from minio.error import MinioException

from tests.services.process import ServerProcess, executable, free_ports

ROLES = ("master", "volume", "filer", "s3")


@dataclass(frozen=True)
class Bucket:
    """Where a test may put objects, and the keys for it."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str

    def client(self) -> Minio:
        """A client of a plain-text endpoint."""
        return Minio(
            self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
        )


@dataclass
class S3Server(ServerProcess):
    """One SeaweedFS with all its roles, on free ports of 127.0.0.1."""

    access_key: str = field(default_factory=lambda: secrets.token_hex(10))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20))
    ports: list[int] = field(default_factory=lambda: free_ports(2 * len(ROLES)))

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.ports[2 * ROLES.index('s3')]}"

    def command(self) -> list[str | Path]:
        (self.folder / "data").mkdir(exist_ok=True)
        keys = self.folder / "keys.json"
        keys.write_bytes(orjson.dumps(self._identities()))
        return [
            executable(Path(sysconfig.get_path("scripts")) / "weed"),
            *("server", f"-dir={self.folder / 'data'}", "-s3", f"-s3.config={keys}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.electionTimeout=1s"),
            "-volume.preStopSeconds=0",
            "-volume.max=500",  # each bucket takes several, and eight are soon gone
            *self._ports(),
        ]

    def ready(self) -> bool:
        """Whether a bucket can be made and an object be stored in it."""
        bucket = self.bucket("ready")
        client = bucket.client()
        try:
            if not client.bucket_exists(bucket.bucket):
                client.make_bucket(bucket.bucket)
            # After a restart buckets are there before there is room for objects.
            client.put_object(bucket.bucket, "ready", BytesIO(b"ready"), 5)
        except (urllib3.exceptions.HTTPError, MinioException, ValueError):
            return False
        return True

    def bucket(self, name: str) -> Bucket:
        return Bucket(self.endpoint, self.access_key, self.secret_key, name)

    def _identities(self) -> dict[str, object]:
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"identities": [{"name": "tomato", "credentials": [keys], "actions": actions}]}

    def _ports(self) -> list[str]:
        pairs = zip(ROLES, self.ports[::2], self.ports[1::2], strict=True)
        return [
            flag
            for role, http, grpc in pairs
            for flag in (f"-{role}.port={http}", f"-{role}.port.grpc={grpc}")
        ]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The run's S3 server. Whoever stops it starts it again."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[Bucket]:
    """An empty bucket of this test alone."""
    bucket = s3_server.bucket(f"test-{secrets.token_hex(6)}")
    client = bucket.client()
    client.make_bucket(bucket.bucket)
    yield bucket
    for found in client.list_objects(bucket.bucket, recursive=True):
        client.remove_object(bucket.bucket, str(found.object_name))
    client.remove_bucket(bucket.bucket)
