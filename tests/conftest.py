"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from playact.engine.settings import Settings

settings.register_profile(
    "playact", deadline=None
)  # how long an example takes says more of the machine than of the code
settings.load_profile("playact")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_user() -> Iterator[None]:
    """What whoever runs the tests has set for runs of their own; also for the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(f"PLAYACT_{name.upper()}", raising=False)
        patch.setenv("PLAYACT_SETTINGS", os.devnull)
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Tests marked `anyio` run on both event loops."""
    return str(request.param)
