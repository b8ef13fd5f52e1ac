"""The two yardsticks: FastAPI + create_agent + ChatOpenAI streaming, alone and with a stock saver.

Each room keeps its history as a plain user of these libraries would: with no saver the client's
message alone is sent; with the stock MongoDB saver the graph keeps the room's messages.
"""

import argparse
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Chat(BaseModel):
    message: str


@tool
async def archive_search(query: str) -> str:
    """Search the archive."""
    return json.dumps({"found": []})


def make_app(base_url: str, mongodb_url: str | None) -> FastAPI:
    saver: Any = None
    if mongodb_url:
        from langgraph.checkpoint.mongodb import MongoDBSaver
        from pymongo import MongoClient

        saver = MongoDBSaver(MongoClient(mongodb_url), db_name="yardstick")
    model = ChatOpenAI(
        model="fake", base_url=base_url, api_key="key", streaming=True, stream_usage=True
    )
    agent = create_agent(model, [archive_search], checkpointer=saver)
    app = FastAPI()

    @app.post("/chat/{room}")
    async def chat(room: str, asked: Chat) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            stream = agent.astream(
                {"messages": [{"role": "user", "content": asked.message}]},
                {"configurable": {"thread_id": room}},
                stream_mode="messages",
            )
            async for chunk, _ in cast("AsyncIterator[tuple[Any, Any]]", stream):
                if chunk.content and chunk.type == "AIMessageChunk":
                    yield f"event: token\ndata: {json.dumps({'text': chunk.content})}\n\n"
            yield "event: done\ndata: {}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--model", required=True)
    options.add_argument("--mongodb")
    given = options.parse_args()
    uvicorn.run(
        make_app(given.model, given.mongodb),
        host="127.0.0.1",
        port=given.port,
        log_level="warning",
        access_log=False,
    )
