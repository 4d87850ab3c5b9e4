"""The first steps at a new site: a file of settings with explanations, and a key pair for the hospital's server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.ehr.auth.key import Algorithm, new_key, public_jwks
from fhir_adapter.ehr.auth.scope import Wanted
from fhir_adapter.ehr.url_policy import normalise_base
from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.pipeline.connection import PUBLISHING
from fhir_adapter.whole_file import write_whole


@dataclass(frozen=True)
class SetUp:
    """What was written, and what to hand to the server's administrators: public keys and names of permissions."""

    config: Path
    key_file: Path
    jwks: str
    reading: tuple[str, ...]
    publishing: tuple[str, ...]


def set_up(server: str, config: Path, algorithm: Algorithm, client_id: str, *, force: bool) -> SetUp:
    """Write the settings and a new key beside them, readable by nobody else.

    `UsageError` when one of the files is there already, unless `force`; then the old key is lost.
    """
    config = config.absolute()
    key_file = config.with_name(f"{config.stem}-key.pem")
    there = [path for path in (config, key_file) if path.exists()]
    if there and not force:
        raise UsageError(
            f"{there[0]} is there already, so nothing was written",
            "choose another --out-config, or replace both files, also the key, with --force",
        )
    key = new_key(algorithm)
    text = _settings_text(normalise_base(server), config.with_name("out"), key_file, client_id)
    _write_private(key_file, key.private_pem())
    _write_private(config, text.encode())
    return SetUp(config, key_file, public_jwks([key]), Wanted(READ_TYPES).scopes(2), PUBLISHING.scopes(2))


def _settings_text(server: str, out: Path, key_file: Path, client_id: str) -> str:
    values: Mapping[str, str] = {
        "server": server,
        "out": str(out),
        "method": "smart" if client_id else "none",
        "client_id": client_id,
        "key_file": str(key_file),
    }
    # A text of JSON is one of TOML too, as long as nothing beyond its escapes is escaped.
    return _TEMPLATE.format(**{name: json.dumps(value, ensure_ascii=False) for name, value in values.items()})


def _write_private(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as problem:
        raise DiskError(
            f"{path} cannot be written ({os.strerror(problem.errno or 0)})", "choose another place"
        ) from None


_TEMPLATE = """\
# Settings of this site for fhir-adapter. A line that begins with # shows a default or an example: take the # away to
# change it. docs/reference/settings.md has them all.

# The FHIR R4 server to read from: the address under which /metadata answers.
server = {server}

# The study: a folder, or the name of one that came with the software.
study = "bsab-cart-dlbcl"

# Where everything goes. It will hold patient data, so it belongs on a disk meant for that; one server, one folder.
out = {out}

# Write the MeasureReports to the server? They are in the folder publish/ either way: look at them first.
publish = false
# Another FHIR server to write them to. The credentials below never go there; it has its own, in [publish_auth].
# publish_to = "https://reports.example/r4"

# Who is asked for: everybody whom the server lets us see, or one of these (a file with Patient ids, one a line; the id
# of a Group; the id of a List).
# patients = "patients.txt"
# group = ""
# list = ""

# How hard the server may be worked: resources in a page, requests at a time, seconds for one of them.
# page_size = 200
# concurrency = 4
# deadline_s = 600.0

# The certificate authority of the hospital (PEM), if it has one of its own.
# ca_file = "/etc/ssl/hospital-ca.pem"

# Who we are, for `server` alone: docs/how-to/authentication.md
[auth]
# "smart" as soon as the hospital's IT has registered our public key and told us our client id.
method = {method}
client_id = {client_id}
key_file = {key_file}
# Only if the server's administrators say so:
# key_id = ""
# token_url = "https://login.hospital.example/token"
# scopes = ["system/*.rs"]
# client_certificate_file = "client.pem"
# client_key_file = "client-key.pem"

# Parameters of the study that differ here: docs/reference/parameters.md
[set]
# data_cut = 2026-03-31
# site_time_zone = "Europe/Berlin"
"""
