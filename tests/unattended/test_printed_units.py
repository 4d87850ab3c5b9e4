"""What is printed for systemd, cron and Kubernetes says what the settings say, in the language of each."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from whole_runs import command, succeed

from fhir_adapter.unattended.cron import parse_cron
from fhir_adapter.unattended.crontab import crontab
from fhir_adapter.unattended.job import Job
from fhir_adapter.unattended.kubernetes import kubernetes_cron_job
from fhir_adapter.unattended.systemd import on_calendar, systemd_units


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings, as the working folder."""
    settings = 'server = "https://fhir.hospital.example/r4"\nout = "data"\ncron = "30 3 * * 1-5"\njitter = 90\n'
    (tmp_path / "site.toml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(*arguments: object) -> str:
    return succeed("schedule", "print", *arguments).out


def odd_job(**changes: Any) -> Job:
    """A job whose paths have everything in them that a unit file could misread."""
    folder = Path("/srv/my study 100%/$HOME")
    words = ("/opt/my env/fhir-adapter", "run", "--config", f'{folder}/"a" site.toml')
    facts = {"command": words, "folder": folder, "writes_to": (folder / "out",), "cron": parse_cron("0 2 * * *")}
    return Job(**{**facts, "jitter_s": 0, **changes})


# systemd


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """The sections of the printed units; every key with all its values."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            found[section][key].append(value)
    return found


def test_systemd_starts_a_run_as_the_settings_say(site: Path) -> None:
    unit = sections(printed("--systemd", "-c", "site.toml"))
    service, timer = unit["Service"], unit["Timer"]
    assert service["Type"] == ["oneshot"]
    words = shlex.split(service["ExecStart"][0])
    assert Path(words[0]).is_absolute()
    assert words[1:] == ["run", "--config", str(site / "site.toml")]
    assert service["WorkingDirectory"] == [str(site)]
    assert service["ReadWritePaths"] == [str(site / "data")]
    assert timer["OnCalendar"] == ["Mon,Tue,Wed,Thu,Fri *-*-* 03:30:00 UTC"]
    assert timer["RandomizedDelaySec"] == ["90s"]
    assert timer["Persistent"] == ["true"]
    assert unit["Install"]["WantedBy"] == ["timers.target"]


def test_systemd_keeps_the_run_to_itself(site: Path) -> None:
    service = sections(printed("--systemd", "-c", "site.toml"))["Service"]
    expected = {"NoNewPrivileges": "true", "ProtectSystem": "strict", "UMask": "0077", "PrivateTmp": "true"}
    assert {key: service[key][0] for key in expected} == expected


def test_systemd_tries_again_only_when_the_server_is_not_ready(site: Path) -> None:
    service = sections(printed("--systemd", "-c", "site.toml"))["Service"]
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"][0].split() == ["1", "2", "3", "5", "6", "7", "130", "143"]


def test_the_metrics_can_be_written_too(site: Path) -> None:
    with (site / "site.toml").open("a", encoding="utf-8") as file:
        file.write('metrics_file = "/var/lib/node_exporter/fhir-adapter.prom"\n')
    service = sections(printed("--systemd", "-c", "site.toml"))["Service"]
    assert service["ReadWritePaths"] == [str(site / "data"), "/var/lib/node_exporter"]


@pytest.mark.parametrize(
    ("expression", "calendar"),
    [
        ("0 2 * * *", ("*-*-* 02:00:00 UTC",)),
        ("*/20 * * * *", ("*-*-* *:00,20,40:00 UTC",)),
        ("0 2 * * 7", ("Sun *-*-* 02:00:00 UTC",)),
        ("5 4 1 1,7 *", ("*-01,07-01 04:05:00 UTC",)),
        ("0 2 1 * mon", ("*-*-01 02:00:00 UTC", "Mon *-*-* 02:00:00 UTC")),
        ("* * * * *", ("*-*-* *:*:00 UTC",)),
    ],
)
def test_a_cron_expression_as_calendar_of_systemd(expression: str, calendar: tuple[str, ...]) -> None:
    assert on_calendar(parse_cron(expression)) == calendar


def test_nothing_in_a_path_is_read_as_something_else_by_systemd() -> None:
    service = sections(systemd_units(odd_job()))["Service"]
    assert service["ExecStart"] == [
        r'"/opt/my env/fhir-adapter" run --config "/srv/my study 100%%/$$HOME/\"a\" site.toml"'
    ]
    assert service["ReadWritePaths"] == ['"/srv/my study 100%%/$HOME/out"']
    assert service["WorkingDirectory"] == ["/srv/my study 100%%/$HOME"]


def test_systemd_finds_nothing_wrong_with_the_units(site: Path) -> None:
    service, timer = printed("--systemd", "-c", "site.toml", "--cron", "0 2 1 * mon").split("# /etc/systemd/system/")[
        1:
    ]
    names = [unit.partition("\n")[0] for unit in (service, timer)]
    assert names == ["fhir-adapter.service", "fhir-adapter.timer"]
    for name, unit in zip(names, (service, timer), strict=True):
        (site / name).write_text(unit.partition("\n")[2], encoding="utf-8")
        assert {line for line in complaints(site / name) if name in line} == set()


def complaints(unit: Path) -> list[str]:
    """What systemd has to say, where there is one; else only what no unit may hold."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return [f"{unit.name}: {line}" for line in unit.read_text("utf-8").splitlines() if line and line[0] in " \t"]
    ended = subprocess.run([verify, "verify", unit], capture_output=True, encoding="utf-8", check=False)
    return ended.stderr.splitlines()


# cron


def test_cron_starts_a_run_in_utc_by_absolute_paths(site: Path) -> None:
    lines = [line for line in printed("--cron", "-c", "site.toml").splitlines() if not line.startswith("#")]
    assert lines[0] == "CRON_TZ=UTC"
    when, found = lines[1].split(" cd ")
    assert when == "30 3 * * 1-5"
    folder, start = found.split(" && ")
    assert folder == str(site)
    program, *words = shlex.split(start)
    assert Path(program).is_absolute()
    assert words == ["run", "--config", str(site / "site.toml"), "--quiet"]
    assert len(lines) == 2


def test_nothing_in_a_path_is_read_as_something_else_by_cron() -> None:
    (line,) = (line for line in crontab(odd_job()).splitlines() if line.startswith("0 2"))
    assert re.findall(r"(?<!\\)%", line) == []
    words = shlex.split(line.replace("\\%", "%"))
    assert words[5:10] == ["cd", "/srv/my study 100%/$HOME", "&&", "/opt/my env/fhir-adapter", "run"]
    assert words[11] == '/srv/my study 100%/$HOME/"a" site.toml'


@pytest.mark.parametrize(
    ("asked", "when"),
    [
        (("--cron",), "30 3 * * 1-5"),
        (("--crontab",), "30 3 * * 1-5"),
        (("--cron", "0 4 * * sun"), "0 4 * * 0"),
        (("--crontab", "--cron", "@weekly"), "0 0 * * 0"),
    ],
)
def test_cron_may_be_asked_for_with_and_without_an_expression(asked: tuple[str, ...], when: str, site: Path) -> None:
    assert f"\n{when} cd " in printed(*asked, "-c", "site.toml")
    assert f"\n{when} cd " in printed("-c", "site.toml", *asked)


# Kubernetes


def read_yaml(text: str) -> Any:
    """The little YAML that we write: mappings, lists and JSON scalars by indentation."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return _block(lines, 0)


def _block(lines: list[str], depth: int) -> Any:
    """Everything at one depth of indentation."""
    if lines[0].startswith(" " * depth + "- "):
        return [
            _block([" " * (depth + 2) + item[0][depth + 2 :], *item[1:]], depth + 2) for item in _split(lines, depth)
        ]
    if not re.match(r" *[A-Za-z]+:( |$)", lines[0]):
        (line,) = lines
        return json.loads(line)
    found = {}
    for head, *rest in _split(lines, depth):
        key, _, value = head.strip().partition(":")
        assert key not in found
        found[key] = _block(rest, depth + 2) if rest else json.loads(value)
    return found


def _split(lines: list[str], depth: int) -> list[list[str]]:
    """The lines of each entry at a depth."""
    entries: list[list[str]] = []
    for line in lines:
        indent = len(line) - len(line.lstrip())
        assert indent >= depth
        if indent == depth:
            entries.append([])
        entries[-1].append(line)
    return entries


@pytest.fixture
def cron_job(site: Path) -> Any:
    return read_yaml(printed("--k8s", "-c", "site.toml"))


def test_kubernetes_never_starts_two_at_once_nor_in_another_time_zone(cron_job: Any) -> None:
    assert (cron_job["apiVersion"], cron_job["kind"]) == ("batch/v1", "CronJob")
    spec = cron_job["spec"]
    assert spec["schedule"] == "30 3 * * 1-5"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Etc/UTC"
    assert spec["startingDeadlineSeconds"] == 21_600


def test_kubernetes_knows_sunday_only_as_0(site: Path) -> None:
    assert read_yaml(printed("--k8s", "--cron", "0 2 * * 7"))["spec"]["schedule"] == "0 2 * * 0"


def test_kubernetes_tries_again_only_when_the_server_is_not_ready(cron_job: Any) -> None:
    job = cron_job["spec"]["jobTemplate"]["spec"]
    moved, failed = job["podFailurePolicy"]["rules"]
    assert moved == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert failed["action"] == "FailJob"
    assert failed["onExitCodes"] == {"containerName": "fhir-adapter", "operator": "NotIn", "values": [4]}
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # a failure policy is refused with any other
    assert pod["containers"][0]["name"] == "fhir-adapter"


def test_kubernetes_gives_the_run_no_more_than_it_needs(cron_job: Any) -> None:
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    mounted = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    assert {name for name, mount in mounted.items() if not mount.get("readOnly")} == {"data", "temporary"}
    out = next(variable["value"] for variable in container["env"] if variable["name"] == "FHIR_ADAPTER__OUT")
    assert out.startswith(mounted["data"]["mountPath"])


def test_the_command_of_the_container_can_be_given(cron_job: Any) -> None:
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    program, *words = container["command"]
    assert program == "fhir-adapter"
    ended = command(*words)
    assert (ended.code, "site.toml cannot be read" in ended.err) == (2, True)


def test_texts_are_never_read_as_something_else_in_yaml() -> None:
    text = kubernetes_cron_job(odd_job(cron=parse_cron("* * * * *")))
    assert '\n  schedule: "* * * * *"\n' in text


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "print one of them at a time"),
        (("--systemd", "--k8s"), "print one of them at a time"),
        (("--k8s", "--cron", "0 25 * * *"), "hour `25`"),
        (("--k8s", "-c", "missing.toml"), "missing.toml cannot be read"),
        (("--k8s", "--jitter", "-1"), "`jitter`"),
    ],
)
def test_a_mistake_is_named(arguments: tuple[str, ...], says: str, site: Path) -> None:
    ended = command("schedule", "print", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_options_before_print_count_too(site: Path) -> None:
    before = succeed("schedule", "-c", "site.toml", "--cron", "0 1 * * *", "print", "--systemd").out
    assert sections(before)["Timer"]["OnCalendar"] == ["*-*-* 01:00:00 UTC"]
    assert sections(before)["Service"]["ReadWritePaths"] == [str(site / "data")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--cron", "0 25 * * *"), "hour `25`"),
        (("-c", "missing.toml"), "missing.toml cannot be read"),
        (("-c", "empty.toml"), "neither a server nor a folder is given"),
        (("-c", "study.toml"), "no-such-study"),
        (("-c", "hook.toml"), "`hooks.on_failure`"),
        (("-c", "metrics.toml"), "`metrics_file`"),
    ],
)
def test_nothing_is_scheduled_with_settings_that_cannot_work(arguments: tuple[str, ...], says: str, site: Path) -> None:
    server = 'server = "https://fhir.hospital.example/r4"\n'
    (site / "empty.toml").write_text("", encoding="utf-8")
    (site / "study.toml").write_text(server + 'study = "no-such-study"\n', encoding="utf-8")
    (site / "hook.toml").write_text(server + '[hooks]\non_failure = ["no-such-program"]\n', encoding="utf-8")
    (site / "metrics.toml").write_text(server + 'metrics_file = "nowhere/a.prom"\n', encoding="utf-8")
    given = arguments if "-c" in arguments else (*arguments, "-c", "site.toml")
    ended = command("schedule", *given)
    assert ended.code == 2
    assert says in ended.err
