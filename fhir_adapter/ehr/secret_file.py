"""Secrets in files: only files that nobody else can read."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from fhir_adapter.errors import UsageError

_CREDENTIALS = "CREDENTIALS_DIRECTORY"  # where systemd puts what LoadCredential= names
_LONGEST = 1 << 20  # far beyond any key; a device or a log named by mistake is not read to its end


def read_secret(path: Path, what: str) -> bytes:
    """The content of a file that holds a `what` (such as "client secret"); `UsageError` if it is not safe there.

    A mere name is looked for among the credentials of the service first, if it was started with any.
    """
    path = find_secret(path)
    check_private(path, what)
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError:
        raise _unreadable(path, what) from None
    if not content.strip():
        raise UsageError(f"The {what} file {path} is empty.", "Write the secret into it, or name another file.")
    if len(content) > _LONGEST:
        raise UsageError(f"The {what} file {path} is too big to hold one.", "Check the path.")
    return content


def find_secret(path: Path) -> Path:
    """The file meant: `name` means `$CREDENTIALS_DIRECTORY/name` when that is there."""
    folder = os.environ.get(_CREDENTIALS, "")
    if folder and path.name == str(path) and (Path(folder) / path).is_file():
        return Path(folder) / path
    return path


def check_private(path: Path, what: str) -> None:
    """`UsageError`, with the command that helps, if anybody else can read the file."""
    try:
        about = path.stat()
    except OSError:
        raise _unreadable(path, what) from None
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"The {what} file {path} is not a file.", "Check the path.")
    if about.st_mode & _others(about):
        raise UsageError(
            f"The {what} file {path} is open to others (mode {stat.S_IMODE(about.st_mode):04o}), so it is not used.",
            f"chmod 600 {shlex.quote(str(path))}",
        )


def _others(about: os.stat_result) -> int:
    """The mode bits that must not be set.

    systemd and Kubernetes hand a secret to a service as a file of root that the service's group may read: 0440.
    """
    handed_over = about.st_uid == 0 and os.geteuid() != 0
    return 0o037 if handed_over else 0o077


def _unreadable(path: Path, what: str) -> UsageError:
    return UsageError(f"The {what} file {path} cannot be read.", "Check the path and who may read it.")
