"""Small files that are replaced as a whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from fhir_adapter.whole_file import write_whole

WRITERS = 8


def test_threads_that_write_the_same_file_at_once_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    ready = Barrier(WRITERS)

    def write(number: int) -> None:
        for round in range(20):
            ready.wait()
            write_whole(tmp_path / "next-run.json", f"{number} of round {round}".encode())

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(WRITERS)))
    assert (tmp_path / "next-run.json").read_text().endswith("of round 19")
    assert [path.name for path in tmp_path.iterdir()] == ["next-run.json"]
