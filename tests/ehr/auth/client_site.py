"""A client of an authorisation server, as the tests see it."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from smartserver import CLIENT, SmartServer

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth import Wanted, authentication
from fhir_adapter.ehr.auth.key import SigningKey, new_key
from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, FhirAdapterError

WANTED = Wanted(("Patient", "Observation", "Condition"))
KEYS = {"RS384": new_key("RS384"), "ES384": new_key("ES384")}
ES384 = KEYS["ES384"]


class Site:
    """One client of the server: what it was told, how long it waited, what time it thinks it is."""

    def __init__(self, folder: Path, key: SigningKey = ES384) -> None:
        self.said: list[str] = []
        self.waits: list[float] = []
        self.passed_s = 0.0
        self.key_file = folder / "key.pem"
        self.key_file.write_bytes(key.private_pem())
        self.key_file.chmod(0o600)

    def now(self) -> float:
        return time.time() + self.passed_s

    def reach(self, server: SmartServer, wanted: Wanted = WANTED, **settings: Any) -> Transport:
        given = {"method": "smart", "client_id": CLIENT, **settings}
        if given["method"] == "smart":
            given.setdefault("key_file", self.key_file)
        connect = partial(
            Transport, sleep=self.waits.append, backoff=Backoff(rng=random.Random(1)), max_tries=3, timeout_s=5
        )
        auth = authentication(
            AuthSettings(**given), server.fhir_url, wanted, connect, say=self.said.append, now=self.now
        )
        return connect(server.fhir_url, auth=auth)


def refused(transport: Transport, kind: type[FhirAdapterError] = AccessError) -> str:
    with pytest.raises(kind) as problem:
        transport.get("Patient")
    return f"{problem.value.message} {problem.value.hint}"
