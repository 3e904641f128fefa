"""The sample models that come with attnviz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXAMPLE = "The service was not bad and the music was lovely."


@dataclass(frozen=True)
class Sample:
    """A bundled model: its folder, what it is for, and a command that shows it."""

    name: str
    path: Path
    description: str
    command: str


def sample_folders() -> list[Path]:
    """The folders that may hold samples: beside the package, then in a checkout."""
    package = Path(__file__).resolve().parents[1]
    return [package / "samples", package.parent / "samples"]


def samples() -> list[Sample]:
    """Every bundled model, by name."""
    found: dict[str, Sample] = {}
    for folder in sample_folders():
        for config in sorted(folder.glob("*/config.json")):
            found.setdefault(config.parent.name, read_sample(config.parent))
    return [found[name] for name in sorted(found)]


def read_sample(path: Path) -> Sample:
    """What the README.md of a sample says of it: its front matter, else its first heading."""
    readme = path / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    facts, body = front_matter(text)
    heading = next((line.lstrip("# ") for line in body.splitlines() if line.strip()), "")
    description = facts.get("description") or heading.removeprefix(f"{path.name}:").strip()
    example = facts.get("example", EXAMPLE)
    command = f'attnviz inspect "{example}" -m sample:{path.name}'
    return Sample(path.name, path, description, command)


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """The `key: value` lines between two `---` lines at the top, and the text after them."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in (x.strip() for x in lines[1:]):
        return {}, text
    end = next(i for i, line in enumerate(lines) if i and line.strip() == "---")
    pairs = (line.partition(":") for line in lines[1:end] if not line.startswith((" ", "-", "#")))
    facts = {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return facts, "\n".join(lines[end + 1 :])
