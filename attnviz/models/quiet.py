"""Loading without reports: transformers and the Hub client keep silent."""

from __future__ import annotations

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
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    own_bars, hub_bars = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    (enable_progress_bars if bars and hub_bars else disable_progress_bars)()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if own_bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]
            (enable_progress_bars if hub_bars else disable_progress_bars)()
