"""What is asked of a run, typed once at the edge and handed through as one value."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.attention.selection import Selection


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to observe, how to read the text, and what the run may take.

    `memory` bounds what is kept, in bytes (None: a quarter of what is free). `bos` forces or
    suppresses the token that begins a sequence, `truncate` cuts a text that is too long,
    `batch_size` texts are run at once. A capture that fails its checks is an error, unless
    `untrusted`.
    """

    selection: Selection = Selection()
    memory: int | None = None
    bos: bool | None = None
    truncate: bool = False
    batch_size: int = 1
    untrusted: bool = False
