"""Runs rival ways to do one job in turn, and prints their times and memory as ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Figures:
    """Seconds of every round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)


def commands(rivals: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Figures]:
    """Each command run `rounds` times, in turn, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds + 1):
        for name, command in rivals.items():
            start = time.perf_counter()
            subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: Figures(tuple(values)) for name, values in seconds.items()}


def calls(rivals: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Figures]:
    """Each function called `rounds` times, in turn, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds + 1):
        for name, call in rivals.items():
            start = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: Figures(tuple(values)) for name, values in seconds.items()}


def peak_of(script: str, *arguments: str) -> int:
    """The peak resident memory of a fresh interpreter that runs the script, in bytes (Linux)."""
    return run_of(script, *arguments)[1]


def run_of(script: str, *arguments: str) -> tuple[list[float], int]:
    """The numbers that a run of the script prints in its last line, and its peak (see above)."""
    code = (
        "import os, runpy, sys; sys.argv = sys.argv[1:]; "
        "sys.path.insert(0, os.path.dirname(sys.argv[0])); "
        "runpy.run_path(sys.argv[0], run_name='__main__'); "
        "lines = open('/proc/self/status').read().splitlines(); "
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, script, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *printed, peak = done.stdout.splitlines()
    return [float(number) for number in printed[-1].split()] if printed else [], int(peak) * 1024


def table(title: str, found: Mapping[str, Figures], base: str) -> str:
    """A Markdown table with the ratio of every rival to the base."""
    lines = [f"**{title}**", "", "| | median s | ÷ " + base + " | range s |", "|---|---|---|---|"]
    for name, figures in found.items():
        ratio = figures.median / found[base].median
        low, high = min(figures.seconds), max(figures.seconds)
        lines.append(f"| {name} | {figures.median:.3f} | {ratio:.2f} | {low:.3f}-{high:.3f} |")
    return "\n".join(lines)


def machine() -> str:
    """What was measured on."""
    import torch
    import transformers

    return json.dumps(
        {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "processor": platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
    )
