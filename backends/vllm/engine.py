"""vLLM's engine, started with sensible settings for the machine, in processes of its own, and stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from ...engine.errors import ExtraMissing, PlayactError, SetupError
from ..http_answer import presentable
from ..parameters import refuse_unknown

__all__ = ["started", "stop"]

# Read when vLLM is imported and when its processes start. What the user has set is left as it is.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # its own is stdout, which belongs to the command's results
    "VLLM_NO_USAGE_STATS": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore",
}
_SETTINGS: Mapping[str, object] = {
    "disable_log_stats": True,
    "use_tqdm_on_load": False,
    "scheduling_policy": "priority",
    # Small models that may put space between values of JSON like to do so until their tokens are used up.
    "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
}
# The threads of a model wait for each other by spinning: for so long that most work stands still when they have to
# share their processors with something else; see `llama_server`.
_SPIN_ROUNDS = "10000"
# A worker on a busy machine takes seconds to go by itself; one that is killed leaves shared memory behind.
_STOP_S = 20.0


def started(name: str, model: str, settings: Mapping[str, object]) -> Any:
    """An `AsyncLLM` for `model`, with `settings` as its `AsyncEngineArgs`. Run it in a worker thread: it takes long.

    The environment is afterwards as it was. Raises `ExtraMissing`, `ParameterUnknown`, and `SetupError` with vLLM's
    own words in one line.
    """
    with _environment() as environment, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            vllm = import_module("vllm")
            async_llm = import_module("vllm.v1.engine.async_llm")
            is_cpu = import_module("vllm.platforms").current_platform.is_cpu()
        except ModuleNotFoundError as error:
            raise ExtraMissing(name, "vllm", error.name or "vllm") from error
        except (ImportError, OSError, RuntimeError) as error:  # built for another torch, or a library is not there
            raise SetupError(f"vLLM cannot be loaded: {_one_line(error)}") from error
        known = {field.name for field in fields(vllm.AsyncEngineArgs)}
        refuse_unknown(name, settings, known - {"model"})
        defaults = {**_SETTINGS, **(_for_processors(environment, settings) if is_cpu else {})}
        given = {each: value for each, value in defaults.items() if each in known} | dict(settings)
        try:
            with _left_alone_by_the_terminal():
                return async_llm.AsyncLLM.from_engine_args(vllm.AsyncEngineArgs(model=model, **given))
        except PlayactError:
            raise
        except Exception as error:  # vLLM, transformers, the hub's client and pydantic each have their own
            raise SetupError(f"{name} cannot be started: {_one_line(error)}") from error


def stop(engine: Any) -> None:
    """Ends the engine's processes and waits for them, some seconds; run it in a worker thread."""
    engine.shutdown(timeout=_STOP_S)
    # It would shut itself down once more when it is collected: at the end of the program that may fail, in public.
    engine.shutdown = lambda *_, **__: None
    multiprocessing.active_children()  # takes note of those that have ended, which else stay listed by the system


def _for_processors(environment: dict[str, str], settings: Mapping[str, object]) -> dict[str, object]:
    """Settings where there is no accelerator; into `environment` goes what vLLM reads only there."""
    defaults: dict[str, object] = {
        "enforce_eager": True,  # compiling takes a minute, and pays in long runs only
        # A prompt that is read in parts, of a request that has a seed, has vLLM turn back a generator of random
        # numbers as only those of CUDA can be: on processors it dies of that (0.32).
        "enable_chunked_prefill": False,
    }
    memory = ("kv_cache_memory_bytes", "gpu_memory_utilization")
    if "VLLM_CPU_KVCACHE_SPACE" not in environment and not any(each in settings for each in memory):
        defaults["kv_cache_memory_bytes"] = _available_bytes() // 4  # vLLM itself takes nearly all there is
    is_one_process = all(settings.get(f"{way}_parallel_size", 1) == 1 for way in ("tensor", "pipeline", "data"))
    is_one_node = len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) < 2
    if is_one_process and is_one_node and hasattr(os, "sched_getaffinity"):
        # "auto" keeps one back, which of two is half; unbound threads were a fifth slower.
        processors = ",".join(str(each) for each in sorted(os.sched_getaffinity(0)))
        environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", processors)
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", _SPIN_ROUNDS)
    return defaults


def _available_bytes() -> int:
    return int(import_module("psutil").virtual_memory().available)  # vLLM brings it


@contextmanager
def _environment() -> Iterator[Any]:
    """The process's environment, with our defaults meanwhile; vLLM adds more to it. All is taken back afterwards."""
    before = dict(os.environ)
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        yield os.environ
    finally:
        for variable in set(os.environ) - set(before):
            del os.environ[variable]
        os.environ.update(before)


@contextmanager
def _left_alone_by_the_terminal() -> Iterator[None]:
    """Ctrl-C reaches every process at a terminal. Those that are started here never see it: we stop them, in order."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # else it starts within, and lets the signal through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _one_line(error: BaseException) -> str:
    return presentable(str(error)) or type(error).__name__
