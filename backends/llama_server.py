"""llama.cpp's server inside this process: listens on loopback with a key of its own, and is gone when it is stopped.

What stays behind is llama.cpp's one idle thread for logging, which lives as long as the process.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["LlamaServer"]

# The model's threads wait for each other by spinning. When something else keeps a processor busy, as a second model
# does, most of their time goes into that: 8 requests on 2 processors, one of them busy, got 28 tokens/s with libgomp's
# own 300,000 rounds and 84 with these, which cost 2 % when nothing else runs.
_SPIN_ROUNDS = "10000"
# One step of the model takes in no more new prompt than this. Nothing can be cancelled or stopped within a step: with
# llama.cpp's own 2048, stopping took up to 2.6 s here, for the same throughput.
_STEP_TOKENS = 512
_LONGEST_WAIT_S = 1.5
_LOOK_S = 0.02
_FIRST_WORD_S = 30.0
_THINKING = ("<think>", "enable_thinking", "reasoning_effort")  # in the chat template of a model that can


class LlamaServer:
    """One model, `slots` requests at a time. Making one loads the model, in seconds: do it in a worker thread.

    `takes_tools` and `thinks` say whether its chat template knows how. Raises `ImportError` when xllamacpp, or what it
    needs of the system, is missing, and `RuntimeError` when the file is not a model.
    """

    def __init__(self, weights: Path, *, slots: int, context_tokens: int, threads: int) -> None:
        xllamacpp = _xllamacpp()
        self.key = secrets.token_urlsafe()
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(weights)
        parameters.hostnames = ["127.0.0.1"]
        parameters.api_keys = [self.key]
        parameters.n_parallel = slots
        parameters.n_ctx = context_tokens * slots  # shared out to the slots
        parameters.n_batch = _STEP_TOKENS
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        parameters.endpoint_metrics = True  # how `stop` sees that nothing is left to do
        parameters.ui = False
        parameters.verbosity = -1  # prints nothing, not even errors: those come as replies
        self._server: Any = xllamacpp.Server(parameters)
        self.address: str = self._server.listening_address
        try:
            about = json.loads(self._told("/props", _FIRST_WORD_S))
        except (OSError, HTTPException, ValueError) as error:
            raise RuntimeError(f"its server says nothing of itself: {error}") from error
        template = about.get("chat_template", "")
        self.takes_tools: bool = about.get("chat_template_caps", {}).get("supports_tools", False)
        self.thinks = any(word in template for word in _THINKING)

    def stop(self) -> None:
        """Ends the server's threads and frees its memory. First close all connections; run it in a worker thread.

        The server sees within a second that those who asked are gone. It is let go only then, since xllamacpp waits for
        its threads without letting any other Python code run.
        """
        until = time.monotonic() + _LONGEST_WAIT_S
        while self._is_busy() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._server = None  # it stops when nobody holds it any longer

    def _told(self, path: str, timeout_s: float) -> str:
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=timeout_s)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def _is_busy(self) -> bool:
        try:
            metrics = self._told("/metrics", _LONGEST_WAIT_S)
        except (OSError, HTTPException):
            return False
        return not all(f"llamacpp:requests_{state} 0\n" in metrics for state in ("processing", "deferred"))


def _xllamacpp() -> Any:
    """The package, imported with a spin limit for its threads, unless the user has set one; libgomp reads it once."""
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return import_module("xllamacpp")
    os.environ["GOMP_SPINCOUNT"] = _SPIN_ROUNDS
    try:
        return import_module("xllamacpp")
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)  # nothing that we start is to inherit it
