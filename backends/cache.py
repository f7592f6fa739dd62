"""Replies kept in a file: the same question to the same model costs no second call.

Nothing that was asked is in the file: a question is a key there, a digest of all that shapes its reply.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import fields, is_dataclass, replace
from hashlib import blake2b
from pathlib import Path

import anyio
import anyio.to_thread

from ..engine.completion import Backend, Completion, CompletionRequest, Delta, StreamingBackend
from ..engine.errors import BackendRefused, PlayactError, SetupError
from ..engine.log import logger
from ..engine.wrappers import CacheMode
from .cache_file import CacheFile, is_for_now

__all__ = ["CachedBackend", "key_of"]

_FORM = "playact reply 1"  # another form of key finds nothing that was kept under this one
_KEY_SIZE = 32
_MOST_UNWRITTEN = 10_000
_BATCH = 500
_TRIES = 30  # of about a second each, while another process writes


class CachedBackend:
    """A backend around a backend, under its name, that knows again what was asked before.

    mode: "use" asks the backend for what is not kept; "record" asks for everything, and keeps the newest reply;
        "replay" never asks, needs no backend that could be opened, and refuses what is not kept.

    Only replies are kept, never failures. A full disk costs what cannot be kept, not the call. Two calls at once that
    ask the same are both made, and the first reply to be kept stays. Servers that mean different models by one name
    must not share a file.
    """

    def __init__(self, backend: Backend, path: str | Path, *, mode: CacheMode = "use") -> None:
        self.name = backend.name
        self.capabilities = backend.capabilities
        self._backend = backend
        self._path = Path(path)
        self._mode = mode
        self._file: CacheFile | None = None
        self._writer: _Writer | None = None
        self._written = 0, 0  # how many replies were stored, and lost, by the time it was closed
        self._hits = 0
        self._misses = 0

    async def open(self) -> None:
        """Makes the file if there is none, but to replay. Raises `FileInvalid`, and as the backend's own `open`.

        A backend that cannot be opened, for want of a key, leaves no file behind that was not there.
        """
        if self._file is not None:
            return
        if self._mode != "replay":
            await self._backend.open()
        self._file = await anyio.to_thread.run_sync(self._open_file)
        if self._mode != "replay":
            self._writer = _Writer(self._file, replaces=self._mode == "record")

    def recall(self, request: CompletionRequest) -> Completion | None:
        """The reply that is kept, as one that costs nothing.

        Read at once, in the caller's own task: that takes some 20 µs, a worker thread several times as long. Raises
        `FileInvalid` when the file is damaged, `SetupError` for a parameter that no JSON can say.
        """
        if self._mode == "record":
            return None
        return self._kept(self._key(request))

    async def complete(self, request: CompletionRequest) -> Completion:
        """The reply that is kept, else the backend's. Raises `BackendRefused` in a replay that has none."""
        key = self._key(request)
        if self._mode != "record" and (kept := self._kept(key)) is not None:
            return kept
        self._ask(request, key)
        completion = await self._backend.complete(request)
        self._keep(key, completion)
        return completion

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`. What is kept comes in one delta, as does all of a backend that has no streams."""
        key = self._key(request)
        completion = None if self._mode == "record" else self._kept(key)
        if completion is None:
            self._ask(request, key)
        if completion is None and isinstance(self._backend, StreamingBackend):
            async with aclosing(self._backend.stream(request)) as deltas:
                async for delta in deltas:
                    if delta.completion is not None:
                        self._keep(key, delta.completion)
                    yield delta
            return
        if completion is None:
            completion = await self._backend.complete(request)
            self._keep(key, completion)
        yield Delta(completion.text, completion.thinking)
        yield Delta(completion=completion)

    async def aclose(self) -> None:
        """Writes what is not written yet, and closes the backend."""
        writer, self._writer = self._writer, None
        file, self._file = self._file, None
        with anyio.CancelScope(shield=True):
            if self._mode != "replay":
                await self._backend.aclose()
            if writer is not None:
                await anyio.to_thread.run_sync(writer.close)
                self._written = writer.stored, writer.lost
            if file is not None:
                await anyio.to_thread.run_sync(file.close)

    def statistics(self) -> Mapping[str, int]:
        """How many requests had a reply here and how many not, how many replies were kept now, and how many lost."""
        stored, lost = self._written if self._writer is None else (self._writer.stored, self._writer.lost)
        return {"hits": self._hits, "misses": self._misses, "stored": stored, "lost": lost}

    def _open_file(self) -> CacheFile:
        return CacheFile(self._path, is_read_only=self._mode == "replay")

    def _key(self, request: CompletionRequest) -> bytes:
        return key_of(request, self.name, getattr(self._backend, "defaults", None))

    def _kept(self, key: bytes) -> Completion | None:
        if self._file is None:
            raise PlayactError(f"the cache of {self.name} is not open; use it between open() and aclose()")
        fresh = None if self._writer is None else self._writer.unwritten.get(key)
        completion = self._file.get(key) if fresh is None else fresh
        if completion is None:
            return None
        self._hits += 1
        return replace(completion, is_cached=True)

    def _keep(self, key: bytes, completion: Completion) -> None:
        if self._writer is not None and not completion.is_cached:
            self._writer.add(key, replace(completion, calls=1))

    def _ask(self, request: CompletionRequest, key: bytes) -> None:
        """The backend is to be asked. Raises `BackendRefused` when it must not be."""
        if self._file is None:
            raise PlayactError(f"the cache of {self.name} is not open; use it between open() and aclose()")
        self._misses += 1
        if self._mode == "replay":
            call = f"call {request.sequence} of dialog {request.dialog}" if request.dialog else "this request"
            raise BackendRefused(self.name, f"{self._path} has no reply to {call} (key {key.hex()[:16]})")

    def __repr__(self) -> str:
        state = "closed" if self._file is None else "open"
        return f"<CachedBackend {self._backend!r} in {self._path} {state} {self._hits} hits, {self._misses} misses>"


def key_of(request: CompletionRequest, backend: str, defaults: object = None) -> bytes:
    """All that shapes a reply, as a digest that is the same in every process; who asks, and how often, is not in it.

    `defaults`: how the backend samples where the request does not say so. Raises `SetupError` for what no JSON can say.
    """
    asked = {
        "backend": backend,
        "model": request.model,
        "messages": request.messages,
        "parameters": request.parameters,
        "seed": request.seed,
        "tools": [[tool.name, tool.description, tool.parameters] for tool in request.tools],
        "schema": request.response_schema,
        "think": request.think,
        "defaults": defaults,
    }
    try:
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"a cache cannot tell this request from others, {error}; leave the cache out"
        raise SetupError(f"{backend}: {reason}") from None
    return blake2b(f"{_FORM}\n{text}".encode(), digest_size=_KEY_SIZE).digest()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is no JSON")


class _Writer:
    """A thread that writes replies into the file, together what came together; it is over when it is closed.

    `unwritten` are those that it has yet to write, so that they are known already.
    """

    def __init__(self, file: CacheFile, *, replaces: bool) -> None:
        self.unwritten: dict[bytes, Completion] = {}
        self.stored = 0
        self.lost = 0
        self._file = file
        self._replaces = replaces
        self._has_failed = False
        self._is_closing = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"cache {file.path}", daemon=True)
        self._thread.start()

    def add(self, key: bytes, completion: Completion) -> None:
        """Never waits for a disk: what is more than may wait for it is lost."""
        with self._news:
            if len(self.unwritten) < _MOST_UNWRITTEN:
                self.unwritten[key] = completion
                self._news.notify()
                return
        self._lose(1, "the disk is too slow")

    def close(self) -> None:
        """Returns when all is written that can be; for another process that writes it does not wait long."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        tries = 0
        while True:
            with self._news:
                while not self.unwritten and not self._is_closing:
                    self._news.wait()
                batch = list(self.unwritten.items())[:_BATCH]
            if not batch:
                return
            try:
                self._file.put(batch, replaces=self._replaces)
            except Exception as error:  # whatever it is, no call fails for it
                tries += 1
                if is_for_now(error) and tries < _TRIES and not self._is_closing:
                    continue
                self._lose(len(batch), str(error))
            else:
                self.stored += len(batch)
            tries = 0
            with self._news:
                for key, completion in batch:
                    if self.unwritten.get(key) is completion:
                        del self.unwritten[key]

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        if not self._has_failed:
            self._has_failed = True
            logger().warning("cache.unwritable", cache=str(self._file.path), error=reason, hint="calls go on without")
