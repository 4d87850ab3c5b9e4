"""One line for several logs of pytest: `python3 .ci/add_up.py LOG...` prints the sum of their summaries.

A log without a summary is of a run that did not get that far, and counts as an error.
"""

import re
import sys
from collections import Counter
from pathlib import Path

ORDER = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warning", "error")
SUMMARY = re.compile(r"^(?:=+ )?(\d+ \w+(?:, \d+ \w+)*) in (\d+\.\d+)s", re.MULTILINE)


def main(paths: list[str]) -> str:
    counts: Counter[str] = Counter()
    seconds = 0.0
    for path in paths:
        found = SUMMARY.findall(Path(path).read_text(encoding="utf-8", errors="replace"))
        summary, took = found[-1] if found else ("1 error", "0")
        seconds += float(took)
        for part in summary.split(", "):
            number, kind = part.split()
            counts[kind.rstrip("s") if kind in ("errors", "warnings") else kind] += int(number)
    told = (f"{counts[kind]} {_plural(kind, counts[kind])}" for kind in ORDER if counts[kind])
    return f"{', '.join(told)} in {seconds:.2f}s"


def _plural(kind: str, number: int) -> str:
    return f"{kind}s" if kind in ("warning", "error") and number > 1 else kind


if __name__ == "__main__":
    print(main(sys.argv[1:]))
