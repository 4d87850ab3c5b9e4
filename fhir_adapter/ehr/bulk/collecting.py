"""From a running export to all its files on our disk, of one state of the data."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fhir_adapter.ehr.bulk.files import Arrived, LinkExpired, fetch_file, look_over
from fhir_adapter.ehr.bulk.manifest import Kind, Listed, Manifest, fetch_manifest
from fhir_adapter.ehr.bulk.polling import Gone, wait_for_manifest
from fhir_adapter.ehr.bulk.shelf import Shelf, Shelved, places
from fhir_adapter.ehr.bulk.waiting import Waiting
from fhir_adapter.ehr.failures import Exhausted, TooBig
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import ForeignUrl, ServerRefused
from fhir_adapter.progress import Progress


class Collected(msgspec.Struct, frozen=True):
    """The files of an export, all made from the data as of `transaction_time`, or the problem with each."""

    transaction_time: str
    files: tuple[Arrived, ...]

    def of_type(self, type: str) -> tuple[Arrived, ...]:
        return tuple(file for file in self.of_kind("output") if file.listed.type == type)

    def of_kind(self, kind: Kind) -> tuple[Arrived, ...]:
        return tuple(file for file in self.files if file.listed.kind == kind)


class Collector:
    """Waits for one export and fetches its files into `folder`, except those of types not in `types`.

    A link that does not work any more is asked for anew, once for each file. If that does not help the export is
    `Gone`, unless this is the `last_try`: then the file has a problem and the others are still fetched.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        types: tuple[str, ...],
        folder: Path,
        waiting: Waiting,
        progress: Progress,
        *,
        last_try: bool,
    ) -> None:
        self._transport, self._url, self._types, self._folder = transport, url, types, folder
        self._waiting, self._progress, self._last_try = waiting, progress, last_try
        self._renewed_for: set[str] = set()
        self._expires_at: float | None = None

    def collect(self) -> Collected:
        """All files. Raises as `wait_for_manifest` and `fetch_manifest`, and `DiskError`."""
        manifest = self._manifest()
        shelf = Shelf(self._folder, self._url, manifest.transaction_time)
        while True:
            fresh = self._fetch_all(manifest, shelf)
            if isinstance(fresh, tuple):
                return Collected(manifest.transaction_time, fresh)
            if fresh.transaction_time != manifest.transaction_time:
                raise Gone
            manifest = fresh

    def _manifest(self) -> Manifest:
        answer = wait_for_manifest(self._transport, self._url, self._waiting, self._progress)
        try:
            manifest = fetch_manifest(self._transport, answer)
        except ServerRefused:  # one of its pages has expired
            raise Gone from None
        usable = manifest.valid_s is not None and manifest.valid_s > 0  # many pages are marked as expired from birth
        self._expires_at = self._waiting.now() + (manifest.valid_s or 0) if usable else None
        return manifest

    def _fetch_all(self, manifest: Manifest, shelf: Shelf) -> tuple[Arrived, ...] | Manifest:
        """The files, or a fresh manifest if a link does not work any more."""
        asked = [file for file in manifest.files if file.kind != "output" or file.type in self._types]
        arrived: list[Arrived] = []
        for place, listed in places(asked).items():
            self._progress.waiting("the files of the export", len(arrived) / len(asked))
            try:
                arrived.append(self._fetch(place, listed, manifest, shelf))
            except LinkExpired as expired:
                if place not in self._renewed_for:
                    self._renewed_for.add(place)
                    return self._manifest()
                if not self._last_try:
                    raise Gone from None
                arrived.append(Arrived(listed, Path(), problem=expired.reason))
            except (Exhausted, TooBig, ForeignUrl) as error:
                arrived.append(Arrived(listed, Path(), problem=error.message.rstrip(".")))
        return tuple(arrived)

    def _fetch(self, place: str, listed: Listed, manifest: Manifest, shelf: Shelf) -> Arrived:
        if shelved := shelf.find(place):
            return look_over(listed, shelf.path(shelved.name), shelved.download, self._transport.base_url)
        if self._has_expired() and place not in self._renewed_for:
            raise LinkExpired("the links to its files have expired")
        name = shelf.free_name(listed)
        arrived, download = fetch_file(self._transport, listed, shelf.path(name), authorised=manifest.authorised)
        if not arrived.problem:
            shelf.keep(Shelved(place, name, download))
        return arrived

    def _has_expired(self) -> bool:
        return self._expires_at is not None and self._waiting.now() > self._expires_at
