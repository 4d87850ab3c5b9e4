"""What a resource can be found by, and whether it answers a criterion.

Every value is reduced once, when a resource is stored, to the keys that a search may name: `code` and
`system|code` for a token, `Type/id` and `id` for a reference, the text for a string, a `Span` for a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.moments import Span, lies, read_criterion, span_of
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.parameters import Kind, Parameter, parameters_of

Keys = Mapping[str, tuple[object, ...]]
MODIFIERS: Mapping[Kind, frozenset[str]] = {
    "token": frozenset({"missing", "not"}),
    "reference": frozenset({"missing", "Patient", "Medication", "Group", "Practitioner", "Organization"}),
    "date": frozenset({"missing"}),
    "string": frozenset({"missing", "exact", "contains"}),
    "uri": frozenset({"missing"}),
}
_RELATIVE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One `name:modifier=value,value` of a search: the values are alternatives."""

    parameter: Parameter
    modifier: str
    values: tuple[str, ...]

    def met_by(self, keys: Keys) -> bool:
        found = keys.get(self.parameter.name, ())
        if self.modifier == "missing":
            return (not found) is (self.values[0] == "true")
        answers = any(self._answers(key, value) for value in self.values for key in found)
        return answers is not (self.modifier == "not")

    def _answers(self, key: object, value: str) -> bool:
        match self.parameter.kind:
            case "date":
                asked = read_criterion(value)
                return asked is not None and isinstance(key, Span) and lies(key, *asked)
            case "string":
                return _text_answers(str(key), value, self.modifier)
            case "reference":
                return key == self.wanted(value)
            case "token" if value.endswith("|"):
                return str(key).startswith(value)
            case _:
                return key == value

    def wanted(self, value: str) -> str:
        """The key that a value of a reference criterion asks for: `patient=7` means `Patient/7`."""
        type = self.parameter.target or self.modifier
        return f"{type}/{value}" if type and "/" not in value else value

    @property
    def lookups(self) -> tuple[tuple[str, str], ...]:
        """Where an index finds every candidate: names with keys; empty when all must be looked at."""
        exact = self.parameter.kind in ("token", "reference", "uri") and self.modifier not in (
            "missing",
            "not",
        )
        if not exact or any(value.endswith("|") for value in self.values):
            return ()
        return tuple((self.parameter.name, self.wanted(value)) for value in self.values)


def read_criterion_of(parameter: Parameter, modifier: str, text: str, base: str) -> Criterion:
    """One search parameter as asked; `Refused` when the value cannot be one of its kind."""
    if modifier and modifier not in MODIFIERS[parameter.kind]:
        raise Refused(400, "not-supported", f"modifier :{modifier} is not supported for {parameter.name}")
    if modifier == "missing" and text not in ("true", "false"):
        raise Refused(400, "value", f"{parameter.name}:missing takes true or false")
    values = tuple(filter(None, _alternatives(text)))
    if parameter.kind == "date" and modifier != "missing" and not all(map(read_criterion, values)):
        raise Refused(400, "value", f"{parameter.name} takes a date")
    if parameter.kind == "reference":
        values = tuple(value.removeprefix(base + "/") for value in values)
    return Criterion(parameter, modifier, values)


def _alternatives(text: str) -> list[str]:
    """Split at commas that are not escaped."""
    return [re.sub(r"\\([,|$\\])", r"\1", part) for part in re.split(r"(?<!\\),", text)]


def _text_answers(key: str, value: str, modifier: str) -> bool:
    if modifier == "exact":
        return key == value
    if modifier == "contains":
        return value.lower() in key.lower()
    return key.lower().startswith(value.lower())


def keys_of(type: str, resource: dict[str, Json]) -> Keys:
    """Everything this resource can be found by, by parameter name."""
    keys: dict[str, tuple[object, ...]] = {}
    for name, parameter in parameters_of(type).items():
        values = [value for path in parameter.paths for value in _at(resource, path.split("."))]
        if found := tuple(dict.fromkeys(key for value in values for key in _keys(parameter, value))):
            keys[name] = found
    return keys


def _at(value: Json, path: list[str]) -> Iterator[Json]:
    if isinstance(value, list):
        for member in value:
            yield from _at(member, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _keys(parameter: Parameter, value: Json) -> Iterator[object]:
    match parameter.kind:
        case "token":
            yield from _token_keys(value)
        case "reference":
            yield from _reference_keys(parameter, value)
        case "date":
            if span := span_of(value):
                yield span
        case "string":
            yield from _texts(value)
        case "uri":
            yield value


def _token_keys(value: Json) -> Iterator[str]:
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict) and isinstance(value.get("coding"), list):
        for coding in value["coding"]:
            yield from _token_keys(coding)
    elif isinstance(value, dict):
        code = value.get("code", value.get("value"))
        if isinstance(code, str):
            yield code
            yield f"{value.get('system', '')}|{code}"
            yield f"{value.get('system', '')}|"  # any code of the system


def _reference_keys(parameter: Parameter, value: Json) -> Iterator[str]:
    reference = value.get("reference") if isinstance(value, dict) else value
    if not isinstance(reference, str):
        return
    found = _RELATIVE.fullmatch(reference)
    if parameter.target and not (found and found.group(1) == parameter.target):
        return
    yield reference
    yield reference.partition("|")[0]
    if found and ":" not in reference:
        yield f"{found.group(1)}/{found.group(2)}"
        yield found.group(2)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)
