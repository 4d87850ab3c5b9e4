"""The service behind HTTP: content types, JSON, headers, compression."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fhir_adapter.fhir.canonical import Json, NotJson, parse_json
from fhir_adapter.sandbox.exchange import Call, Reply
from fhir_adapter.sandbox.outcome import Refused, operation_outcome
from fhir_adapter.sandbox.search import encode
from fhir_adapter.sandbox.service import Service

BASE_PATH = "/fhir"
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
_FORM = "application/x-www-form-urlencoded"


def web_application(service: Service) -> Starlette:
    """An ASGI application that serves everything below `/fhir`."""
    route = Route(BASE_PATH + "{rest:path}", _endpoint(service), methods=_METHODS)
    return Starlette(routes=[route], middleware=[Middleware(GZipMiddleware, minimum_size=500)])


def _endpoint(service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(_respond, service, request, body)

    return answer


def _respond(service: Service, request: Request, body: bytes) -> Response:
    try:
        call = _read_call(request, body)
    except Refused as refused:
        return _write_reply(Reply(refused.status, operation_outcome(refused.code, refused.text)))
    return _write_reply(service.answer(call))


def _read_call(request: Request, body: bytes) -> Call:
    _check_accept(request.headers.get("accept", ""))
    path = tuple(part for part in request.path_params["rest"].split("/") if part)
    method = "GET" if request.method == "HEAD" else request.method
    query = list(request.query_params.multi_items())
    headers = {name: request.headers[name] for name in request.headers}
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and path[-1:] == ("_search",):
        if content_type not in (_FORM, ""):
            raise Refused(415, "not-supported", "a search is sent as a form")
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        return Call(method, path, [*query, *fields], headers)
    return Call(method, path, query, headers, _read_payload(body, content_type) if body else None)


def _check_accept(accept: str) -> None:
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    if ranges and not any("json" in range or range in ("*/*", "application/*") for range in ranges):
        raise Refused(406, "not-supported", "this server writes JSON only")


def _read_payload(body: bytes, content_type: str) -> Json:
    if content_type and not content_type.endswith("json"):
        raise Refused(415, "not-supported", "this server reads JSON only")
    try:
        return parse_json(body)
    except NotJson:
        raise Refused(400, "structure", "the content is not JSON") from None


def _write_reply(reply: Reply) -> Response:
    if reply.content is not None:
        return Response(reply.content, reply.status, dict(reply.headers), reply.media_type)
    content = b"" if reply.body is None else encode(reply.body)
    media_type = "application/fhir+json; charset=utf-8" if content else None
    return Response(content, reply.status, dict(reply.headers), media_type)
