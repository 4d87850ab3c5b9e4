"""A CronJob for Kubernetes: YAML made from a structure, every text in quotes so that none is read as a number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from fhir_adapter import __version__
from fhir_adapter.unattended.job import Job, run_arguments
from fhir_adapter.unattended.scheduler import GRACE_S

Node: TypeAlias = "str | int | bool | Mapping[str, Node] | Sequence[Node]"

_HEAD = """\
# An image of your own with fhir-adapter in it, and in the namespace:
#   the settings      kubectl create configmap fhir-adapter --from-file=site.toml
#   the private key   kubectl create secret generic fhir-adapter --from-file=private-key.pem
#                     in the settings: [auth] key_file = "/etc/fhir-adapter/secret/private-key.pem"
#   the data          a PersistentVolumeClaim named fhir-adapter, on storage meant for patient data
"""
_SETTINGS, _SECRET, _DATA, _TEMPORARY = "/etc/fhir-adapter/settings", "/etc/fhir-adapter/secret", "/data", "/tmp"  # noqa: S108
_ACCOUNT = 10001  # any that is not root
_TRY_AGAIN = 4  # the only exit code that gets better by itself: the server is not ready
_GRACE_TO_STOP_S = 300


def kubernetes_cron_job(job: Job) -> str:
    """The manifest. Paths are those inside the container; only the schedule is taken from the job."""
    return _HEAD + "\n".join(_lines(_cron_job(job))) + "\n"


def _cron_job(job: Job) -> Node:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "fhir-adapter"},
        "spec": {
            "schedule": str(job.cron),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": GRACE_S,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 7,
            "jobTemplate": {"spec": _job()},
        },
    }


def _job() -> Node:
    return {
        "backoffLimit": 4,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": "fhir-adapter", "operator": "NotIn", "values": [_TRY_AGAIN]},
                },
            ]
        },
        "template": {"spec": _pod()},
    }


def _pod() -> Node:
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_TO_STOP_S,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _ACCOUNT,
            "runAsGroup": _ACCOUNT,
            "fsGroup": _ACCOUNT,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container()],
        "volumes": [
            {"name": "settings", "configMap": {"name": "fhir-adapter"}},
            {"name": "secret", "secret": {"secretName": "fhir-adapter", "defaultMode": 0o440, "optional": True}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "fhir-adapter"}},
            {"name": "temporary", "emptyDir": {}},
        ],
    }


def _container() -> Node:
    return {
        "name": "fhir-adapter",
        "image": f"fhir-adapter:{__version__}",
        "command": ["fhir-adapter", *run_arguments(None, ("--config", f"{_SETTINGS}/site.toml"))],
        "workingDir": _DATA,
        "env": [
            {"name": "FHIR_ADAPTER__OUT", "value": f"{_DATA}/out"},
            {"name": "FHIR_ADAPTER__LOG_FORMAT", "value": "json"},
            {"name": "MPLCONFIGDIR", "value": _TEMPORARY},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "settings", "mountPath": _SETTINGS, "readOnly": True},
            {"name": "secret", "mountPath": _SECRET, "readOnly": True},
            {"name": "data", "mountPath": _DATA},
            {"name": "temporary", "mountPath": _TEMPORARY},
        ],
    }


def _lines(node: Node, indent: str = "") -> Iterator[str]:
    """A mapping or a list, a line for each of its entries and, further in, theirs."""
    if isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _entry(f"{indent}{key}:", inner, f"{indent}  ")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for inner in node:
            first, *rest = _lines(inner, f"{indent}  ") if _has_entries(inner) else (f"{indent}  {_scalar(inner)}",)
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _entry(head: str, inner: Node, indent: str) -> Iterator[str]:
    if _has_entries(inner):
        yield head
        yield from _lines(inner, indent)
    else:
        yield f"{head} {_scalar(inner)}"


def _has_entries(node: Node) -> bool:
    return isinstance(node, Mapping | Sequence) and not isinstance(node, str) and bool(node)


def _scalar(node: Node) -> str:
    """A text, a number, or something empty: JSON is YAML."""
    return json.dumps(node, ensure_ascii=False)
