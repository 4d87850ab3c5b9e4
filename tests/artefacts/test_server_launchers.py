"""The live servers of tests/server: what they are made of, and that none outlives whoever has started it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from whole_runs import ROOT

FOLDER = ROOT / "tests" / "server"
# Answers every request, and ends when its standard input does.
STAND_IN = """
import http.server, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BUILD = "import os; os.makedirs('built', exist_ok=True); open('built/times', 'a').write('x')"
PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from servers import Kind, Server
folder, start = Path(sys.argv[2]), (sys.executable, "-c", sys.argv[3], "{port}")
server = Server(Kind("stand-in", folder, (), (), (), "", start, "http://127.0.0.1:{port}"), logs=folder)
server.wait_until_ready()
print(server.process.pid, flush=True)
time.sleep(60)
"""


def _read_servers() -> ModuleType:
    """`servers.py`: by its name only tests/server can import it."""
    found = importlib.util.spec_from_file_location("live_servers", FOLDER / "servers.py")
    assert found
    assert found.loader
    module = sys.modules["live_servers"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


servers = _read_servers()


def stand_in(folder: Path, **changes: Any) -> Any:
    """A kind of server that is quick to build and to start."""
    (folder / "source").write_text("1", encoding="utf-8")
    known: dict[str, Any] = {
        "needs": (),
        "build": (sys.executable, "-c", BUILD),
        "sources": ("source",),
        "built": "built",
        "start": (sys.executable, "-c", STAND_IN, "{port}"),
        "base": "http://127.0.0.1:{port}",
    }
    return servers.Kind(name="stand-in", folder=folder, **{**known, **changes})


def ends(pid: int) -> bool:
    """Does a process end within some seconds?"""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_server_runs_until_it_is_stopped(tmp_path: Path) -> None:
    with servers.Server(stand_in(tmp_path), logs=tmp_path) as server:
        server.wait_until_ready()
        assert server.process.poll() is None
    assert server.process.returncode == 0


def test_a_server_that_does_not_want_to_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_STOP_SECONDS", 0.05)
    deaf = stand_in(tmp_path, start=(sys.executable, "-c", "import time; time.sleep(60)"))
    with servers.Server(deaf, logs=tmp_path) as server:
        pass
    assert server.process.returncode == -9


def test_a_server_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    """`kill -9` leaves nobody the time to stop anything."""
    told = [sys.executable, "-c", PARENT, str(FOLDER), str(tmp_path), STAND_IN]
    with subprocess.Popen(told, stdout=subprocess.PIPE, encoding="utf-8") as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    assert ends(pid)


def test_a_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    broken = stand_in(tmp_path, start=(sys.executable, "-c", "raise SystemExit('no such thing')"))
    with (
        servers.Server(broken, logs=tmp_path) as server,
        pytest.raises(servers.CannotRun, match=r"has ended with 1; see .*stand-in-\d+\.log"),
    ):
        server.wait_until_ready()
    assert "no such thing" in server.log.read_text(encoding="utf-8")


def test_a_server_is_built_once_and_again_when_its_sources_change(tmp_path: Path) -> None:
    kind = stand_in(tmp_path)
    for content, times in (("1", "x"), ("1", "x"), ("2", "xx")):
        (tmp_path / "source").write_text(content, encoding="utf-8")
        servers.build(kind, logs=tmp_path)
        assert (tmp_path / "built" / "times").read_text(encoding="utf-8") == times


def test_a_build_that_fails_is_tried_again(tmp_path: Path) -> None:
    kind = stand_in(tmp_path, build=(sys.executable, "-c", f"{BUILD}; raise SystemExit('no')"))
    for _ in range(2):
        with pytest.raises(servers.CannotRun, match="could not be built"):
            servers.build(kind, logs=tmp_path)
    assert (tmp_path / "built" / "times").read_text(encoding="utf-8") == "xx"


def test_every_tool_that_is_missing_or_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("java", "openjdk 11.0.2 2019-01-15"), ("node", "v20.19.0")):
        tool = tmp_path / name
        tool.write_text(f"#!{sys.executable}\nprint({version!r})\n", encoding="utf-8")
        tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(servers.CannotRun) as told:
        servers.require_tools(servers.KINDS.values())
    assert "java is 11.0.2, not 17 or later" in str(told.value)
    for missing in ("javac", "mvn", "npm"):
        assert f"{missing} is not there" in str(told.value)
    assert "node" not in str(told.value)


def test_a_server_that_cannot_run_here_says_why_and_fails(tmp_path: Path) -> None:
    told = [sys.executable, str(FOLDER / "servers.py"), "hapi"]
    ended = subprocess.run(told, env={"PATH": str(tmp_path)}, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("the live tests need a JDK 17, Maven and Node 20 with npm: java is not there")


def test_what_the_servers_are_made_of_is_exact_and_names_no_registry() -> None:
    folder = FOLDER / "medplum"
    wanted = json.loads((folder / "package.json").read_bytes())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = json.loads((folder / "package-lock.json").read_bytes())["packages"]
    locked = {name: one for name, one in packages.items() if name}
    assert {name.removeprefix("node_modules/") for name in locked} > set(wanted)
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in locked.values())
    pom = (FOLDER / "hapi" / "pom.xml").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^<\s\"]+", pom)) == {"http://maven.apache.org/POM/4.0.0"}
    assert "repositor" not in pom.lower()
    versions = re.findall(r"<version>([^<]+)</version>", pom)
    assert all(re.fullmatch(r"[\d.]+|\$\{[\w.-]+\}", one) for one in versions)
