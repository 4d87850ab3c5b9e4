"""The same suite against every server: real ones that are started here, or any that somebody names.

pytest tests/server                                    HAPI and Medplum, built and started as needed
pytest tests/server --server sandbox                   our own, which is quick
pytest tests/server --fhir-base-url URL [--fhir-config FILE]    any other; what is put there is taken away again
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from live import Live, People
from servers import KINDS, CannotRun, Server, build, require_tools
from whole_runs import bundles, succeed

from fhir_adapter.pipeline.connection import connected
from fhir_adapter.pipeline.loading import access_to, fixture_bundles, load, types_in
from fhir_adapter.pipeline.receipt import patients_file
from fhir_adapter.pipeline.unloading import unload
from fhir_adapter.progress import Progress
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.settings import read_settings

SANDBOX = "sandbox"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("live FHIR servers")
    group.addoption(
        "--server", action="append", choices=[*KINDS, SANDBOX], help="start this one (default: hapi, medplum)"
    )
    group.addoption("--fhir-base-url", metavar="URL", help="test against this server instead")
    group.addoption("--fhir-config", metavar="FILE", type=Path, help="settings with what that server takes to get in")


def wanted(config: pytest.Config) -> list[str]:
    """The names of the servers that this session is about."""
    return config.getoption("--server") or sorted(KINDS, reverse=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say at once what is missing; a server that cannot be started is no reason to leave its tests out."""
    if not session.config.getoption("--fhir-base-url"):
        try:
            require_tools(KINDS[name] for name in wanted(session.config) if name in KINDS)
        except CannotRun as missing:
            pytest.exit(str(missing), returncode=2)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "live" in metafunc.fixturenames:
        names = ["given"] if metafunc.config.getoption("--fhir-base-url") else wanted(metafunc.config)
        metafunc.parametrize("live", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest) -> Iterator[dict[str, Server]]:
    """Every server at once: the slow ones get ready while the quick ones are tested."""
    with contextlib.ExitStack() as running:
        servers = {}
        for name in wanted(request.config):
            if name in KINDS:
                build(KINDS[name])
                servers[name] = running.enter_context(Server(KINDS[name]))
        yield servers


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """One of the servers, ready."""
    with contextlib.ExitStack() as open_here:
        config: Path | None = None
        if request.param == "given":
            url, config = request.config.getoption("--fhir-base-url"), request.config.getoption("--fhir-config")
        elif request.param == SANDBOX:
            url = open_here.enter_context(Sandbox(max_page_size=1000)).base_url
        else:
            server = request.getfixturevalue("started")[request.param]
            server.wait_until_ready()
            url = server.base_url
        settings = read_settings(config, {"server": url})
        types = [*types_in(bundles()), "Measure", "MeasureReport", "Provenance"]
        transport = open_here.enter_context(connected(url, settings, access_to(types)))
        yield Live(request.param, transport, request.param != "given", config)


@pytest.fixture(scope="session")
def hospital(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The people of the study; on a server of ours under their own ids, and with the people around them."""
    folder = tmp_path_factory.mktemp("hospital")
    if not live.is_ours:
        with loaded(live, bundles(), folder) as people:
            yield people
        return
    stories = bundles() if live.name == "medplum" else list(fixture_bundles())
    for path in stories:
        live.transport.post("", as_it_takes_them(live, path.read_bytes()))
    ids = folder / "patients.txt"
    ids.write_text("".join(f"SYN-{number:02}\n" for number in range(1, 13)), encoding="utf-8")
    yield People(live, ids, copied(stories, folder), {})


def as_it_takes_them(live: Live, bundle: bytes) -> bytes:
    """Medplum takes 50 updates in a transaction, and any number in a batch. It gets the twelve people only: a search
    takes it seconds, and without next links it has to be searched for each person.
    """
    return bundle.replace(b'"type": "transaction"', b'"type": "batch"', 1) if live.name == "medplum" else bundle


@pytest.fixture(scope="module")
def two_people(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Two people of the study for the tests of one module, who may change what is known about them."""
    with loaded(live, bundles("SYN-01", "SYN-10"), tmp_path_factory.mktemp("two")) as people:
        yield people


@contextlib.contextmanager
def loaded(live: Live, stories: Sequence[Path], folder: Path) -> Iterator[People]:
    """People under ids that the server chooses, and away again: unloading complains about what it leaves."""
    receipt = folder / "load.json"
    try:
        places = load(live.transport, stories, receipt, uuid.uuid4().hex, Progress()).resources
        yield People(live, patients_file(receipt), copied(stories, folder), places)
    finally:
        unload(live.transport, receipt, Progress())


def copied(stories: Sequence[Path], folder: Path) -> Path:
    files = folder / "files"
    files.mkdir()
    for path in stories:
        shutil.copy(path, files)
    return files


@pytest.fixture(scope="session")
def from_files(hospital: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run over the files that the hospital was loaded from leaves."""
    home = tmp_path_factory.mktemp("from_files")
    # A server tells of everybody.
    (home / "site.toml").write_text('folder_people = "everybody"\n', encoding="utf-8")
    succeed("run", "--config", home / "site.toml", "--folder", hospital.files, "--no-publish", "--out", home / "out")
    return home / "out"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder."""
    return tmp_path / "out"
