"""Build every architecture, run its oracle and print one line for each: `python -m tests.zoo`."""

from __future__ import annotations

import sys
import time
from collections import Counter

import torch

from tests.zoo.names import ALL_TEXT, CASES, unlisted
from tests.zoo.oracle import Padding, dropped, eager_run, inputs, problem
from tests.zoo.shrink import build

PADDINGS: tuple[Padding, ...] = ("none", "left", "right")


def main(names: list[str]) -> int:
    """Report on `names`, or on everything; the exit status is 1 where an oracle has a problem."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    problems = [name for name in names or ALL_TEXT if not _report(name)]
    seconds = time.perf_counter() - start
    print(f"{len(ALL_TEXT)} architectures, {len(CASES)} with an oracle, {seconds:.0f} s")
    print(f"problems: {' '.join(problems) or 'none'}")
    if not names:
        print(f"in no list: {' '.join(unlisted()) or 'none'}")
    return int(bool(problems))


def _report(name: str) -> bool:
    """Print the line of one architecture; whether it is as its list says."""
    start = time.perf_counter()
    try:
        model = build(name, attn_implementation="eager")
        counts, found = _check(name)
    except Exception as error:  # one that cannot be built must not hide the others
        print(f"{name:36} FAILED {type(error).__name__}: {error}"[:200], flush=True)
        return False
    maps = ", ".join(f"{count} {field}" for field, count in counts.items()) or "no maps"
    seconds = time.perf_counter() - start
    problem_text = "; ".join(found) if name in CASES else "no oracle"
    label = f"{name:36} {type(model).__name__:28} {maps} {seconds:.2f} s {problem_text}"
    print(label.rstrip(), flush=True)
    return name not in CASES or bool(counts and not found)


def _check(name: str) -> tuple[Counter[str], list[str]]:
    """Count the unpadded maps by field, and list what is wrong in any padding."""
    counts: Counter[str] = Counter()
    found: dict[str, None] = {}
    for padding in PADDINGS:
        given = inputs(build(name), padding)
        maps = [each for each in eager_run(name, given) if not dropped(name, each)]
        found |= dict.fromkeys(text for each in maps if (text := problem(name, each, given)))
        if padding == "none":
            counts.update(each.field for each in maps)
    return counts, list(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
