"""Getting a token: find out where, ask, say what was not given and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fhir_adapter.ehr.auth.discovery import Connect, fetch_configuration
from fhir_adapter.ehr.auth.identity import Proof
from fhir_adapter.ehr.auth.negotiation import INVALID_SCOPE, Negotiation
from fhir_adapter.ehr.auth.scope import Wanted, denied_types, restricted_types, version_of
from fhir_adapter.ehr.auth.token import Refusal, Token
from fhir_adapter.ehr.url_policy import secure_origin
from fhir_adapter.errors import AccessError, NotReadyError, ServerRefused

_NOTICEABLE_S = 30.0  # a difference of clocks that an assertion's life cannot hide
_REGISTERED = "Check `client_id`, and that the public key (or the secret) registered there belongs to ours."
_HINTS = {
    "invalid_client": _REGISTERED,
    "invalid_grant": _REGISTERED,
    "unauthorized_client": "Ask the server's administrators to allow this client the grant `client_credentials`.",
    "unsupported_grant_type": "This server gives no tokens to programs; ask its administrators for another way.",
    INVALID_SCOPE: "Ask the server's administrators which scopes this client may have, or name them with `scopes`.",
}


@dataclass(frozen=True)
class Application:
    """Who asks the server at `base_url` for access, and to what; where `token_url` or `scopes` is empty, it is
    found out.
    """

    base_url: str
    proof: Proof
    wanted: Wanted
    token_url: str = ""
    scopes: tuple[str, ...] = ()


class Grant:
    """Gives tokens, to one thread at a time, and knows what the last one allows."""

    def __init__(
        self,
        application: Application,
        connect: Connect,
        say: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._application, self._connect, self._say, self._now = application, connect, say, now
        self._negotiation: Negotiation | None = None
        self._said: set[str] = set()
        self.granted_scopes: frozenset[str] = frozenset()
        self.denied_types: frozenset[str] = frozenset()

    def token(self) -> Token:
        """A new token. `AccessError` when none is given, `NotReadyError` when nobody can say now."""
        negotiation = self._negotiation = self._negotiation or self._discovered()
        try:
            with self._connect(secure_origin(negotiation.url, "token address")) as transport:
                token = negotiation.token(transport)
        except Refusal as refusal:
            raise _explained(refusal) from None
        except ServerRefused as refused:
            raise AccessError(
                f"Nothing gives tokens at the token address (HTTP {refused.status}).",
                "Check `token_url` in the settings; redirects are not followed there.",
            ) from None
        except NotReadyError as problem:
            raise NotReadyError(f"The authorisation server gives no token. {problem.message}", problem.hint) from None
        self._take_note(frozenset(negotiation.scopes if token.scopes is None else token.scopes))
        return token

    def _discovered(self) -> Negotiation:
        ours = self._application
        found = fetch_configuration(self._connect, ours.base_url, ours.token_url)
        identity = ours.proof.identity(
            found.token_endpoint_auth_signing_alg_values_supported, found.token_endpoint_auth_methods_supported
        )
        # A server that never speaks of SMART does not know SMART's scopes either.
        speaks_smart = ours.proof.keys or found.capabilities or found.scopes_supported
        version = version_of(found.capabilities, found.scopes_supported)
        scopes = ours.scopes or (ours.wanted.scopes(version) if speaks_smart else ())
        return Negotiation(found.token_endpoint, identity, scopes, found.scopes_supported, self._now)

    def _take_note(self, granted: frozenset[str]) -> None:
        """What was asked for and not given has to be said: whole resource types may be missing for it."""
        wanted = self._application.wanted
        self.granted_scopes, self.denied_types = granted, denied_types(wanted, granted)
        self._say_once("not authorised, so left out", self.denied_types)
        self._say_once("authorised for a part of the resources only", restricted_types(wanted, granted))

    def _say_once(self, what: str, types: frozenset[str]) -> None:
        sentence = f"{what}: {', '.join(sorted(types))}"
        if types and sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)


def _explained(refusal: Refusal) -> AccessError:
    said = f"The authorisation server gives us no token ({refusal.error})."
    ahead_s = refusal.ahead_s or 0.0
    if refusal.error == INVALID_SCOPE or abs(ahead_s) < _NOTICEABLE_S:
        return AccessError(
            said, _HINTS.get(refusal.error, "Check the authentication settings with the server's administrators.")
        )
    way = "ahead of" if ahead_s > 0 else "behind"
    skew = f"This machine's clock is {abs(ahead_s):.0f} s {way} the server's"
    return AccessError(f"{said} {skew}; what is signed by a wrong clock is not accepted.", "Set the clock (NTP).")
