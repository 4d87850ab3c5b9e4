"""What to do about what a model refuses: keep the resource with a flag where its meaning is clear, else say why not.

Only the copy that is validated is repaired. What is written here decides what "can be understood" means:
times without zone or seconds, 24:00, elements nobody knows, a value that is absent with a reason, text of a wrong
pattern, and a birth date that no calendar has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.inspection import element_path

_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)T(?P<hour>[01]\d|2[0-4]):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d|60)(?P<fraction>\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?"
)
_QUOTED = re.compile(r"'(\w+)'")
_STAND_INS: Mapping[str, Json] = {
    "DateTime": "2000-01-01",
    "Date": "2000-01-01",
    "String": "x",
    "Boolean": True,
    "Integer": 1,
}
_BIRTH_DATE = ("Patient", "birthDate")

Place = tuple[int | str, ...]


class Repair:
    """Repairs of one resource: `flags` say what was kept, `reasons` what cannot be."""

    def __init__(self, type: str, resource: dict[str, Json]) -> None:
        self.flags: list[str] = []
        self.reasons: list[str] = []
        self._type = type
        self._resource = resource

    def mend(self, errors: Sequence[Mapping[str, Any]]) -> None:
        """Take up what a model found wrong, each with `loc`, `type` and `msg` (whose text names elements only)."""
        for error in errors:
            place, kind = tuple(error["loc"]), str(error["type"])
            if kind == "model_validation_format":  # the last step is no element: it says "root"
                place = place[:-1]
            self._mend(place, kind, str(error["msg"]))

    def _mend(self, place: Place, kind: str, message: str) -> None:
        holder, value = self._at(place[:-1]), self._at(place)
        if kind == "extra_forbidden" and isinstance(holder, dict):
            holder.pop(str(place[-1]), None)
            self._keep("unknown-element", place)
        elif "of field value" in message and isinstance(value, dict):
            self._mend_choice(place, value, _QUOTED.findall(message))
        elif "one field value is expected" in message:
            self._refuse("more-than-one-value", place)
        elif kind.endswith("missing"):
            self._refuse("missing-element", place)
        elif isinstance(value, str) and kind != "json_invalid":  # text where an object belongs
            self._mend_text(place, value, kind, message)
        else:
            self._refuse("wrong-json-type", place)

    def _mend_choice(self, place: Place, value: dict[str, Json], names: Sequence[str]) -> None:
        """A required choice without a value is in order when one of its elements says why it is absent."""
        for name in names:
            stand_in = _stand_in(name)
            if isinstance(value.get(f"_{name}"), dict) and stand_in is not None:
                value[name] = stand_in
                self._keep("value-absent-with-reason", (*place, name))
                return
        self._refuse("missing-element", (*place, _common_start(names)))

    def _mend_text(self, place: Place, value: str, kind: str, message: str) -> None:
        is_date = "date" in kind or "Date" in message or "Instant" in message or "Time" in message
        if (self._type, *place) == _BIRTH_DATE:
            self._set(place, "2000-01-01")
            self._keep("invalid-date", place)
        elif is_date:
            self._mend_time(place, value)
        elif kind == "string_pattern_mismatch":
            self._set(place, "x")
            self._keep("malformed-text", place)
        else:
            self._refuse("malformed-value", place)

    def _mend_time(self, place: Place, value: str) -> None:
        found = _TIME.fullmatch(value)
        if not found or (found["hour"] == "24" and (found["minute"], found["second"] or "00") != ("00", "00")):
            self._refuse("invalid-date", place)
            return
        lacks = {
            "time-without-seconds": found["second"] is None,
            "time-without-zone": found["zone"] is None,
            "time-24-hours": found["hour"] == "24",
        }
        if not any(lacks.values()):
            self._refuse("invalid-date", place)
            return
        # The day is left as it is: whether the calendar has it is for the model to say.
        self._set(place, f"{found['day']}T12:00:00Z")
        for word in (word for word, applies in lacks.items() if applies):
            self._keep(word, place)

    def _at(self, place: Place) -> Json:
        value: Json = self._resource
        for step in place:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def _set(self, place: Place, value: Json) -> None:
        holder: Any = self._at(place[:-1])
        holder[place[-1]] = value

    def _keep(self, word: str, place: Place) -> None:
        self.flags.append(f"{word} {element_path((self._type, *place))}")

    def _refuse(self, word: str, place: Place) -> None:
        self.reasons.append(f"{word} {element_path((self._type, *place))}")


def _stand_in(name: str) -> Json:
    """A value of the right kind for a choice element such as `effectiveDateTime`; None for complex kinds."""
    return next((value for suffix, value in _STAND_INS.items() if name.endswith(suffix)), None)


def _common_start(names: Sequence[str]) -> str:
    """`effective` for `effectiveDateTime` and `effectivePeriod`."""
    shortest = min(names, default="", key=len)
    length = next((place for place in range(len(shortest)) if len({name[place] for name in names}) > 1), len(shortest))
    return shortest[:length]
