"""What `page.py` measures: clients that read pages of Observations until there is no next one.

python page_clients.py TASK BASE_URL

Run by the Python of several environments, so everything is imported where it is used, and counted before that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from costs import tell

COUNT = "1000"


def next_link(page: dict[str, Any]) -> str | None:
    return next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def ours(base_url: str) -> Callable[[], float]:
    """As a fetch does it: every check of the page, and every resource filed."""
    from fhir_adapter.ehr.plan import StreamPlan
    from fhir_adapter.ehr.search import fetch_stream
    from fhir_adapter.ehr.transport import Transport

    transport = Transport(base_url)
    plan = StreamPlan("Observation", "search", "")
    return lambda: sum(len(page.records) for page in fetch_stream(transport, plan, int(COUNT), 10_000))


def ours_read(base_url: str) -> Callable[[], float]:
    """The same, and every resource read through its lens."""
    from fhir_adapter.ehr.plan import StreamPlan
    from fhir_adapter.ehr.search import fetch_stream
    from fhir_adapter.ehr.transport import Transport
    from fhir_adapter.fhir.r4 import decode

    transport = Transport(base_url)
    plan = StreamPlan("Observation", "search", "")

    def read() -> float:
        pages = fetch_stream(transport, plan, int(COUNT), 10_000)
        return sum(decode(record.body).id != "" for page in pages for record in page.records)

    return read


def as_json(base_url: str) -> Callable[[], float]:
    import httpx

    client = httpx.Client()

    def pages() -> Iterator[dict[str, Any]]:
        url: str | None = f"{base_url}/Observation?_count={COUNT}"
        while url:
            page = client.get(url).json()
            yield page
            url = next_link(page)

    return lambda: sum(len(page["entry"]) for page in pages())


def bytes_only(base_url: str) -> Callable[[], float]:
    """Nothing is read but the link, which is near the beginning; every page is full."""
    import re

    import httpx

    client = httpx.Client()

    def read() -> float:
        found, url = 0, f"{base_url}/Observation?_count={COUNT}"
        while url:
            body = client.get(url).content
            found += int(COUNT)
            link = re.search(rb'"next", "url": "([^"]+)"', body[:2000])
            url = link[1].decode() if link else ""
        return found

    return read


def by_fhirpy(base_url: str) -> Callable[[], float]:
    from fhirpy import SyncFHIRClient

    search = SyncFHIRClient(base_url).resources("Observation").limit(int(COUNT))
    return lambda: sum(1 for _ in search)


def by_pyrate(base_url: str) -> Callable[[], float]:
    import requests
    from fhir_pyrate import Pirate

    pirate = Pirate(base_url=base_url, auth=requests.Session(), num_processes=1)
    asked = {"resource_type": "Observation", "request_params": {"_count": COUNT}}
    return lambda: sum(len(bundle.entry) for bundle in pirate.steal_bundles(**asked))


TASKS = {
    "ours": ours,
    "ours-read": ours_read,
    "json": as_json,
    "bytes": bytes_only,
    "fhirpy": by_fhirpy,
    "FHIR-PYrate": by_pyrate,
}


if __name__ == "__main__":
    read = TASKS[sys.argv[1]](sys.argv[2])
    read()  # the first request makes a client load half of itself
    tell(read)
