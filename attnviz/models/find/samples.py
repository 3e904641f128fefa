"""The sample models and sample inputs that come with attnviz.

A sample is called `sample:NAME`: `sample:english` is the folder of a model, `sample:text/long` a
file. What is said of a model stands in the front matter of its README.md, what is said of the
inputs of a folder in the table of the README.md there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from attnviz.errors import InputError

PREFIX = "sample:"


@dataclass(frozen=True)
class Sample:
    """A sample: its name, where it lies, what it is, and a command that shows it (or "")."""

    name: str
    path: Path
    description: str
    command: str


def sample_folders() -> list[Path]:
    """The folders that may hold samples: beside the package, then in a checkout."""
    package = Path(__file__).resolve().parents[2]
    return [package / "samples", package.parent / "samples"]


def sample_models() -> list[Sample]:
    """Every bundled model, by name."""
    found: dict[str, Sample] = {}
    for folder in sample_folders():
        for config in sorted(folder.glob("*/config.json")):
            found.setdefault(config.parent.name, model_in(config.parent))
    return [found[name] for name in sorted(found)]


def sample_inputs() -> list[Sample]:
    """Every bundled input, in the order of the tables that describe them."""
    found: dict[str, Sample] = {}
    for folder in sample_folders():
        for readme in sorted(folder.glob("*/README.md"), reverse=True):
            if not (readme.parent / "config.json").is_file():
                for one in inputs_in(readme.parent):
                    found.setdefault(one.name, one)
    return list(found.values())


def input_file(path: str | Path, kind: str = "text") -> Path:
    """The file that a name like `sample:text/long` stands for; any other path as it is.

    `kind` is the folder of samples that are wanted.

    Raises InputError for an unknown name.
    """
    name = str(path)
    if not name.startswith(PREFIX):
        return Path(path)
    known = {one.name: one.path for one in sample_inputs() if one.path.parent.name == kind}
    found = known.get(name.removeprefix(PREFIX))
    if found is None:
        raise InputError(
            f"{name} is not a bundled {kind}",
            "there are " + (", ".join(f"{PREFIX}{one}" for one in known) or "not installed"),
        )
    return found


def model_in(folder: Path) -> Sample:
    """What the README.md of a model's folder says of it."""
    readme = folder / "README.md"
    facts = front_matter(readme.read_text(encoding="utf-8")) if readme.is_file() else {}
    options = f"-m {PREFIX}{folder.name}"
    if "target" in facts:
        options = f'--target "{facts["target"]}" {options}'
    command = f'attnviz inspect "{facts["example"]}" {options}' if "example" in facts else ""
    return Sample(folder.name, folder, facts.get("description", ""), command)


def inputs_in(folder: Path) -> list[Sample]:
    """The inputs in a folder: the rows of its table, `| [FILE](FILE) | what it is | command |`."""
    found = []
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| [") and len(cells) == 3:
            path = folder / cells[0].partition("]")[0].removeprefix("[")
            name = f"{folder.name}/{path.stem}"
            found.append(Sample(name, path, cells[1], cells[2].strip("`")))
    return found


def front_matter(text: str) -> dict[str, str]:
    """The `key: value` lines between two `---` lines at the top of a text."""
    top, *rest = text.split("---\n", 2)
    if top or len(rest) < 2:
        return {}
    pairs = (line.partition(": ") for line in rest[0].splitlines() if ": " in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
