"""`init`: the first steps at a new site."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.app import app


class SignsWith(StrEnum):
    """The two algorithms of SMART."""

    RS384 = "RS384"
    ES384 = "ES384"


@app.command()
def init(
    server: Annotated[str, typer.Option(help="Base URL of the FHIR R4 server to read from.")],
    out_config: Annotated[Path, typer.Option(help="Where the settings go; the key goes beside.")] = Path("site.toml"),
    algorithm: Annotated[SignsWith, typer.Option(help="What the key signs with.")] = SignsWith.RS384,
    client_id: Annotated[str, typer.Option(help="The name under which the server knows us, if it does.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the files that are there, also the key.")] = False,
) -> None:
    """Write a commented file of settings and a key pair; print the public key for the hospital's IT."""
    from fhir_adapter.pipeline.setting_up import set_up

    made = set_up(server, out_config, algorithm.value, client_id, force=force)
    print(made.jwks)
    steps = f"""
{made.config} holds the settings, {made.key_file} the private key: it stays on this machine.

Next steps
1. Give the key set above, which is public, to the administrators of the server. Ask them to register a backend service
   (SMART Backend Services, grant client_credentials) with it and with these scopes:
     {" ".join(made.reading)}
   and, only if results are to be written back:
     {" ".join(made.publishing)}
2. Write the client id that they give you into {made.config.name}, and there: method = "smart"
3. fhir-adapter check --config {out_config}"""
    print(steps, file=sys.stderr)
