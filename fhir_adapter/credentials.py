"""What a site says about its credentials: by which method, and where the secrets are.

A secret itself may stand here only as a `SecretStr`, which shows itself nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

Method = Literal["none", "smart", "client_credentials", "basic", "bearer"]
# Each can be given as itself (from the environment) or as a file that holds it.
SECRETS = ("key", "secret", "password", "token")


class AuthSettings(BaseModel):
    """The section `[auth]`, or `[publish_auth]`: the credentials for one server."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    method: Method = "none"
    client_id: str = ""
    key_file: Path | None = None
    key: SecretStr = SecretStr("")
    key_id: str = ""
    secret_file: Path | None = None
    secret: SecretStr = SecretStr("")
    token_url: str = ""
    scopes: tuple[str, ...] = ()
    username: str = ""
    password_file: Path | None = None
    password: SecretStr = SecretStr("")
    token_file: Path | None = None
    token: SecretStr = SecretStr("")
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
