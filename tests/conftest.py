"""What every test starts from."""

from __future__ import annotations

import os

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No network, no cache of this machine, no colours or widths from its terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "ATTNVIZ_MODEL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "huggingface"))
    monkeypatch.setenv("TERM", "xterm-256color")


def pytest_report_header() -> str:
    """The versions that decide what the tests see."""
    import numpy
    import transformers

    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return f"{versions}, numpy {numpy.__version__}, {os.cpu_count()} cores"
