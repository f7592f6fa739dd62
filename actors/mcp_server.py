"""A server of tools that speaks the Model Context Protocol: how it is started or reached."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from hashlib import blake2b
from string import Template
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..engine.errors import SetupError

__all__ = ["MCPServer"]


def _words(value: Any) -> Any:
    """A command as one would type it, or its words."""
    if isinstance(value, str):
        return tuple(shlex.split(value))
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MCPServer:
    """Tools for agents, as in `Agent(tools=[MCPServer(command=["uvx", "mcp-server-time"])])`.

    A run opens it at its first use, once for all dialogs, and closes it at its end. Two that are equal are one.

    command: what starts it, to be spoken to over its standard input and output; it ends with the run. Or
    url: where it listens, by the streamable HTTP transport.
    name: goes before the names of its tools, as in `time_convert` of a server named "time".
    env: its environment beyond PATH, HOME and the like. headers: sent with every request to a URL. In both `$NAME`
        stands for a variable of our own environment, so that no key need be written down.
    cwd: the folder that a command runs in.
    timeout_s: how long one call may take; None for what the agent sets. start_timeout_s: how long until it is ready.

    When it stops or breaks off, the call under way becomes an error that the model reads, and the next call opens it
    once more; after a second time it stays closed for the run.
    """

    command: Annotated[str | Sequence[str], BeforeValidator(_words)] = ()
    _: KW_ONLY
    url: str | None = None
    name: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    timeout_s: Annotated[float | None, Field(gt=0)] = None
    start_timeout_s: Annotated[float, Field(gt=0)] = 30.0

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.url):
            raise ValueError('an MCP server has either a command, as in ["uvx", "mcp-server-time"], or a url')

    def __str__(self) -> str:
        """Without what may be secret: nothing of its environment, its headers, or its address but the host."""
        return f"the MCP server {self.name or self.host or self.command[0]}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2] if self.url else ""

    @property
    def fingerprint(self) -> str:
        """Tells servers apart that are not equal, and tells nothing else."""
        return blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def filled_in(self, texts: Mapping[str, str]) -> dict[str, str]:
        """`env` or `headers` with our environment's values in them. Raises `SetupError` for what is not set there."""
        try:
            return {name: Template(text).substitute(os.environ) for name, text in texts.items()}
        except KeyError as error:
            raise SetupError(f"{self} needs the environment variable {error.args[0]}") from error
        except ValueError as error:
            raise SetupError(f"{self}: {error}; $$ stands for a dollar sign") from error
