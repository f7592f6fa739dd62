"""One life of an MCP server, through the `mcp` package: started or reached, asked what it offers, called, ended."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import anyio

from ..engine.errors import ExtraMissing, SetupError
from .mcp_server import MCPServer

if TYPE_CHECKING:
    from mcp import types
    from mcp.client import Client
    from mcp.client._transport import TransportStreams

__all__ = ["Offer", "Session", "opened"]

_PAGES = 100  # of a list of tools; a list that never ends must not hang a run
_CONNECTING_S = 30.0


class Offer(NamedTuple):
    """A tool as its server describes it."""

    name: str
    description: str
    schema: Mapping[str, object]


class Session:
    """A server that is open. A call raises `ConnectionError` when it breaks off, and from then on."""

    def __init__(self, client: Client, offers: tuple[Offer, ...]) -> None:
        self.offers = offers
        self._client = client
        self._calls: set[anyio.CancelScope] = set()
        self._is_over = False

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """The tool's answer, or error, as text."""
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED

        with anyio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                if not self._is_over:
                    return _text(await self._client.call_tool(tool, arguments))
            except MCPError as error:
                if error.code != CONNECTION_CLOSED:
                    return f"Error: {error.message}"
            finally:
                self._calls.discard(scope)
        raise ConnectionError

    def end(self) -> None:
        """Some ways of breaking off leave those who wait for an answer waiting, so they are told."""
        self._is_over = True
        for scope in self._calls:
            scope.cancel()


@asynccontextmanager
async def opened(server: MCPServer) -> AsyncIterator[Session]:
    """Raises `SetupError` when the server does not get ready, `ExtraMissing` when the package is not here."""
    try:
        from mcp.client import Client
    except ImportError as error:  # also the package's first edition, which had none
        raise ExtraMissing(str(server), "mcp", "mcp") from error
    session: Session | None = None
    with tempfile.TemporaryFile() as told:  # on its standard error: no screen is ours to write on
        try:
            # The deadline is lifted, not left: a scope must not be left before what was entered within it.
            with anyio.CancelScope(deadline=anyio.current_time() + server.start_timeout_s) as starting:
                async with _transport(server, told) as transport, Client(transport, cache=None) as client:
                    session = Session(client, await _offers(client))
                    starting.deadline = math.inf
                    try:
                        yield session
                    finally:
                        session.end()
        except Exception as error:
            if session is not None or isinstance(error, SetupError):
                raise
            raise SetupError(f"{server} cannot be opened: {_reason(error, told)}") from error
    if starting.cancelled_caught:
        raise SetupError(f"{server} was not ready within {server.start_timeout_s:g} s")


@asynccontextmanager
async def _transport(
    server: MCPServer, told: IO[bytes]
) -> AsyncIterator[AbstractAsyncContextManager[TransportStreams]]:
    if server.url is None:
        from mcp.client.stdio import StdioServerParameters, stdio_client

        command, *arguments = server.command
        env = server.filled_in(server.env)
        errors: Any = told  # only its file number is used
        yield stdio_client(StdioServerParameters(command=command, args=arguments, env=env, cwd=server.cwd), errors)
    else:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        async def note(response: httpx2.Response) -> None:
            if response.is_error:  # the package does not tell which it was
                told.write(f"HTTP {response.status_code} {response.reason_phrase}\n".encode())

        http_client = httpx2.AsyncClient(
            headers=server.filled_in(server.headers),
            timeout=httpx2.Timeout(_CONNECTING_S, read=None),  # calls have a time limit of their own
            event_hooks={"response": [note]},
        )
        async with http_client:
            yield streamable_http_client(server.url, http_client=http_client)


async def _offers(client: Client) -> tuple[Offer, ...]:
    tools: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tuple(Offer(tool.name, tool.description or tool.title or "", tool.input_schema) for tool in tools)


def _text(result: types.CallToolResult) -> str:
    text = "\n".join(_as_text(piece) for piece in result.content)
    if not result.content and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    return f"Error: {text}" if result.is_error else text


def _as_text(piece: types.ContentBlock) -> str:
    match piece.type:
        case "text":
            return piece.text
        case "resource_link":
            return str(piece.uri)
        case "resource":
            return str(getattr(piece.resource, "text", f"[{piece.resource.uri}, which is no text]"))
    return f"[{piece.mime_type}, which is no text]"


def _reason(error: BaseException, told: IO[bytes]) -> str:
    """What the server said last, else the innermost error, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    told.seek(0)
    lines = told.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    strerror = error.strerror if isinstance(error, OSError) else None
    reason = " ".join(str(strerror or error or type(error).__name__).split())
    return f"{reason}; it said: {last}" if last else reason
