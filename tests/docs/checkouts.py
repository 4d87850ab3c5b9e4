"""Folders that look like a checkout of the project, in which a reader gives the commands of the pages."""

from __future__ import annotations

from pathlib import Path

from pages import ROOT


def as_checkout(folder: Path) -> Path:
    """The same folder, now with what the commands read."""
    for name in ("mappings", "fixtures"):
        (folder / name).symlink_to(ROOT / name)
    return folder
