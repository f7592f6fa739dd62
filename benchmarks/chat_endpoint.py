"""A chat-completions endpoint that costs next to nothing, to measure clients against; it runs in a process of its own.

It says the same words to everybody, `/after/200/v1` after 200 ms, `/around/200/v1` after 100 to 300 ms. It reads no
more of a request than its length.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import cast

_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "any",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "%d: a large coffee would be lovely, and that cake too."},
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 14, "total_tokens": 134},
    }
)


@contextmanager
def endpoint() -> Iterator[str]:
    """Starts the endpoint and gives its address, `http://127.0.0.1:PORT`; ends it afterwards."""
    command = [sys.executable, "-m", "benchmarks.chat_endpoint"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


class _Connection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, replies: Iterator[int]) -> None:
        self._loop = loop
        self._replies = replies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, separator, rest = self._received.partition(b"\r\n\r\n")
            if not separator:
                return
            length = _content_length(head)
            if len(rest) < length:
                return
            self._received = rest[length:]
            delay_s = _delay_s(head)
            if delay_s:
                self._loop.call_later(delay_s, self._reply)
            else:
                self._reply()

    def _reply(self) -> None:
        if self._transport.is_closing():
            return
        body = (_BODY % next(self._replies)).encode()  # other words each time, lest the dialogs look like loops
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


def _delay_s(head: bytes) -> float:
    _, how, *rest = head.split(b" ", 2)[1].split(b"/")
    if how not in (b"after", b"around"):
        return 0.0
    return int(rest[0]) / 1000 * (1.0 if how == b"after" else random.uniform(0.5, 1.5))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    replies = count(1)
    server = await loop.create_server(lambda: _Connection(loop, replies), "127.0.0.1", 0, backlog=8192)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
