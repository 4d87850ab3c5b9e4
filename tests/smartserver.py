"""A FHIR server that gives nothing without a token, and the authorisation server that gives the tokens.

Both listen on loopback, on ports of their own, and check everything that SMART Backend Services asks of a client. What
they do wrong on purpose is in `Habits`, and may be changed while they run.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import uvicorn
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fhir_adapter.ehr.auth.key import SigningKey
from fhir_adapter.fhir.resource_types import R4_TYPES
from fhir_adapter.sandbox.exchange import Call
from fhir_adapter.sandbox.search import Paging
from fhir_adapter.sandbox.service import Service
from fhir_adapter.sandbox.web import BASE_PATH, web_application

CLIENT = "night-client"
SECRET = "s3cret-of+the/client"


@dataclass
class Habits:
    """How the servers behave. `answers` are given to token requests instead of the right ones, one after the other."""

    discovery: str = "well-known"  # or "metadata", or "none"
    capabilities: tuple[str, ...] = ("client-confidential-asymmetric", "permission-v2")
    scopes_supported: tuple[str, ...] = ("system/*.cruds",)
    unknown_scopes: tuple[str, ...] = ()
    not_granted: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS384", "ES384")
    methods: tuple[str, ...] = ("private_key_jwt",)
    token_endpoint: str = ""  # what discovery says, when that is not the truth
    says_scope: bool = True
    lifetime: object = 300  # None: left out
    uses: int | None = None  # requests that a token is good for
    clock_ahead_s: float = 0.0
    refuses: tuple[int, ...] = ()  # which requests for data get a 401 although their token is good, from 1
    refuses_all: int = 0  # the status for every FHIR request, whatever the token
    forbidden_types: tuple[str, ...] = ()
    answers: list[tuple[int, Mapping[str, object]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


class SmartServer:
    """`fhir_url` and `token_url` are where they listen; everything that was asked is remembered."""

    def __init__(self, keys: Iterable[SigningKey], habits: Habits) -> None:
        self.habits = habits
        self.keys = KeySet([type(key.key).import_key(key.public_jwk()) for key in keys])  # type: ignore[arg-type]
        self._fhir, self._auth = _socket(), _socket()
        self.fhir_url = f"http://127.0.0.1:{self._fhir.getsockname()[1]}{BASE_PATH}"
        self.token_url = f"http://127.0.0.1:{self._auth.getsockname()[1]}/auth/token"
        self.service = Service(self.fhir_url, Paging(5, 500, 0, None), R4_TYPES)
        self.tokens: dict[str, tuple[str, ...]] = {}
        self.used: dict[str, int] = {}
        self.assertions: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.token_requests: list[dict[str, str]] = []
        self.fhir_requests: list[tuple[str, str, str]] = []
        self.data_requests = 0
        self._jtis: set[str] = set()
        self._web = web_application(self.service)

    @property
    def now(self) -> float:
        return time.time() + self.habits.clock_ahead_s

    def load(self, *paths: Path) -> None:
        for path in paths:
            reply = self.service.answer(Call("POST", (), payload=json.loads(path.read_bytes())))
            assert reply.status == 200

    def asked_scopes(self) -> list[list[str]]:
        return [request.get("scope", "").split() for request in self.token_requests]

    # The FHIR server

    async def fhir(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        path = request.url.path.removeprefix(BASE_PATH).strip("/")
        authorization = request.headers.get("authorization", "")
        self.fhir_requests.append((request.method, path, authorization))
        answer = self._before_data(path, authorization, request.method)
        await (answer or self._web)(scope, receive, send)

    def _before_data(self, path: str, authorization: str, method: str) -> Response | None:
        if path == ".well-known/smart-configuration":
            found = self.habits.discovery == "well-known"
            return JSONResponse(self._configuration()) if found else Response(status_code=404)
        if path == "metadata":
            return JSONResponse(self._statement()) if self.habits.discovery == "metadata" else None
        self.data_requests += 1
        if self.habits.refuses_all:
            return Response(status_code=self.habits.refuses_all)
        token = authorization.removeprefix("Bearer ")
        worn_out = token not in self.tokens or self.used[token] == self.habits.uses
        if worn_out or self.data_requests in self.habits.refuses:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        self.used[token] += 1
        type = path.partition("/")[0]
        if type in self.habits.forbidden_types or not self._allows(token, type, method):
            return Response(status_code=403)
        return None

    def _allows(self, token: str, type: str, method: str) -> bool:
        if type not in R4_TYPES:
            return True
        letter, word = ("s", "read") if method == "GET" else ("u", "write")
        rights = [scope.removeprefix("system/").split(".") for scope in self.tokens[token] if "/" in scope]
        return any(one in (type, "*") and (right in (word, "*") or letter in right) for one, right in rights)

    def _configuration(self) -> dict[str, object]:
        return {
            "token_endpoint": self.habits.token_endpoint or self.token_url,
            "token_endpoint_auth_methods_supported": self.habits.methods,
            "token_endpoint_auth_signing_alg_values_supported": self.habits.algorithms,
            "scopes_supported": self.habits.scopes_supported,
            "capabilities": self.habits.capabilities,
        }

    def _statement(self) -> dict[str, Any]:
        statement: Any = json.loads(json.dumps(self.service.answer(Call("GET", ("metadata",))).body))
        uris = [{"url": "token", "valueUri": self.habits.token_endpoint or self.token_url}]
        url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
        statement["rest"][0]["security"] = {"extension": [{"url": url, "extension": uris}]}
        return dict(statement)

    # The authorisation server

    async def auth(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = (await request.body()).decode()
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        self.token_requests.append({**fields, "authorization": request.headers.get("authorization", "")})
        status, answer = self._token(fields, request.headers.get("authorization", ""))
        headers = {"Date": formatdate(self.now, usegmt=True), **self.habits.headers}
        await JSONResponse(answer, status, headers)(scope, receive, send)

    def _token(self, fields: Mapping[str, str], authorization: str) -> tuple[int, Mapping[str, object]]:
        error = self._wrong_client(fields, authorization)
        if self.habits.answers:
            return self.habits.answers.pop(0)
        if error:
            return 401 if error == "invalid_client" else 400, {"error": error}
        asked = fields.get("scope", "").split()
        if set(asked) & set(self.habits.unknown_scopes):
            return 400, {"error": "invalid_scope"}
        return 200, self._granted(tuple(one for one in asked if one not in self.habits.not_granted))

    def _granted(self, scopes: tuple[str, ...]) -> dict[str, object]:
        token = f"token-{secrets.token_hex(16)}"
        self.tokens[token], self.used[token] = scopes, 0
        answer: dict[str, object] = {"access_token": token, "token_type": "bearer"}
        if self.habits.says_scope:
            answer["scope"] = " ".join(scopes)
        if self.habits.lifetime is not None:
            answer["expires_in"] = self.habits.lifetime
        return answer

    def _wrong_client(self, fields: Mapping[str, str], authorization: str) -> str:
        if fields.get("grant_type") != "client_credentials":
            return "unsupported_grant_type"
        if "client_assertion" in fields:
            return self._wrong_assertion(fields)
        if authorization.startswith("Basic ") and "client_secret_basic" in self.habits.methods:
            pair = base64.b64decode(authorization[6:]).decode().split(":")
            return "" if list(map(unquote_plus, pair)) == [CLIENT, SECRET] else "invalid_client"
        by_post = "client_secret_post" in self.habits.methods
        right = (fields.get("client_id"), fields.get("client_secret")) == (CLIENT, SECRET)
        return "" if by_post and right else "invalid_client"

    def _wrong_assertion(self, fields: Mapping[str, str]) -> str:
        self.assertions.append(fields["client_assertion"])
        try:
            token = jwt.decode(fields["client_assertion"], self.keys, list(self.habits.algorithms))
        except (JoseError, ValueError):
            return "invalid_client"
        claims = token.claims
        self.claims.append(claims)
        expected = {"iss": CLIENT, "sub": CLIENT, "aud": self.token_url}
        good = {name: claims.get(name) for name in expected} == expected and token.header["typ"] == "JWT"
        in_time = self.now < claims["exp"] <= self.now + 300 and "nbf" not in claims
        fresh = claims["jti"] not in self._jtis and len(claims["jti"]) >= 32
        self._jtis.add(claims["jti"])
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return "" if good and in_time and fresh and fields["client_assertion_type"] == kind else "invalid_client"

    # Both

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        at_fhir = scope["server"][1] == self._fhir.getsockname()[1]
        await (self.fhir if at_fhir else self.auth)(scope, receive, send)

    @contextmanager
    def running(self) -> Iterator[SmartServer]:
        config = uvicorn.Config(
            self, interface="asgi3", lifespan="off", log_config=None, access_log=False, date_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self._fhir, self._auth]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.002)
        try:
            yield self
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
            self._fhir.close()
            self._auth.close()


@contextmanager
def smart_server(*keys: SigningKey, **habits: Any) -> Iterator[SmartServer]:
    """Both servers, knowing the public halves of these keys as those of `CLIENT`."""
    with SmartServer(keys, Habits(**habits)).running() as server:
        yield server


def _socket() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    return bound
