"""The HTTP application: its routes, its guards, its life; nothing is made at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware

from server import (
    accounts,
    archive,
    catalog,
    chat,
    files,
    health,
    openai_routes,
    pages,
    rooms,
    runs,
    usage,
)
from server.errors import add_error_handlers
from server.late_routes import add_late_routes
from server.measuring import RequestMeasures
from server.opening import Opening
from server.origins import AllowedPages, OriginGuard
from server.request_ids import RequestIds
from server.resources import Resources
from server.settings import Settings
from server.sse import StreamsOutside

if TYPE_CHECKING:
    from server.tracing import Tracing

ROUTERS = (
    health.router,
    rooms.router,
    chat.router,
    runs.router,
    openai_routes.router,
    catalog.router,
    archive.router,
    files.router,
    accounts.router,
    usage.router,
    pages.router,
)


def create_app(settings: Settings, resources: Resources | None = None) -> FastAPI:
    """The application; it opens its own resources unless it is given open ones."""
    app = FastAPI(
        title="Tomato",
        summary="A self-hosted assistant with a memory that its user controls.",
        version=version("tomato"),
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestIds),
            Middleware(RequestMeasures),
            Middleware(OriginGuard, settings=settings),
            Middleware(AllowedPages, settings=settings),
        ],
    )
    app.state.settings = settings
    tracing = _tracing(settings)
    app.state.tracing = tracing
    app.state.opening = Opening(settings, resources, tracing)
    add_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    pages.add_web_files(app)
    add_late_routes(app)
    if tracing is not None:
        tracing.add_to(app)
    app.add_middleware(StreamsOutside)
    return app


def _tracing(settings: Settings) -> "Tracing | None":
    if not settings.traced:
        return None
    from server.tracing import Tracing

    return Tracing()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.opening.run():
        yield
    if app.state.tracing is not None:
        await app.state.tracing.close()
