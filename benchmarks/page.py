"""All maps of 144 heads at 512 tokens to look at: attnviz, and the page that BertViz makes of them.

python benchmarks/page.py                     prints the table; BertViz's row where it is installed
python benchmarks/page.py attnviz|bertviz     one run: its seconds, and the bytes that it writes
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import one_head
import torch
from draw import ours
from side_by_side import machine, run_of

import attnviz

TOKENS = 512
LABELS = [f"t{i}" for i in range(TOKENS)]


def attnviz_files(folder: Path) -> None:
    """A picture of all heads, and all weights in a capture that can be opened again."""
    capture = attnviz.capture(one_head.model(), {"input_ids": ids(), "use_cache": False})
    (folder / "heads.png").write_bytes(ours(capture))
    capture.save(folder / "run.safetensors")


def bertviz_page(folder: Path) -> None:
    """The model view as a page, after `output_attentions=True`."""
    from bertviz import model_view

    with torch.no_grad():
        found = one_head.model("eager")(ids(), use_cache=False, output_attentions=True)
    page = model_view(found.attentions, LABELS, html_action="return")
    (folder / "page.html").write_text(page.data)


def ids() -> torch.Tensor:
    """int64 (1, TOKENS): random tokens."""
    return torch.randint(0, 50257, (1, TOKENS), generator=torch.Generator().manual_seed(0))


def main() -> None:
    """Print the table, or do one run."""
    ways = {"attnviz": attnviz_files, "bertviz": bertviz_page}
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            ways[sys.argv[1]](Path(folder))
            seconds = time.perf_counter() - start
            print(seconds, sum(file.stat().st_size for file in Path(folder).iterdir()))
        return
    print(machine())
    measured()


def measured() -> None:
    """Print the table."""
    ways = ("attnviz", "bertviz")
    print("\n| 12 × 12 heads, 512 tokens | s | peak MiB | written MiB |\n|---|---|---|---|")
    for name in ways:
        if find_spec(name) is None:
            print(f"| {name} | not installed | | |")
            continue
        (seconds, size), peak = run_of(__file__, name)
        print(f"| {name} | {seconds:.1f} | {peak / 2**20:,.0f} | {size / 2**20:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
