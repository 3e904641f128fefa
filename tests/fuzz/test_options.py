"""Every option of every command with values that are right, at the edge and hostile.

Whatever the command line: exit code 0, 1 or 2, an `error:` unless it is 0, no other exception, and
nothing that a terminal would obey.
"""

from __future__ import annotations

import io
import random
import re
import sys
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer

import attnviz.models.load
from attnviz.cli.app import COMMANDS, app_for, run
from attnviz.cli.options.picture import PICTURES
from tests.captures import capture, translation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.models.loaded import LoadedModel

COUNT, PARTS = 1000, 10
TEXT = "the cat sat on the mat"
FILES = {
    "one.txt": "the cat\nit was tired\n",
    "rows.csv": "text,pair\nthe cat,a mat\nit was,tired\n",
    "hand.json": '{"query": [[1, 0]], "key": [[1, 0], [0, 1]], "value": [[1, 2], [3, 4]]}',
    "bad.json": '{"query": "\\u001b[5;31m"}',
}
HOSTILE = [
    "",
    " ",
    "-1",
    "0",
    "1e999",
    "nan",
    "-inf",
    "9" * 40,
    "1" * 5000,
    "\x1b[5;31mred\x07",
    "\x1b]0;title\x07",
    "a\x9b2J\x7f\r\n\tb",
    "\u202eevil\u2066 שלום",
    "\ud83d\ude00 \ud800",
    "你好" * 200,
    "{}{0}{layer!r}",
    "{layer:>99}",
    "[/red] $x_{y}$ %s",
    "../" * 9,
    "\u2028",
    "L" * 300 + "H0",
    "١٢",
    "0-99999999999999999999",
    "--",
]
# What each option takes, beside its own choices and numbers.
GOOD: dict[str, list[str]] = {
    "--layer": ["0", "0-1", "-1", "0,1"],
    "--head": ["0", "L1H2", "0-3", "L0H1,L1H0", "-1"],
    "--stack": ["self", "encoder", "cross"],
    "--query": ["cat", "0", "-1", "the#2", "0-2"],
    "--key": ["cat", "1", "the#1"],
    "--pair": ["a mat"],
    "--target": ["eine katze"],
    "--file": ["one.txt", "sample:text/long", "none.txt", "."],
    "--texts": ["one.txt", "rows.csv", "hand.json"],
    "--qkv": ["hand.json", "bad.json", "one.txt", "sample:qkv/luong"],
    "--with": ["the cat was tired", "run.safetensors"],
    "--with-model": ["gpt2", "bart", "nobody/nothing"],
    "--model": ["gpt2", "bart", "nobody/nothing", "."],
    "--revision": ["main"],
    "--with-revision": ["main"],
    "--device": ["cpu", "auto", "cuda:99", "meta", "cpu:7"],
    "--memory": ["1KiB", "4GiB", "1G", "0", "1e3"],
    "--sort": ["content", "previous", "entropy", "edge"],
    "--score": ["content", "previous"],
    "--kind": ["previous", "content"],
    "--size": ["2x1", "0x0", "1e3x2", "7×5", "201x1"],
    "--cmap": ["Greys", "viridis_r"],
    "--font": ["DejaVu Sans", "one.txt"],
    "--title": ["A title"],
    "--text": [TEXT],
    "--output": [
        *(f"out.{kind}" for kind in ("txt", "csv", "tsv", "json", "npz", "align", "safetensors")),
        "out.svg", "-", "new/{stack}-L{layer}.csv", "{index}.json", "folder", "folder.csv",
        "loop.csv", "link.csv", "a\x1bb.csv", "n" * 300 + ".csv", "one.txt/out.csv", "{model}.txt",
    ],
}  # fmt: skip
NUMBERS = ["1", "2", "7", "20", "80", "200", "0.1", "0.5", "0", "1.5", "-3"]
BY_HAND = {"--mechanism", "--soft", "--hard", "--local", "--heads", "--causal"}


# What --color always writes; the hostile values and tokens blink, which no picture does.
COLOURS = re.compile(r"\x1b\[(?!5;)[0-9;]*m")


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", newline="")

    def isatty(self) -> bool:
        return True

    @property
    def said(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


def options() -> list[tuple[str, Any]]:
    """Every (command, option or argument) of the command line."""
    return [
        (name, parameter)
        for name in COMMANDS
        for parameter in typer.main.get_command(app_for(name)).commands[name].params  # type: ignore[attr-defined]
    ]


def choices(option: Any) -> list[str]:
    """Values that an option takes by its type or its name, and some that it does not quite."""
    annotation = option.type_descriptor.annotation
    if get_args(annotation):
        return [one for one in get_args(annotation) if isinstance(one, str)]
    return NUMBERS if annotation in (int, float) else GOOD.get(option.opts[-1], ["cat"])


def given(option: Any, chance: random.Random, hostile: float) -> list[str]:
    """The option with a value, hostile so often."""
    if option.is_flag:
        return [chance.choice([*option.opts, *option.secondary_opts])]
    value = chance.choice(HOSTILE if chance.random() < hostile else choices(option))
    name = chance.choice(option.opts)
    return [f"{name}={value}"] if name.startswith("--") and chance.random() < 0.5 else [name, value]


def source(command: str, names: set[str], chance: random.Random) -> list[str]:
    """What the command reads, beside the options of these names; hostile at times."""
    if command == "models":
        return []
    if chance.random() < 0.05:
        return [chance.choice(HOSTILE)]
    if command == "check":
        return [chance.choice(["gpt2", "bart"])]
    if names & {"--file", "--texts", "--qkv", "--probe"}:
        return []
    if command == "trace" and names & BY_HAND:
        return ["--qkv", "hand.json"]
    if command == "trace" or names & {"--pair", "--target", "--model", "--with-model", "--plan"}:
        return [TEXT]
    return [chance.choice([TEXT, "-", "run.safetensors", "three.safetensors"])]


def command_lines(seed: int) -> Iterator[list[str]]:
    """The command lines of a part: each about one option, with up to three others."""
    every = options()
    for n, (command, option) in enumerate(islice(cycle(every), seed, None, PARTS)):
        if n == COUNT // PARTS:
            return
        chance = random.Random(f"{seed} {n}")
        mine = [one for name, one in every if name == command and one.opts[-1].startswith("-")]
        others = chance.sample(mine, min(len(mine), chance.randrange(4)))
        line = [command]
        for one in others:
            line += given(one, chance, 0.05)
        if option.opts[-1].startswith("-"):
            line += given(option, chance, 0.4)
        names = {one.opts[-1] for one in (option, *others)}
        if command == "export" and "--output" not in names:
            image = names & {*PICTURES, "--view", "--score", "--reduce"}
            line += ["-o", "out.svg" if image else chance.choice(["out.csv", "out.npz"])]
        yield [*line, *source(command, names, chance)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Callable[[str], Path]) -> Path:
    """A folder with models, texts, captures and places that are hard to write to."""
    for name in ("gpt2", "bart"):
        (tmp_path / name).symlink_to(folder(name))
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    capture(["a\x1b[5;31m", "b\r", "c\x9b2J", "d\x7f", "e\n", "f\u202e", "g"]).save(
        tmp_path / "run.safetensors"
    )
    translation().save(tmp_path / "three.safetensors")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "link.csv").symlink_to("far/away.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTNVIZ_MODEL", "gpt2")
    monkeypatch.setenv("TERM", "dumb")  # no colours, so that every code comes from the values
    return tmp_path


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to load a model is gone once."""
    load = attnviz.models.load.load

    @cache
    def once(name: str | None, **settings: Any) -> LoadedModel | Exception:
        try:
            return load(name, **settings)
        except Exception as error:
            return error

    def loaded(name: str | None = None, *, progress: Any = None, **settings: Any) -> LoadedModel:
        found = once(name, **settings)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(attnviz.models.load, "load", loaded)


def fault(line: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is wrong with how this command line ends; nothing when it ends as it should."""
    out, err = Terminal(), Terminal()
    with monkeypatch.context() as streams:
        streams.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the cat"), "utf-8"))
        streams.setattr(sys, "stdout", out)
        streams.setattr(sys, "stderr", err)
        try:
            code = run(line)
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:300]}"
    said = COLOURS.sub("", out.said) + err.said
    if code not in (0, 1, 2):
        return f"exit code {code}"
    if code and not re.search("^error: .", err.said, re.MULTILINE):
        return f"exit code {code}, but no error: {err.said[:300]!r}"
    if not code and "error: " in err.said:
        return f"exit code 0, but {err.said[:300]!r}"
    codes = {char for char in said if not char.isprintable() and char not in "\n\t"}
    return f"{codes} on the terminal" if codes else ""


@pytest.mark.usefixtures("loading")
@pytest.mark.parametrize("seed", range(PARTS))
def test_command_lines(place: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    faults = {" ".join(map(ascii, line)): fault(line, monkeypatch) for line in command_lines(seed)}
    assert len(faults) > COUNT // PARTS * 0.9
    assert {line: wrong for line, wrong in faults.items() if wrong} == {}
    assert [path for path in place.rglob(".*") if path.is_file()] == []  # half written
    assert (place / "loop.csv").is_symlink()
    assert (place / "link.csv").is_symlink()


def test_every_option_has_its_turn() -> None:
    lines = [line for seed in range(PARTS) for line in command_lines(seed)]
    assert len(lines) == COUNT
    for command, option in options():
        names = {*option.opts, *option.secondary_opts}
        if not option.opts[-1].startswith("-"):
            continue
        mine = [one.partition("=")[0] for line in lines if line[0] == command for one in line[1:]]
        assert names & {*mine}, (command, names)
