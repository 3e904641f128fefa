"""How the model is loaded, and what a run may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attnviz.cli.options.panels import MODEL

if TYPE_CHECKING:
    from attnviz.attention.selection import Selection
    from attnviz.cli.options.input import Reading
    from attnviz.cli.source import LoadRequest
    from attnviz.runs.request import RunRequest


@dataclass(frozen=True)
class Loading:
    """How the model is loaded and run."""

    adapter: Annotated[
        str | None,
        MODEL.value(
            "ADAPTER",
            "Apply this adapter of peft, a folder or Hub id; none leaves out the one that "
            "lies with the model (needs the extra peft).",
        ),
    ] = None
    revision: Annotated[
        str | None,
        MODEL.value("REV", "Branch, tag or commit of a Hub model."),
    ] = None
    device: Annotated[str, MODEL.value("NAME", "auto, cpu, cuda, cuda:1 or mps.")] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        MODEL.value(
            "DTYPE",
            "Precision of the weights: float32, bfloat16, float16, or auto for the checkpoint's.",
        ),
    ] = "auto"
    trust_remote_code: Annotated[
        bool,
        MODEL.flag("--trust-remote-code", "Run code from the model's repository on this machine."),
    ] = False
    offline: Annotated[
        bool,
        MODEL.flag("--offline", "Use only what is in the local cache."),
    ] = False
    anatomy: Annotated[
        Path | None,
        MODEL.value(
            "FILE",
            "Facts of a class that attnviz does not know, as NAME = VALUE in a .toml file: "
            'heads = "n_chunks".',
        ),
    ] = None
    memory: Annotated[
        str | None,
        MODEL.value(
            "SIZE",
            "Memory for what is kept, such as 4GiB or 4G (GB is decimal): whole maps, else "
            "pooled maps and top keys, else pooled maps, else scores. Default: a quarter of what "
            "is free.",
        ),
    ] = None
    plan: Annotated[
        bool,
        MODEL.flag("--plan", "Say what would be kept, what that takes and how long, and stop."),
    ] = False

    def load_request(self, name: str | None) -> LoadRequest:
        """What is asked of loading the model of this name."""
        from attnviz.cli.source import LoadRequest
        from attnviz.models.anatomy.handed import read_anatomy

        return LoadRequest(
            name,
            self.device,
            self.dtype,
            self.revision,
            self.trust_remote_code,
            self.offline,
            adapter=self.adapter,
            anatomy=None if self.anatomy is None else read_anatomy(self.anatomy),
        )

    def run_request(
        self, selection: Selection | None = None, reading: Reading | None = None
    ) -> RunRequest:
        """What is asked of a run. Raises UsageError for a memory that is no size."""
        from attnviz.attention.selection import Selection
        from attnviz.runs.memory import bytes_of
        from attnviz.runs.request import RunRequest

        asked: dict[str, Any] = {}
        if reading is not None:
            asked = {"bos": reading.bos, "truncate": reading.truncate}
            asked["batch_size"] = reading.at_once
        return RunRequest(
            selection or Selection(),
            bytes_of(self.memory, "--memory"),
            **asked,
        )


@dataclass(frozen=True)
class Placing(Loading):
    """How the model is loaded, where its weights lie, and how it is run."""

    device_map: Annotated[
        Literal["auto", "balanced", "sequential"] | None,
        MODEL.value(
            "HOW",
            "Spread a large model over devices and main memory: auto, balanced or sequential "
            "(needs the extra big).",
        ),
    ] = None
    quantize: Annotated[
        Literal["8bit", "4bit"] | None,
        MODEL.value("BITS", "Load the weights in 8bit or 4bit (needs the extra quantize)."),
    ] = None

    def load_request(self, name: str | None) -> LoadRequest:
        """What is asked of loading the model of this name."""
        asked = super().load_request(name)
        return replace(asked, device_map=self.device_map, quantize=self.quantize)


@dataclass(frozen=True)
class Running(Placing):
    """How the model is loaded and run, and whether a run is shown that fails its checks."""

    untrusted: Annotated[
        bool,
        MODEL.flag(
            "--untrusted",
            "Show a capture that fails its checks too; cells that are no numbers look so.",
        ),
    ] = False

    def run_request(
        self, selection: Selection | None = None, reading: Reading | None = None
    ) -> RunRequest:
        """What is asked of a run. Raises UsageError for a memory that is no size."""
        return replace(super().run_request(selection, reading), untrusted=self.untrusted)
