"""What is known from the field about the makers of servers: `mappings/common/vendors.toml`, read and recognised."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fhir_adapter.ehr.capability import Capability
from fhir_adapter.errors import StudyError, UsageError
from fhir_adapter.packaged import data_folder

Kind = Literal[
    "person-required",
    "narrowing-required",
    "no-last-updated",
    "page-size",
    "totals-wrong",
    "post-unusable",
    "export-levels",
    "export-without",
    "export-whole",
    "note",
]


class Fact(BaseModel):
    """One fact, `seen` in a year, a month or on a day. Without `types` it holds for every type; what `param`, `values`
    and `limit` mean depends on the `kind`. What is not `verified` is only told, until the server has shown it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    types: tuple[str, ...] = ()
    param: str = ""
    values: tuple[str, ...] = ()
    limit: int | None = None
    says: str
    seen: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
    source: str
    verified: bool

    def is_about(self, type: str) -> bool:
        return not self.types or type in self.types


class Vendor(BaseModel):
    """A maker of servers: how it is recognised (regular expressions) and what is known about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = "none"
    name: str = "no vendor known"
    software: tuple[str, ...] = ()
    publisher: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    def about(self, kind: Kind, type: str = "") -> Fact | None:
        """The verified fact of this kind, about one type or about the whole server."""
        return next((fact for fact in self._about(kind, type) if fact.verified), None)

    def hearsay(self, kind: Kind, type: str) -> Fact | None:
        """The fact of this kind that is still to be shown by the server, when there is no verified one."""
        return None if self.about(kind, type) else next(iter(self._about(kind, type)), None)

    def _about(self, kind: Kind, type: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind == kind and (not type or fact.is_about(type))]

    def believing(self, confirmed: Fact, type: str) -> Vendor:
        """The same vendor after the server has shown that `confirmed` holds for `type`."""
        shown = confirmed.model_copy(update={"types": (type,), "verified": True})
        return self.model_copy(update={"facts": (shown, *self.facts)})


NO_VENDOR = Vendor()


@cache
def read_vendors() -> Mapping[str, Vendor]:
    """All vendors by their key, in the order of the file."""
    path = data_folder("mappings") / "common" / "vendors.toml"
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
        return {key: Vendor(key=key, **table) for key, table in tables.items()}
    except OSError:
        raise StudyError(f"{path} cannot be read", "it belongs to the installation") from None
    except (tomllib.TOMLDecodeError, ValidationError, TypeError) as problem:
        raise StudyError(f"{path} is not a table of vendors ({type(problem).__name__})", "compare its head") from None


def recognise(capability: Capability, base_url: str, wanted: str = "auto") -> Vendor:
    """The vendor of a server: `wanted` by name, `none`, or (`auto`) the first that its own words fit."""
    known = read_vendors()
    if wanted == "none":
        return NO_VENDOR
    if wanted != "auto":
        if wanted not in known:
            raise UsageError(f"the vendor `{wanted}` is not known", f"`vendor` is auto, none, {', '.join(known)}")
        return known[wanted]
    said = (("software", capability.software), ("publisher", capability.publisher), ("address", base_url))
    for key, words in said:
        for vendor in known.values():
            patterns: tuple[str, ...] = getattr(vendor, key)
            if any(re.search(pattern, words, re.IGNORECASE) for pattern in patterns):
                return vendor
    return NO_VENDOR
