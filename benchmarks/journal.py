"""What a journal costs: acknowledgements, turns with it on against off, memory, disk, and the start of a resume.

Beside the journal stands what no journal can beat: the same rows into plain SQLite, as durably, and `os.fsync` alone.
Each measurement of turns has a process and a journal of its own; modes take turns within each round, and ratios are
medians over the rounds. The journals are made in `--folder` and removed; it should lie on the disk that is meant.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.chat_endpoint import endpoint
from benchmarks.report import machine, print_table
from playact.actors import Agent, Persona, Scenario
from playact.backends.openai import OpenAIBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import Backend, CompletionRequest, Record, Simulation, Uttered
from playact.engine.budget import Budget
from playact.engine.bus import Bus
from playact.engine.completion import Parameters
from playact.engine.journal import Journal, WriterThread
from playact.engine.journal.entry import encoded_fact
from playact.engine.journal.file import JournalFile

PARTS = ("ack", "turns", "memory", "resume")
MODES = ("off", "on", "budget")
WRITERS = (1, 64, 1000)
OFFERED_PER_S = 10_000  # by 1,000 writers that pause between two facts
BUDGET = Budget(calls=10**12, tokens=10**15)  # never reached, reckoned with at every call
UNFINISHED = 100
FACT = Uttered("Alice", "A large coffee would be lovely, and that cake too; when does the next train leave?")


@dataclass(frozen=True)
class Turns:
    """What one measurement of turns is asked to do; without a `url` the model answers at once, in the process."""

    mode: str
    dialogs: int
    concurrency: int
    url: str = ""
    turns: int = 10


@dataclass(frozen=True)
class Long:
    """A long run, killed when the dialogs that began first are still being played: so all of its log must be read."""

    path: str
    dialogs: int
    turns: int = 6


# -- acknowledgements


async def acknowledged(folder: Path, writers: int, seconds: float, pause_s: float = 0.0) -> dict[str, float]:
    """Facts a second, and how long a writer waits from adding one until it is durable."""
    waits: list[float] = []
    async with Bus("run") as bus:
        file = JournalFile.create(folder / f"ack-{writers}-{pause_s}.db", {})
        try:
            async with Journal(file, bus, WriterThread()) as journal:
                start = time.perf_counter()
                end = start + seconds

                async def writer(number: int) -> None:
                    diary = journal.open_diary(number, f"dialog {number}", number, None, None)
                    await anyio.sleep(random.Random(number).random() * pause_s)
                    while (now := time.perf_counter()) < end:
                        diary.add(Record("run", "dialog", 0, now, FACT))
                        await diary.durable()
                        took = time.perf_counter() - now
                        waits.append(took)
                        if pause_s:
                            await anyio.sleep(max(0.0, pause_s - took))

                async with anyio.create_task_group() as tasks:
                    for number in range(writers):
                        tasks.start_soon(writer, number)
                seconds = time.perf_counter() - start
        finally:
            file.close()
    return {"events_per_s": len(waits) / seconds, **_percentiles(waits)}


def plain_sqlite(folder: Path, batch: int, seconds: float) -> dict[str, float]:
    """The same rows, so many a transaction, by somebody who does nothing else and checks nothing."""
    database = sqlite3.connect(folder / f"plain-{batch}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, dialog, time, kind, body, checksum)")
    kind, body = encoded_fact(FACT)
    waits: list[float] = []
    start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        first = len(waits) * batch
        rows = [(first + n, n, now, kind, body, 123456789) for n in range(batch)]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")
        waits.append(time.perf_counter() - now)
    rate = len(waits) * batch / (time.perf_counter() - start)
    database.close()
    return {"events_per_s": rate, **_percentiles(waits)}


def bare_fsync(folder: Path, seconds: float) -> dict[str, float]:
    """A page and an fsync, again and again."""
    waits: list[float] = []
    start = time.perf_counter()
    with (folder / "fsync").open("wb", buffering=0) as file:
        while (now := time.perf_counter()) < start + seconds:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            waits.append(time.perf_counter() - now)
    return {"events_per_s": len(waits) / (time.perf_counter() - start), **_percentiles(waits)}


def acknowledgements(folder: Path, seconds: float) -> list[dict[str, Any]]:
    loop = {"use_uvloop": True}
    rows: list[dict[str, Any]] = [{"what": "fsync of a page", **bare_fsync(folder, seconds / 2)}]
    for writers in WRITERS:
        plain = plain_sqlite(folder, writers, seconds)
        rows.append({"what": f"plain SQLite, {writers} rows a commit", **plain})
        measured = anyio.run(acknowledged, folder, writers, seconds, backend_options=loop)
        rows.append({"what": f"journal, {writers} writers that never pause", **measured})
    pause_s = WRITERS[-1] / OFFERED_PER_S
    measured = anyio.run(acknowledged, folder, WRITERS[-1], seconds, pause_s, backend_options=loop)
    rows.append({"what": f"journal, {WRITERS[-1]} writers, {OFFERED_PER_S:,}/s offered", **measured})
    return rows


# -- turns


def scenario(turns: int, *names: str) -> Scenario:
    parameters = Parameters(max_tokens=64)
    agents = (Agent(Persona(name=name, role="guest of a cafe"), model_parameters=parameters) for name in names)
    return Scenario(cast=tuple(agents), max_turns=turns)


def line(request: CompletionRequest) -> str:
    return f"This is line {request.sequence} of a talk about coffee, cake and trains."


async def played(asked: Turns, folder: Path) -> dict[str, float]:
    model: Backend = OpenAIBackend("any", base_url=asked.url, api_key="none") if asked.url else ScriptedBackend(line)
    simulation = Simulation(
        model=model,
        concurrency=asked.concurrency,
        seed=1,
        tune_collector=True,
        journal=None if asked.mode == "off" else folder / "turns.db",
        budget=BUDGET if asked.mode == "budget" else None,
    )
    scenarios = [scenario(asked.turns, "Alice", "Bob")] * asked.dialogs
    async with simulation:
        cpu, clock = time.process_time(), time.perf_counter()
        async for dialog in simulation.run(scenarios):
            assert len(dialog) == asked.turns, dialog.ending
        seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    turns = asked.dialogs * asked.turns
    return {"turns_per_s": turns / seconds, "cpu_us_per_turn": cpu / turns * 1e6}


def turns_on_and_off(folder: Path, dialogs: int, rounds: int, rounds_over_http: int) -> list[dict[str, Any]]:
    rows = []
    with endpoint() as address:
        for what, url, concurrency, count, times in (
            ("at once", "", 256, dialogs, rounds),
            ("after 0.2 s, over HTTP", f"{address}/after/200/v1", 1000, dialogs, rounds_over_http),
            ("after 0.1 to 0.3 s, over HTTP", f"{address}/around/200/v1", 1000, dialogs, rounds_over_http),
        ):
            measured: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
            for _ in range(times):
                for mode in MODES:
                    asked = Turns(mode, count, concurrency, url)
                    measured[mode].append(in_a_fresh_process(folder, "turns", asdict(asked)))
            for mode in MODES:
                pairs = zip(measured[mode], measured["off"], strict=True)
                rows.append(
                    {
                        "model answers": what,
                        "live": concurrency,
                        "journal": mode if mode != "budget" else "on, and a budget",
                        **{name: statistics.median(one[name] for one in measured[mode]) for name in measured[mode][0]},
                        "share_of_off": statistics.median(on["turns_per_s"] / off["turns_per_s"] for on, off in pairs),
                    }
                )
    return rows


# -- a long run: memory, disk, and what is left to resume


async def long_run(asked: Long) -> None:
    """Plays all but the first dialogs to their end, prints what it took, and is killed."""
    samples: list[int] = []
    stuck = 0
    all_stuck = anyio.Event()

    async def stay(request: CompletionRequest) -> str:
        nonlocal stuck
        if request.sequence == 2:
            stuck += 1
            if stuck == UNFINISHED:
                all_stuck.set()
            await anyio.sleep_forever()
        return line(request)

    def answer(request: CompletionRequest) -> Any:
        return stay(request) if "Carol" in request.messages[0].text else line(request)

    scenarios = chain(
        repeat(scenario(asked.turns, "Alice", "Carol"), UNFINISHED),
        repeat(scenario(asked.turns, "Alice", "Bob"), asked.dialogs),
    )
    model = ScriptedBackend(answer)
    async with Simulation(
        model=model, journal=asked.path, concurrency=256 + UNFINISHED, seed=1, tune_collector=True
    ) as simulation:
        run, start = simulation.run(scenarios), time.perf_counter()
        for number in range(1, asked.dialogs + 1):
            dialog = await anext(run)
            assert len(dialog) == asked.turns, dialog.ending
            if number % (asked.dialogs // 10) == 0:
                samples.append(_resident())
        seconds = time.perf_counter() - start
        await all_stuck.wait()
        files = Path(asked.path).parent.glob(f"{Path(asked.path).name}*")
        size = sum(file.stat().st_size for file in files if not file.name.endswith("-shm"))
        print(json.dumps({"resident": samples, "seconds": seconds, "size": size}), flush=True)
        os._exit(0)  # as a kill would


def memory_and_disk(long: Long, measured: dict[str, Any]) -> list[dict[str, Any]]:
    samples, step = measured["resident"], long.dialogs // 10
    # The first tenths are warming up: caches fill, and the allocator has its pools.
    places = [step * (place + 1) for place in range(len(samples))][2:]
    slope = statistics.linear_regression(places, samples[2:]).slope
    turns = long.dialogs * long.turns
    rows = [
        {"what": f"MiB resident after {step * (place + 1):,} dialogs", "value": size / 2**20}
        for place, size in enumerate(samples)
    ]
    return [
        *rows,
        {
            "what": "MiB that 100,000 dialogs more would take, by the slope since the third",
            "value": slope * 1e5 / 2**20,
        },
        {"what": f"turns/s, {long.turns} turns a dialog", "value": turns / measured["seconds"]},
        {"what": "bytes of disk a dialog", "value": measured["size"] / long.dialogs},
        {"what": "bytes of disk a turn", "value": measured["size"] / turns},
    ]


async def resumed(path: Path) -> dict[str, float]:
    """Seconds until the first dialog asks its model, and until all that were left are over."""
    first: list[float] = []

    def answer(request: CompletionRequest) -> str:
        first.append(time.perf_counter())
        return line(request)

    start = time.perf_counter()
    async with Simulation.resume(path, model=ScriptedBackend(answer)) as simulation:
        count = 0
        async for dialog in simulation.run():
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
            count += 1
        assert count == UNFINISHED, count
    return {"first": first[0] - start, "all": time.perf_counter() - start}


# -- the script


def in_a_fresh_process(folder: Path, part: str, asked: dict[str, Any]) -> dict[str, Any]:
    with _empty_folder(folder) as own:
        command = [sys.executable, __file__, "--measure", part, "--asked", json.dumps(asked), "--folder", str(own)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{part} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure(part: str, asked: dict[str, Any], folder: Path) -> None:
    loop = {"use_uvloop": True}
    if part == "turns":
        print(json.dumps(anyio.run(played, Turns(**asked), folder, backend_options=loop)))
    elif part == "memory":
        anyio.run(long_run, Long(**asked), backend_options=loop)
    else:
        print(json.dumps(anyio.run(resumed, Path(asked["path"]), backend_options=loop)))


def tables(parts: Sequence[str], folder: Path, *, is_quick: bool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if "ack" in parts:
        yield "ack", acknowledgements(folder, 1.0 if is_quick else 5.0)
    if "turns" in parts:
        yield "turns", turns_on_and_off(folder, 1000 if is_quick else 2000, *((1, 1) if is_quick else (3, 3)))
    if "memory" in parts or "resume" in parts:
        with _empty_folder(folder) as own:
            long = Long(str(own / "long.db"), 10_000 if is_quick else 100_000)
            measured = in_a_fresh_process(folder, "memory", asdict(long))
            if "memory" in parts:
                yield "memory", memory_and_disk(long, measured)
            if "resume" in parts:
                took = in_a_fresh_process(folder, "resume", {"path": long.path})
                finished = f"{long.dialogs:,} dialogs are over, {UNFINISHED} are not: seconds until"
                yield (
                    "resume",
                    [
                        {"what": f"{finished} the first plays", "value": took["first"]},
                        {"what": f"{finished} all are over", "value": took["all"]},
                    ],
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, of: %(default)s")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the journals are made")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="shorter, with 10,000 dialogs, under a minute")
    parser.add_argument("--measure", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--asked", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, json.loads(options.asked), options.folder)
        return
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    about = machine("pydantic", "orjson", "uvloop") | {"sqlite": sqlite3.sqlite_version}
    with _empty_folder(options.folder) as folder:
        results = {}
        for part, rows in tables(parts, folder, is_quick=options.quick):
            results[part] = rows
            if not options.json:
                print(f"\n{part}")
                print_table(rows, about)
    if options.json:
        print(json.dumps(results | {"machine": about}))


@contextmanager
def _empty_folder(inside: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="playact-journal-", dir=inside) as name:
        yield Path(name)


def _percentiles(waits: list[float]) -> dict[str, float]:
    waits.sort()
    return {f"p{share}_ms": waits[min(len(waits) * share // 100, len(waits) - 1)] * 1e3 for share in (50, 99)}


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    main()
