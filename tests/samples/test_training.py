"""The training scripts run from start to end, and leave the bundled files alone."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import attnviz

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
WORDNET = {
    "noun": 'sailor 0 000 | a member of the crew of a ship; "the old sailor told us a story"',
    "verb": 'sail 0 000 | travel on water by wind; "we sailed around the world"; "She sails"',
    "adj": 'deep 0 000 | having great distance from top to bottom; "a deep well"',
    "adv": 'slowly 0 000 | without speed; "he spoke slowly"',
}


def hashes() -> dict[Path, str]:
    """What every bundled file holds."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(SAMPLES.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip


@pytest.fixture
def wordnet_folder(tmp_path: Path) -> Path:
    """A tiny WordNet in its own format."""
    for part, entry in WORDNET.items():
        lines = [
            "  1 This software and database is provided",
            *(f"0 03 n 01 {entry}" for _ in range(1)),
        ]
        lines += [
            f'0 03 n 01 word{i} 0 000 | thing number {i}; "this is thing {i}"' for i in range(300)
        ]
        (tmp_path / f"data.{part}").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sentiment", "translate", "english", "rnn-general"])
def test_short_run(name: str, tmp_path: Path, wordnet_folder: Path) -> None:
    before = hashes()
    output = tmp_path / "model"
    script = "recurrent" if name.startswith("rnn-") else name
    command = [sys.executable, "-W", "error::UserWarning", str(SAMPLES / "train" / f"{script}.py")]
    command += ["--output", str(output), "--seconds", "2"]
    if script == "recurrent":
        command += ["--score", name.removeprefix("rnn-")]
    if name == "english":
        command += ["--wordnet", str(wordnet_folder)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert hashes() == before
    card = (output / "README.md").read_text(encoding="utf-8")
    assert "description: " in card
    assert not re.search(r"\{[a-z_]+[:}]", card), "every place of the card is filled"
    model = attnviz.load(str(output))
    target = "le petit chat ." if model.encoder_decoder else None
    capture = attnviz.capture(model, "the small cat is not good .", target=target)
    assert capture.stacks
    shipped = (SAMPLES / name / "README.md").read_text(encoding="utf-8")
    headings = [line for line in shipped.splitlines() if line.startswith("#")]
    assert headings == [line for line in card.splitlines() if line.startswith("#")]


def test_wordnet_is_read_as_sentences(wordnet_folder: Path) -> None:
    import wordnet

    entries = list(wordnet.documents(wordnet_folder, held_out=False))
    held_out = list(wordnet.documents(wordnet_folder, held_out=True))
    assert len(entries) + len(held_out) == 4 * 301
    assert 0 < len(held_out) < 100
    sails = next(entry for entry in [*entries, *held_out] if entry[0].startswith("sail:"))
    assert sails == ["sail: travel on water by wind.", "We sailed around the world.", "She sails."]


def test_models_stay_small() -> None:
    bundled = sum(path.stat().st_size for path in SAMPLES.rglob("*")
                  if path.is_file() and "train" not in path.parts)  # fmt: skip
    assert bundled <= 20 * 1024**2
