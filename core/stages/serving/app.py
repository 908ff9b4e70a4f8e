"""The routes: what FastAPI knows. No route reads a file, and no page loads a script from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from ft.core import __version__
from ft.core.stages.serving import meters, page
from ft.core.stages.serving.describe import ERROR, predict_operation
from ft.core.stages.serving.guard import Guard
from ft.core.stages.serving.limits import Refused
from ft.core.stages.serving.reference import reference
from ft.core.stages.serving.service import Service

SUMMARIES = {
    "/predict": "Answer for rows, pictures, sounds, texts or users",
    "/schema": "What goes in, what comes out, and the limits",
    "/health": "Whether the process lives; needs no token",
    "/ready": "Whether a request would be taken now (200) or not (503); needs no token",
    "/metrics": "Counts and histograms for Prometheus",
}


def build_app(service: Service, log: Callable[[str], None] | None = None) -> Guard:
    """An ASGI application. log: told one line for every request."""
    name = service.facts["model"]["name"]
    app = FastAPI(title=f"{name} (ft {__version__})", version="1", docs_url=None, redoc_url=None)
    _add_work(app, service)
    _add_pages(app, service)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(Exception, _broken)
    return Guard(app, service, log)


def _add_work(app: FastAPI, service: Service) -> None:
    async def predict(request: Request) -> Response:
        answers, batch = await service.predict(request, _top(request.query_params))
        request.scope["ft"] = f", {len(answers['predictions'])} of a batch of {batch}"
        return JSONResponse(answers)

    async def schema() -> Response:
        return JSONResponse(service.facts)

    async def metrics() -> Response:
        return PlainTextResponse(
            service.meters.text(service.waiting, service.in_flight), media_type=meters.CONTENT_TYPE
        )

    errors = {code: {"description": said, "content": ERROR} for code, said in STATUSES.items()}
    app.post(
        "/predict",
        summary=SUMMARIES["/predict"],
        openapi_extra=predict_operation(service.facts),
        responses=errors,
    )(predict)
    app.get("/schema", summary=SUMMARIES["/schema"])(schema)
    app.get("/metrics", summary=SUMMARIES["/metrics"])(metrics)


STATUSES: Mapping[int | str, str] = {
    400: "The body, a picture or a sound cannot be read",
    401: "The token is missing or wrong",
    408: "The body came too slowly",
    413: "Too many bytes, pixels or rows",
    415: "A type of body that this model does not take",
    422: "A value that does not do, or an input that is missing or unknown",
    500: "The model's answer is not finite, or the model failed",
    503: "Too many others ask, or the service is about to stop: try again after Retry-After seconds",
}


def _add_pages(app: FastAPI, service: Service) -> None:
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    async def ready() -> Response:
        if service.ready:
            return JSONResponse({"status": "ready"})
        raise Refused(503, "is about to stop, or its queue is full", "/ready", retry_after_s=1)

    async def front() -> Response:
        return HTMLResponse(page.html(guarded=service.guarded), headers=page.headers())

    async def docs() -> Response:
        return HTMLResponse(reference(app.openapi()), headers=page.headers())

    app.get("/health", summary=SUMMARIES["/health"])(health)
    app.get("/ready", summary=SUMMARIES["/ready"])(ready)
    app.get("/", include_in_schema=False)(front)
    app.get("/docs", include_in_schema=False)(docs)


def _top(query: Mapping[str, str]) -> int | None:
    """How many classes or items an answer lists. Raises Refused."""
    for name in query:
        if name != "top":
            raise Refused(422, f"there is no parameter {name}; there is top", name)
    given = query.get("top")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and 0 < len(given) < 10 and int(given) > 0):
        raise Refused(422, f"top is {given[:20]!r}; expected a whole number from 1", "top")
    return int(given)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused), "registered for it"
    return JSONResponse(error.body(), error.status, error.headers())


async def _not_there(request: Request, error: Exception) -> Response:
    """Paths and methods that there are not."""
    assert isinstance(error, HTTPException), "registered for it"
    body: dict[str, Any] = {"error": str(error.detail), "where": request.url.path}
    return JSONResponse(body, error.status_code, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    """A mistake of ft's; Starlette raises it once more after this, for the guard to show."""
    return JSONResponse({"error": f"this is a bug in ft: {type(error).__name__}", "where": request.url.path}, 500)
