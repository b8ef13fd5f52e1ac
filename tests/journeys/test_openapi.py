"""Thousands of made-up requests from the OpenAPI document itself, by somebody who is signed in."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.services.tomato_server import TomatoServer

EACH = 180
LEAST = 5_000
PERSON = {"username": "schema.walker", "password": "correct horse battery"}
ENDS_SESSION = {"/api/auth/logout", "/api/auth/logout-all", "/api/auth/me"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

OF_BYTES = [not_a_server_error, status_code_conformance, response_headers_conformance]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def server(live_server: TomatoServer) -> TomatoServer:
    await live_server.stop()
    live_server.settings = {
        "TOMATO_LOCAL_USER": "off",
        "TOMATO_RATE_LIMITS": "off",
        "TOMATO_PASSWORD_TIME_COST": "1",
        "TOMATO_PASSWORD_MEMORY_KIB": "64",
    }
    await live_server.start()
    return live_server


class Walker:
    """Keeps one user signed in whatever the requests do."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=60)
        self.sid = self.enter()

    def enter(self) -> str:
        self._client.post("/api/auth/register", json=PERSON)
        self.sid = self._client.post("/api/auth/login", json=PERSON).json()["sid"]
        self._client.cookies.clear()
        return self.sid

    def furnish(self) -> dict[str, str]:
        """Real ids, so that not every made-up one is a 404."""
        headers = {"Authorization": f"Bearer {self.sid}"}
        room = self._client.post("/api/rooms", json={}, headers=headers).json()["id"]
        body = {"message": "기억해: 레디스 만료는 EXPIRE로 정한다", "stream": False}
        said = self._client.post(f"/api/rooms/{room}/chat", json=body, headers=headers).json()
        (entry,) = self._client.get("/api/archive", headers=headers).json()["items"]
        file = f"/api/archive/{entry['id']}/files/a.txt"
        self._client.put(file, content=b"a", headers=headers).raise_for_status()
        return {
            "room_id": room,
            "run_id": said["run_id"],
            "entry_id": entry["id"],
            "filename": "a.txt",
            "name": entry["category"],
        }

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def walker(server: TomatoServer) -> Iterator[Walker]:
    walker = Walker(server.address)
    yield walker
    walker.close()


@pytest.mark.filterwarnings("ignore:Overriding standard format")
def test_no_request_breaks_the_contract(server: TomatoServer, walker: Walker) -> None:
    ids = walker.furnish()
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    sent: Counter[str] = Counter()
    statuses: Counter[int] = Counter()

    def walk(operation: Any) -> None:
        # Bytes as somebody put them are no text, whatever type they gave them.
        bytes_only = operation.label == "GET /api/archive/{entry_id}/files/{filename}"
        deletes = operation.method.upper() == "DELETE"

        @settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def requests(case: Any) -> None:
            number = sent[operation.label]
            sent[operation.label] += 1
            # Every other request is for something that is there.
            if number % 2 and not deletes:
                for name in case.path_parameters or {}:
                    case.path_parameters[name] = ids.get(name, case.path_parameters[name])
            response = case.call(headers={"Authorization": f"Bearer {walker.sid}"}, timeout=60)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=OF_BYTES if bytes_only else CHECKS)
            if operation.path in ENDS_SESSION and response.status_code == 204:
                walker.enter()

        requests()

    for found in schema.get_all_operations():
        walk(found.ok())  # type: ignore[union-attr]

    assert sum(sent.values()) >= LEAST, sent
    assert len(sent) > 25
    # It got behind the door, and met more than refusals.
    assert statuses[200] > 500, statuses
    assert statuses[401] < sum(statuses.values()) / 10, statuses
