"""A small MCP server, in a process of its own: over standard input and output, or with `http` over HTTP on loopback.

STARTED in its environment names a file that gets a line at each start.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("small", instructions="For tests.")
CALLS: list[str] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    CALLS.append("add")
    return a + b


@server.tool()
def greet(name: str) -> str:
    """Greets someone."""
    return f"Grüezi, {name}! 🎉"


@server.tool()
def who() -> list[str]:
    """Says which process this is, and what it was told in its environment and called before."""
    return [str(os.getpid()), os.environ.get("GREETING", ""), *CALLS]


@server.tool()
def fails() -> str:
    """Fails."""
    raise LookupError("nothing found")


@server.tool()
async def hangs() -> str:
    """Never answers."""
    await anyio.sleep_forever()
    return ""


@server.tool()
def dies() -> str:
    """Ends the server in the middle of the call."""
    os._exit(3)


def main() -> None:
    if started := os.environ.get("STARTED"):
        with Path(started).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if "slow" in sys.argv:
        time.sleep(60)  # a server that never gets ready
    if "http" not in sys.argv:
        server.run("stdio")
        return
    with socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "0")))) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)  # tells the test where it is
        app = server.streamable_http_app()
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    main()
