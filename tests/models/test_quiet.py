"""What the libraries log while models are loaded and run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

import attnviz
from attnviz.models.loaded import LoadedModel
from attnviz.models.quiet import hushed, quiet

LOG = logging.getLogger("bitsandbytes")


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    before = LOG.level
    LOG.setLevel(logging.NOTSET)
    yield
    LOG.setLevel(before)


@pytest.mark.parametrize("context", [hushed, quiet])
def test_warnings_are_kept_back_inside_only(
    context: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    with context():
        LOG.warning("inside")
        LOG.error("wrong")
    LOG.warning("outside")
    assert caplog.messages == ["wrong", "outside"]
    assert LOG.level == logging.NOTSET


def test_a_level_that_was_chosen_stays() -> None:
    LOG.setLevel(logging.INFO)
    with hushed():
        assert LOG.level == logging.INFO
    assert LOG.level == logging.INFO


def test_a_run_is_hushed(
    loaded: Callable[[str], LoadedModel], caplog: pytest.LogCaptureFixture
) -> None:
    found = loaded("gpt2")
    handle = found.model.register_forward_pre_hook(lambda *_: LOG.warning("cast to float16"))
    attnviz.capture(found, "the cat")
    handle.remove()
    assert "cast to float16" not in caplog.messages
    assert LOG.level == logging.NOTSET
