"""The library's log: structured events to Python's own logging under "playact", which the application sets up."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

__all__ = ["logger"]


@cache
def logger() -> Any:
    """A structlog logger. Made at the first event, since importing structlog takes as long as all of the engine."""
    import structlog

    return structlog.wrap_logger(
        logging.getLogger("playact"),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
