"""The requests that vLLM's engine has under way for us."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio

from ...engine.errors import BackendUnavailable
from .reply import failure_of

__all__ = ["Calls"]


class Calls:
    """Hands requests to `engine`, an `AsyncLLM`, and takes back those that nobody waits for any longer."""

    def __init__(self, backend: str, engine: Any, timeout_s: float) -> None:
        self._backend = backend
        self._engine = engine
        self._timeout_s = timeout_s
        self._orders_by_age = engine.vllm_config.scheduler_config.policy == "priority"
        self._ids: set[str] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._ids)

    async def outputs(self, tokens: list[int], parameters: Any, age: int) -> AsyncGenerator[Any, None]:
        """vLLM's outputs for one request; it leaves the engine when this generator is left, however that comes."""
        if self._is_closed:
            raise self._closed()
        call = f"{id(parameters):x}"  # which lives as long as the call
        outputs = self._engine.generate(
            {"type": "token", "prompt_token_ids": tokens},
            parameters,
            call,
            priority=age if self._orders_by_age else 0,
        )
        deadline = anyio.current_time() + self._timeout_s
        is_finished = False
        self._ids.add(call)
        try:
            while not is_finished:
                output = await self._next(outputs, deadline)
                is_finished = output.finished
                yield output
        finally:
            self._ids.discard(call)
            with anyio.CancelScope(shield=True):
                await outputs.aclose()
                if not is_finished:
                    await self._engine.abort(call)

    async def give_up(self) -> None:
        """Ends all: each has its last output at once, and takes no other."""
        self._is_closed = True
        await self._engine.abort(tuple(self._ids))

    async def _next(self, outputs: AsyncGenerator[Any, None], deadline: float) -> Any:
        with anyio.CancelScope(deadline=deadline):
            try:
                output = await anext(outputs)
            except Exception as error:
                raise failure_of(self._backend, error) from error
            if output.outputs[0].finish_reason == "abort":
                raise self._closed()
            return output
        raise BackendUnavailable(self._backend, f"no reply within {self._timeout_s:g} s")

    def _closed(self) -> BackendUnavailable:
        return BackendUnavailable(self._backend, "the backend was closed during the call")
