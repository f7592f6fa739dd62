"""What MCP servers offer, as tools: each server is opened once a run, and once more where it broke off."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from ..engine.completion import ToolSpec
from ..engine.errors import SetupError
from ..engine.resources import Resources
from .mcp_server import MCPServer
from .mcp_session import Offer, Session, opened
from .tools import Toolbox

__all__ = ["with_servers"]

_LIVES = 2
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")  # in names, by the services that models are asked at
_LONGEST_NAME = 64


async def with_servers(toolbox: Toolbox, resources: Resources) -> Toolbox:
    """The toolbox with what its servers offer.

    Raises `SetupError` when one cannot be opened or two tools have one name, `ExtraMissing` without the package `mcp`.
    """
    tools: list[_ServersTool] = []
    for server in toolbox.servers:
        tools += await resources.get((f"tools of {server}", server.fingerprint), partial(_offered, server, resources))
    return toolbox.and_also(tools)


class _Link:
    """A run's way to a server, over both of its lives."""

    def __init__(self, server: MCPServer, resources: Resources) -> None:
        self.server = server
        self._resources = resources
        self._life = 0

    async def session(self) -> Session:
        return await self._resources.get(
            (f"life {self._life} of {self.server}", self.server.fingerprint), partial(opened, self.server)
        )

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """A call under way when the server breaks off is not made again: it may have done its work."""
        life = self._life
        if life >= _LIVES:
            return f"Error: {self.server} has stopped"
        try:
            session = await self.session()
            return await session.call(tool, arguments)
        except ConnectionError:
            self._life = max(self._life, life + 1)
            return f"Error: {self.server} broke off"
        except SetupError as error:  # it does not come up again
            self._life = _LIVES
            return f"Error: {error}"


class _ServersTool:
    is_final = False

    def __init__(self, link: _Link, offer: Offer) -> None:
        prefix = link.server.name
        name = _FORBIDDEN.sub("_", f"{prefix}_{offer.name}" if prefix else offer.name)[:_LONGEST_NAME]
        self.spec = ToolSpec(name, offer.description, offer.schema)
        self.timeout_s = link.server.timeout_s
        self._name = offer.name
        self._link = link

    async def call(self, arguments: str) -> str:
        try:
            given = json.loads(arguments)
        except ValueError as error:
            return f"Error: the arguments are not JSON: {error}"
        if not isinstance(given, dict):
            return "Error: the arguments are not a JSON object"
        return await self._link.call(self._name, given)


@asynccontextmanager
async def _offered(server: MCPServer, resources: Resources) -> AsyncIterator[list[_ServersTool]]:
    link = _Link(server, resources)
    session = await link.session()
    yield [_ServersTool(link, offer) for offer in session.offers]
