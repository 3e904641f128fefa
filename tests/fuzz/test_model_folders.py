"""Damaged model folders: a picture or one clear error, never a traceback, a hang or the memory."""

from __future__ import annotations

import random
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import transformers

from attnviz.cli.app import run
from tests.fuzz.mutations import damaged
from tests.models import tiny
from tests.models.adapters import lora
from tests.models.fixtures import private_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["private_cache"]
resource = pytest.importorskip("resource")

CASES, GROUP, SECONDS = 300, 25, 20
GIB = 2**30
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


class TooSlow(BaseException):
    """A case that took too long; no net catches it."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """GPT-2 in shards, BERT, T5 and GPT-2 with an adapter: every file that may be damaged."""
    root = tmp_path_factory.mktemp("whole")
    found = [tiny.gpt2(root / "gpt2"), tiny.bert(root / "bert"), tiny.t5(root / "t5")]
    lora(shutil.copytree(found[0], root / "lora")).save_pretrained(root / "lora")
    model = transformers.AutoModelForCausalLM.from_pretrained(found[0])
    (found[0] / "model.safetensors").unlink()
    model.save_pretrained(found[0], max_shard_size="60KB")
    found.append(root / "lora")
    for folder in found:
        (folder / "special_tokens_map.json").write_text('{"unk_token": "[UNK]", "pad_token": "x"}')
        if not (folder / "generation_config.json").exists():
            (folder / "generation_config.json").write_text('{"max_length": 20, "do_sample": false}')
    return found


@pytest.fixture
def bounded() -> Iterator[None]:
    """A case takes SECONDS at most, and 6 GiB more than is in use: the machine stays as it is."""
    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform.startswith("linux"):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 6 * GIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    signal.signal(signal.SIGALRM, before)


def stop(*_: object) -> None:
    raise TooSlow


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("group", range(CASES // GROUP))
def test_damaged_folders(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], group: int
) -> None:
    for number in range(group * GROUP, (group + 1) * GROUP):
        draw = random.Random(number)
        path = tmp_path / f"case{number}"
        shutil.copytree(draw.choice(folders), path)
        done = damaged(path, draw)
        target = ["--target", "un"] if draw.random() < 0.1 else []
        capsys.readouterr()
        signal.alarm(SECONDS)
        try:
            code = run(["inspect", "the cat sat", "-m", str(path), *target])
        except BaseException as error:
            pytest.fail(f"case {number}: {done}: {type(error).__name__}: {error}")
        finally:
            signal.alarm(0)
        out, err = capsys.readouterr()
        said = f"case {number}: {done}: {code} {err}"
        assert code in (0, 1, 2), said
        assert (code == 0) == bool(out), said
        assert not CONTROL.search(out + err), said
        if code:
            lines = err.splitlines()
            assert len(lines[0]) > len("error: "), said
            assert all(line.startswith(("error: ", "hint: ")) for line in lines), said
            assert "does not fit into memory" not in err, said
        shutil.rmtree(path)
