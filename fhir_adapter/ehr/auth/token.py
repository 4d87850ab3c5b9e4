"""A token and its life, read from what an authorisation server answers. Neither it nor a refusal is ever shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import msgspec

from fhir_adapter.ehr.json_text import UNREADABLE, without_bom
from fhir_adapter.ehr.retry import parse_http_date
from fhir_adapter.ehr.transport import Answer
from fhir_adapter.errors import AccessError

_DEFAULT_LIFE_S = 300.0  # what SMART recommends; for servers that do not say
_LONGEST_LIFE_S = 86_400.0  # whatever a server says, a token is renewed every day
_MARGIN_S = 60.0
_VALUE = re.compile(r"[\x21-\x7e]+")
_ERRORS = frozenset(
    """
    invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope
    """.split()  # noqa: SIM905
)


class Token(msgspec.Struct, frozen=True):
    """`fresh_until` is in seconds since 1970; `scopes` is what it allows (None: what was asked for)."""

    value: str
    fresh_until: float
    scopes: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return "Token(...)"


class Refusal(Exception):
    """No token was given. `error` is a word of OAuth's own list, or the status; `ahead_s` is how far our clock is
    ahead of the server's, if that is known.
    """

    def __init__(self, error: str, ahead_s: float | None) -> None:
        super().__init__(error)
        self.error, self.ahead_s = error, ahead_s


def read_token(answer: Answer, now: float) -> Token:
    """The token in an answer; `Refusal` when the server says no, `AccessError` when it says something else."""
    body = _members(answer.body)
    value, error = _text(body, "access_token"), _text(body, "error")
    if answer.status >= 400 or (error and not value):
        date = parse_http_date(answer.headers.get("date"))
        raise Refusal(error if error in _ERRORS else f"HTTP {answer.status}", None if date is None else now - date)
    if not _VALUE.fullmatch(value) or _text(body, "token_type").lower() not in ("", "bearer"):
        raise AccessError(
            "The authorisation server answered, but not with a bearer token.",
            "Check `token_url` in the settings: a login page or a gateway may answer there.",
        )
    return Token(value, now + _fresh_for(body.get("expires_in")), tuple(_text(body, "scope").split()) or None)


def _members(body: bytes) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(without_bom(body), type=dict[str, object])
    except UNREADABLE:
        return {}


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _fresh_for(expires_in: object) -> float:
    """Seconds for which a token is used: all but its last minute, or the first half of a very short life."""
    life = _seconds(expires_in)
    return max(life - _MARGIN_S, life / 2)


def _seconds(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return _DEFAULT_LIFE_S
    try:
        life = float(expires_in)
    except ValueError:
        return _DEFAULT_LIFE_S
    return _DEFAULT_LIFE_S if math.isnan(life) else min(max(life, 0.0), _LONGEST_LIFE_S)
