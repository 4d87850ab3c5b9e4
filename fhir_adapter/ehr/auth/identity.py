"""How we prove to an authorisation server who we are: by a signed assertion, or by a secret."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import quote_plus

from joserfc import jwt
from pydantic import SecretStr

from fhir_adapter.ehr.auth.key import SigningKey
from fhir_adapter.ehr.transport import Form
from fhir_adapter.errors import UsageError

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFETIME_S = 240  # five minutes are allowed; the last one is left to clocks that differ
BASIC, POST = "client_secret_basic", "client_secret_post"


class Identity(Protocol):
    """Somebody who asks for tokens."""

    def form(self, fields: Mapping[str, str], token_url: str, now: float) -> Form:
        """The request with a proof that is good for one use; `now` in seconds since 1970."""
        ...

    def other_way(self) -> Identity | None:
        """The same, proven in another way that a server may prefer."""
        ...


@dataclass(frozen=True)
class Assertion:
    """SMART's way: a JWT that nobody else could have signed."""

    client_id: str
    key: SigningKey

    def form(self, fields: Mapping[str, str], token_url: str, now: float) -> Form:
        header = {"alg": self.key.algorithm, "kid": self.key.key_id, "typ": "JWT"}
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": token_url,
            "exp": int(now) + _LIFETIME_S,
            "jti": str(uuid.uuid4()),
        }
        signed = jwt.encode(header, claims, self.key.key, [self.key.algorithm])
        return Form({**fields, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": signed})

    def other_way(self) -> None:
        return None


@dataclass(frozen=True)
class ClientSecret:
    """OAuth2's older way: a secret, in a header or in the form."""

    client_id: str
    secret: SecretStr
    ways: tuple[str, ...] = (BASIC, POST)
    """How it may be sent; the first one is used."""

    def form(self, fields: Mapping[str, str], token_url: str, now: float) -> Form:
        secret = self.secret.get_secret_value()
        if self.ways[0] == POST:
            return Form({**fields, "client_id": self.client_id, "client_secret": secret})
        pair = f"{quote_plus(self.client_id)}:{quote_plus(secret)}"  # RFC 6749, 2.3.1
        return Form(fields, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})

    def other_way(self) -> ClientSecret | None:
        return replace(self, ways=self.ways[1:]) if len(self.ways) > 1 else None


@dataclass(frozen=True)
class Proof:
    """What we can prove with who we are: keys or a secret. What is used depends on the server."""

    client_id: str
    keys: tuple[SigningKey, ...] = ()
    secret: SecretStr = field(default=SecretStr(""))

    def identity(self, algorithms: Sequence[str], methods: Sequence[str]) -> Identity:
        """The way that a server takes: `algorithms` and `methods` are what it says it takes; it may say nothing."""
        if not self.keys:
            ways = tuple(way for way in (BASIC, POST) if way in methods)
            return ClientSecret(self.client_id, self.secret, ways or (BASIC, POST))
        fitting = [key for key in self.keys if not algorithms or key.algorithm in algorithms]
        if fitting:
            return Assertion(self.client_id, fitting[0])
        ours = " or ".join(dict.fromkeys(key.algorithm for key in self.keys))
        raise UsageError(
            f"The server does not take what our key signs with ({ours}).",
            "It takes RS384, ES384 or both by the standard: `fhir-adapter init --algorithm` makes a key for either.",
        )
