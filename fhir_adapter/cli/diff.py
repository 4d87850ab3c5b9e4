"""`diff`: what moved between two results, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Out, settings_from
from fhir_adapter.cli.screen import plain
from fhir_adapter.errors import UsageError

if TYPE_CHECKING:
    from fhir_adapter.pipeline.diff import Change, Difference, EstimateChange, Moved, Person, VerdictChange

_DIGITS = 1
_HASH = 64  # letters of a SHA-256: that something differs is told, not how it hashes

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="An output folder, a folder under its .generations, or the number or day of a run of --out."
    ),
]


@app.command()
def diff(
    before: Run = None,
    after: Run = None,
    config: Config = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """Say who entered or left, which verdicts changed by which records, and which estimates moved.

    Without RUN the results in --out are compared with those before them. The exit code is 0 whether they differ or not.
    """
    settings = settings_from(config, False, {"out": out})
    from fhir_adapter.output_folder import OutputFolder
    from fhir_adapter.pipeline.diff import compare
    from fhir_adapter.pipeline.result_read import read_last_two, read_result

    if before is None:
        found = compare(*read_last_two(OutputFolder(settings.out)))
    elif after is None:
        raise UsageError("one RUN alone cannot be compared", "name two, or none to compare the last two of --out")
    else:
        found = compare(read_result(before, settings), read_result(after, settings))
    if as_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        for line in _told(found):
            print(plain(line))


def _told(found: Difference) -> Iterator[str]:
    yield f"before  {found.before} of {found.before_at}, {found.people_before} in the cohort"
    yield f"after   {found.after} of {found.after_at}, {found.people_after} in the cohort"
    yield from (f"differ  {_change(one)}" for one in found.runs)
    yield f"people: {len(found.entered)} entered, {len(found.left)} left"
    for sign, people in (("+", found.entered), ("-", found.left)):
        for person in people:
            yield from _person(sign, person)
    yield f"verdicts: {len(found.verdicts)} changed"
    for verdict in found.verdicts:
        yield from _verdict(verdict)
    if found.estimates is None:
        yield "estimates: not compared, one of the two has none"
        return
    yield f"estimates: {len(found.estimates)} moved"
    yield from (_estimate(one) for one in found.estimates)


def _change(one: Change) -> str:
    if _HASH in (len(str(one.before)), len(str(one.after))):
        return one.what + (" (new)" if one.before is None else " (gone)" if one.after is None else "")
    return f"{one.what}: {_word(one.before)} -> {_word(one.after)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in (None, "", []) else str(value)


def _person(sign: str, person: Person) -> Iterator[str]:
    yield f"  {sign} {person.subject_id}"
    yield f"      before: {person.before or 'not known'}"
    yield f"      after:  {person.after or 'not known any more'}"


def _verdict(one: VerdictChange) -> Iterator[str]:
    verdicts = f"{one.before or 'no answer'} -> {one.after or 'no answer'}"
    yield f"  {one.subject_id} {one.rule}: {verdicts if one.before != one.after else f'{one.after}, of another value'}"
    for side, sentence in (("before:", one.sentence_before), ("after: ", one.sentence_after)):
        if sentence:
            yield f"      {side} {sentence}"
    yield "      by: " + ("; ".join(_causes(one)) or "none of its own records or parameters, see above")


def _causes(one: VerdictChange) -> Iterator[str]:
    yield from map(_record, one.records)
    yield from (f"parameter {_change(each)}" for each in one.parameters)
    if one.reviewed:
        yield "a decision of reviewers"


def _record(moved: Moved) -> str:
    if moved.before is None:
        return f"{moved.record} version {moved.after} (new to it)"
    if moved.after is None:
        return f"{moved.record} version {moved.before} (does not count any more)"
    return f"{moved.record} version {moved.before} -> {moved.after}"


def _estimate(one: EstimateChange) -> str:
    population = "" if one.population == "infused" else f" ({one.population})"
    sides = [_said(one.before), _said(one.after)]
    if one.before and one.after and sides[0] == sides[1]:  # what moved is in none of the words
        sides = [", ".join(f"{name} {_word(side[name])}" for name in one.moved) for side in (one.before, one.after)]
    return f"  {one.id}{population}: {sides[0]} -> {sides[1]}"


def _said(estimate: dict[str, object] | None) -> str:
    """The statistic, and from how many people."""
    from fhir_adapter.analysis.wording import sentence
    from fhir_adapter.cohort.estimate import Estimate

    if estimate is None:
        return "not asked"
    fields = {name: value for name, value in estimate.items() if name in Estimate.model_fields}
    one = Estimate.model_validate(fields)
    return sentence(one, _DIGITS) + ("" if "n" in one.suppressed else f", n {one.n}")
