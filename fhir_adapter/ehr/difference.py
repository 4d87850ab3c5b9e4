"""Where two documents say something else: the elements, never their content."""

from __future__ import annotations

from collections.abc import Iterator


def differences(one: object, other: object, path: str = "") -> Iterator[str]:
    """The elements in which two meanings (`document.meaning`) differ, such as `group[2].measureScore.value`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from differences(one.get(name), other.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif one != other:
        yield path
