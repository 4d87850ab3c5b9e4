"""A deletion that the source itself reports: by history, or in the `deleted` files of a bulk export."""

from __future__ import annotations

import msgspec


class Deletion(msgspec.Struct, frozen=True):
    """`type`/`id` is gone. `version` and `at` (an instant) are those of the deletion, empty when not told.

    A version of the resource that is not newer than its deletion does not bring it back.
    """

    type: str
    id: str
    version: str = ""
    at: str = ""

    def __repr__(self) -> str:
        return f"Deletion({self.type})"
