"""How vLLM's engine comes and goes: what is wrong is one line, and what is closed leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.registry import backend_named
from playact.backends.vllm import VLLMBackend
from playact.engine import Parameters, Simulation
from playact.engine.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    ExtraMissing,
    ParameterUnknown,
    PlayactError,
    SetupError,
)
from tests.backends.engine_contract import asking
from tests.engines.engine import SMALL, a_vllm, processes

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(900)]

ENDLESS = asking("Tell a very long story.", max_tokens=1500, ignore_eos=True)


async def ended(backend: VLLMBackend) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await backend.complete(ENDLESS)
    return caught.value


async def test_closing_ends_requests_in_flight_and_leaves_nothing() -> None:
    environment = dict(os.environ)

    async with asyncio.TaskGroup() as tasks, a_vllm() as backend:
        assert dict(os.environ) == environment
        calls = [tasks.create_task(ended(backend)) for _ in range(40)]  # more than its batch takes
        async with aclosing(backend.stream(ENDLESS)) as deltas:
            await anext(deltas)
            await backend.aclose()
            with pytest.raises(BackendUnavailable, match="closed during the call"):
                async for _ in deltas:
                    pass

    assert all(isinstance(call.result(), BackendUnavailable) for call in calls)
    assert processes() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert dict(os.environ) == environment
    with pytest.raises(PlayactError, match="closed"):
        await backend.complete(ENDLESS)


async def test_the_death_of_the_engine_ends_calls_and_is_said_clearly_from_then_on() -> None:
    async with a_vllm() as backend:
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(ended(backend)) for _ in range(4)]
            async with aclosing(backend.stream(ENDLESS)) as deltas:
                await anext(deltas)
            (process,) = processes()
            assert process is not None
            os.kill(process, signal.SIGKILL)

        assert all(isinstance(call.result(), BackendUnavailable) for call in calls)
        with pytest.raises(BackendRefused, match="the engine has died"):
            await backend.complete(ENDLESS)

    assert processes() == []


async def test_whole_dialogs_are_played_on_it_side_by_side_and_share_what_was_computed() -> None:
    persona = "loves long walks, old maps, and rain on a tin roof; never in a hurry, always a story at hand; " * 6
    cast = (Agent(Persona(name="Ann", personality=persona)), Agent(Persona(name="Ben", personality=persona)))
    backend = VLLMBackend(engine=SMALL, defaults=Parameters(max_tokens=24))

    async with Simulation(model=backend, seed=3) as simulation:
        dialogs = [dialog async for dialog in simulation.run([Scenario(cast=cast, max_turns=4)] * 20)]
        statistics = simulation.statistics()

    assert len(dialogs) == 20
    assert all(dialog.ending and not dialog.ending.failed for dialog in dialogs)
    assert all(turn.text for dialog in dialogs for turn in dialog)
    assert statistics.cached_tokens > statistics.prompt_tokens / 4
    assert backend.statistics()["cached_tokens"] == statistics.cached_tokens
    assert processes() == []


async def test_an_unknown_model_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(SetupError, match="no-such-model") as refusal:
        await backend_named("vllm:nobody/no-such-model").open()

    assert len(str(refusal.value).splitlines()) == 1


async def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be started") as refusal:
        await VLLMBackend.from_name(str(tmp_path)).open()

    assert len(str(refusal.value).splitlines()) == 1


async def test_an_engine_argument_that_vllm_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(ParameterUnknown, match=r"max_model_length.*did you mean max_model_len"):
        await VLLMBackend(engine={"max_model_length": 2048}).open()


async def test_an_engine_argument_of_no_sense_is_one_line() -> None:
    with pytest.raises(SetupError, match="max_model_len") as refusal:
        await VLLMBackend(engine={"max_model_len": -5}).open()

    assert len(str(refusal.value).splitlines()) == 1


async def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "vllm", None)

    with pytest.raises(ExtraMissing, match=r"pip install 'playact\[vllm\]'"):
        await VLLMBackend().open()


async def test_it_says_when_it_is_not_open() -> None:
    with pytest.raises(PlayactError, match="not open yet"):
        await VLLMBackend().complete(ENDLESS)
