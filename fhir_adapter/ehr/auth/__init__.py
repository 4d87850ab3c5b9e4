"""Who we are, for one FHIR server: tokens by SMART Backend Services or OAuth2, a password, a token from elsewhere."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth.discovery import Connect
from fhir_adapter.ehr.auth.flow import Fixed, Renewed, Reread, ServerAuth
from fhir_adapter.ehr.auth.grant import Application, Grant
from fhir_adapter.ehr.auth.identity import Proof
from fhir_adapter.ehr.auth.key import read_keys
from fhir_adapter.ehr.auth.scope import Wanted
from fhir_adapter.ehr.secret_file import find_secret, read_secret
from fhir_adapter.ehr.url_policy import secure_origin
from fhir_adapter.errors import UsageError

__all__ = ["Wanted", "authentication"]

_TOKEN = re.compile(r"[\x21-\x7e]+")


def authentication(
    settings: AuthSettings,
    base_url: str,
    wanted: Wanted,
    connect: Connect,
    *,
    say: Callable[[str], None],
    section: str = "auth",
    now: Callable[[], float] = time.time,
) -> ServerAuth | None:
    """The credentials for requests to `base_url`, or None when the settings name none.

    Files are read now, servers are asked only with the first request, over `connect`. `wanted` is what has to be
    allowed; what is not is told to `say` and known as `denied_types`. `section` is where the settings stand.
    `UsageError` for settings that cannot be used.
    """
    given = _Given(settings, section)
    if settings.method == "none":
        return None
    if settings.method == "basic":
        return ServerAuth(base_url, Fixed(given.basic()))
    if settings.method == "bearer":
        return ServerAuth(base_url, Reread(given.bearer))
    proof = given.keys() if settings.method == "smart" else given.client_secret()
    if settings.token_url:
        secure_origin(settings.token_url, f"`token_url` of [{section}]")
    grant = Grant(Application(base_url, proof, wanted, settings.token_url, settings.scopes), connect, say, now)
    return ServerAuth(base_url, Renewed(grant.token, now), grant)


class _Given:
    """What a section of the settings gives for its method."""

    def __init__(self, settings: AuthSettings, section: str) -> None:
        self._settings, self._section = settings, section

    def keys(self) -> Proof:
        content = self._secret("key", self._settings.key, self._settings.key_file)
        where = str(find_secret(self._settings.key_file)) if self._settings.key_file else "the settings"
        return Proof(self._client_id(), read_keys(content, where, self._settings.key_id))

    def client_secret(self) -> Proof:
        return Proof(self._client_id(), secret=SecretStr(self._text("secret", self._settings.secret)))

    def basic(self) -> str:
        user = self._settings.username
        if not user or ":" in user:
            raise self._missing("username")
        pair = f"{user}:{self._text('password', self._settings.password)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def bearer(self) -> str:
        token = self._text("token", self._settings.token)
        if not _TOKEN.fullmatch(token):
            raise UsageError(
                f"The token of [{self._section}] cannot be sent.", "It must be the token alone, on one line."
            )
        return f"Bearer {token}"

    def _client_id(self) -> str:
        if not self._settings.client_id:
            raise self._missing("client_id")
        return self._settings.client_id

    def _text(self, name: str, value: SecretStr) -> str:
        content = self._secret(name, value, getattr(self._settings, f"{name}_file"))
        try:
            return content.decode("utf-8-sig").strip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(f"The {name} of [{self._section}] is not text in UTF-8.") from None

    def _secret(self, name: str, value: SecretStr, file: Path | None) -> bytes:
        """The secret itself from the settings, or what its file holds; both would be one too many."""
        itself = value.get_secret_value()
        if bool(itself) == bool(file):
            raise self._missing(f"{name}_file", f"; `{name}` and `{name}_file` are both there" if file else "")
        return read_secret(file, name) if file else itself.encode()

    def _missing(self, key: str, why: str = "") -> UsageError:
        return UsageError(
            f"The method {self._settings.method!r} needs a usable `{key}` in [{self._section}]{why}.",
            "The settings reference says what each method needs.",
        )
