"""Loading and running without reports: the libraries keep silent."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet(*, bars: bool = False) -> Iterator[None]:
    """For as long as it is open, loading prints nothing; with `bars`, downloads show theirs.

    What the user had set is restored afterwards.
    """
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging as reports

    verbosity = reports.get_verbosity()
    own_bars, hub_bars = reports.is_progress_bar_enabled(), not are_progress_bars_disabled()
    reports.set_verbosity_error()  # type: ignore[no-untyped-call]
    reports.disable_progress_bar()  # type: ignore[no-untyped-call]
    (enable_progress_bars if bars and hub_bars else disable_progress_bars)()
    try:
        with hushed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        reports.set_verbosity(verbosity)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if own_bars:
                reports.enable_progress_bar()  # type: ignore[no-untyped-call]
            (enable_progress_bars if hub_bars else disable_progress_bars)()


@contextmanager
def hushed() -> Iterator[None]:
    """For as long as it is open, bitsandbytes logs errors only, unless the user chose its level.

    It warns at every layer of every run.
    """
    log = logging.getLogger("bitsandbytes")
    if log.level != logging.NOTSET:
        yield
        return
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)
