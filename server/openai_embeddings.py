"""Makes vectors with OpenAI's embeddings or a compatible server's; loaded only where configured."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import httpx2
import openai
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from memory.errors import Invalid, Unavailable
from server.settings import Settings

SECONDS = 20.0
"""How long one answer may take."""

_NO_KEY = SecretStr("none")
_REFUSED = (400, 413, 422)


class OpenAIEmbedder:
    """The Embedder protocol; ``name`` is as in the settings."""

    def __init__(self, name: str, model: OpenAIEmbeddings) -> None:
        self.name = name
        self._model = model

    async def documents(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        with _mapped_errors():
            made = await self._model.aembed_documents(list(texts))
        if len(made) != len(texts):
            raise Unavailable("The embeddings' server did not answer for each text.")
        return made

    async def query(self, text: str) -> Sequence[float]:
        with _mapped_errors():
            return await self._model.aembed_query(text)


@asynccontextmanager
async def open_embedder(settings: Settings) -> AsyncIterator[OpenAIEmbedder]:
    """The embedder that the settings name."""
    name = settings.embeddings or ""
    async with httpx2.AsyncClient(timeout=SECONDS) as client:
        model = OpenAIEmbeddings(
            model=name.removeprefix("openai:"),
            openai_api_key=settings.openai_api_key or _NO_KEY,
            openai_api_base=settings.openai_base_url,
            http_async_client=client,
            max_retries=1,
            request_timeout=SECONDS,
            # Texts are short, and counting their tokens would download a table.
            check_embedding_ctx_length=False,
        )
        yield OpenAIEmbedder(name, model)


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except openai.APIStatusError as error:
        if error.status_code in _REFUSED:
            raise Invalid.field("text", "the embeddings' server refuses it") from error
        raise Unavailable("The embeddings' server refuses to answer now.") from error
    except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
        raise Unavailable("The embeddings' server does not answer now.") from error
