"""Every saver does all that LangGraph's conformance suite asks, on real servers."""

from collections.abc import AsyncIterator

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from tests.services.savers import Savers


@pytest.mark.parametrize("capability", [capability.value for capability in Capability])
async def test_conformance(savers: Savers, capability: str) -> None:
    @checkpointer_test(name=savers.backend)
    async def saver() -> "AsyncIterator[BaseCheckpointSaver[int]]":
        yield await savers.open()

    report = await validate(saver, capabilities={capability})

    result = report.results[capability]
    assert not result.failures
    assert result.passed
    assert result.tests_passed > 0
    assert result.tests_skipped == 0
