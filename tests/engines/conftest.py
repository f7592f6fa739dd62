"""These tests need vLLM, which is not in the usual environment: `make test-engines` makes one of its own for them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("vllm") else ["test_*.py"]


def pytest_configure(config: pytest.Config) -> None:
    """vLLM leaves a context of ZeroMQ, without sockets, to the garbage collector, which ends it with a warning."""
    config.addinivalue_line("filterwarnings", "ignore:(?i)unclosed context:ResourceWarning")
