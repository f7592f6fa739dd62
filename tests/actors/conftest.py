"""The server that counts, for tests of the command."""

from __future__ import annotations

from tests.durability.conftest import expected, place, server

__all__ = ["expected", "place", "server"]
