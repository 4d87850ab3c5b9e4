"""Asking one authorisation server for tokens: for less when that is too much, and again when it only had a mood."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fhir_adapter.ehr.auth.identity import Identity
from fhir_adapter.ehr.auth.scope import narrowed
from fhir_adapter.ehr.auth.token import Refusal, Token, read_token
from fhir_adapter.ehr.transport import Transport

INVALID_SCOPE = "invalid_scope"
_MORE_TRIES = 2  # some servers now and then refuse, for no reason, a client that they have known for hours

Scopes = tuple[str, ...]


class Negotiation:
    """What was learned with one token holds for the next: how to prove who we are, and which `scopes` to ask for."""

    def __init__(
        self, url: str, identity: Identity, scopes: Scopes, supported: Collection[str], now: Callable[[], float]
    ) -> None:
        self.url, self.scopes = url, scopes
        self._identity, self._supported, self._now = identity, supported, now
        self._worked = False

    def token(self, transport: Transport) -> Token:
        """A new token, asked for over `transport`; `Refusal` when none is given."""
        token = self._first(transport) if not self._worked else self._patient(transport)
        self._worked = True
        return token

    def _first(self, transport: Transport) -> Token:
        """One unknown scope can spoil a whole request: then those that the server lists, then each one alone."""
        for fewer in (self._all, self._listed, self._granted_alone):
            scopes = fewer(transport)
            if scopes == self.scopes and fewer != self._all:
                continue
            try:
                token = self._in_either_way(transport, scopes)
            except Refusal as refusal:
                if refusal.error != INVALID_SCOPE:
                    raise
                continue
            self.scopes = scopes
            return token
        raise Refusal(INVALID_SCOPE, None)

    def _all(self, _: Transport) -> Scopes:
        return self.scopes

    def _listed(self, _: Transport) -> Scopes:
        return narrowed(self.scopes, self._supported) or self.scopes

    def _granted_alone(self, transport: Transport) -> Scopes:
        return tuple(scope for scope in self.scopes if self._is_granted(transport, scope)) or self.scopes

    def _is_granted(self, transport: Transport, scope: str) -> bool:
        try:
            self._ask(transport, (scope,))
        except Refusal as refusal:
            if refusal.error != INVALID_SCOPE:
                raise
            return False
        return True

    def _in_either_way(self, transport: Transport, scopes: Scopes) -> Token:
        try:
            return self._ask(transport, scopes)
        except Refusal as refusal:
            other = self._identity.other_way()
            if refusal.error == INVALID_SCOPE or other is None:
                raise
        self._identity = other
        return self._ask(transport, scopes)

    def _patient(self, transport: Transport) -> Token:
        failures = 0
        while True:
            try:
                return self._ask(transport, self.scopes)
            except Refusal:
                failures += 1
                if failures > _MORE_TRIES:
                    raise
            transport.pause(failures)

    def _ask(self, transport: Transport, scopes: Scopes) -> Token:
        fields = {"grant_type": "client_credentials", **({"scope": " ".join(scopes)} if scopes else {})}
        answer = transport.submit(self.url, lambda: self._identity.form(fields, self.url, self._now()))
        return read_token(answer, self._now())
