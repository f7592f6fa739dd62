"""The `playact` command."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

from ..engine.errors import SetupError
from ..engine.transcript import plain
from .arguments import add_commands

if TYPE_CHECKING:
    from ..engine.budget import Budget
    from ..engine.completion import Parameters
    from ..engine.exports import ChatText
    from ..engine.settings import Values

__all__ = ["main"]

USAGE_ERROR = 2
READER_GONE = 141  # what a shell says of a command that a closed pipe ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Gives 0; 1 when a dialog failed, 2 for what the user must put right, 3 when the budget is spent, 130 after Ctrl-C.

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
        return _COMMANDS[options.command](options)
    except SetupError as error:
        from .playbill.casting import CastUnpaid
        from .session import BUDGET_SPENT

        code = _refused(str(error))
        return BUDGET_SPENT if isinstance(error, CastUnpaid) else code
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
    add_commands(parser)
    return parser


def _new(options: argparse.Namespace) -> int:
    from .new_command import new, new_prompts, print_schema

    if options.prompts is not None:
        return new_prompts(options.prompts, overwrites=options.force)
    return print_schema() if options.schema else new(options.path, options.template, overwrites=options.force)


def _run(options: argparse.Namespace) -> int:
    from .run_command import RunCommand

    if options.pilot and not options.dry_run:
        return _refused("--pilot is for a forecast: say --dry-run too")
    command = RunCommand(
        file=options.file,
        dialogs=options.dialogs,
        model=options.model,
        model_parameters=_sampling(options),
        asking=_asking(options),
        concurrency=options.concurrency,
        seed=options.seed,
        max_turns=options.max_turns,
        out=options.out,
        overwrites=options.overwrite,
        is_ordered=options.ordered,
        journal=options.journal,
        budget=_budget(options),
        prices=options.prices,
        stop_share=options.stop_share,
        is_dry=options.dry_run,
        pilot=options.pilot or 0,
        as_json=options.as_json,
        is_quiet=options.quiet,
    )
    return command.run()


def _resume(options: argparse.Namespace) -> int:
    from .resume_command import ResumeCommand

    command = ResumeCommand(
        journal=options.journal,
        dialogs=options.dialogs,
        retries_failed=options.retry_failed,
        concurrency=options.concurrency,
        asking=_asking(options),
        out=options.out,
        overwrites=options.overwrite,
        budget=_caps(options),
        prices=options.prices,
        as_json=options.as_json,
        is_quiet=options.quiet,
    )
    return command.run()


def _status(options: argparse.Namespace) -> int:
    from .status_command import status

    return status(options.journal, stuck_after_s=options.stuck_after, as_json=options.as_json)


def _replay(options: argparse.Namespace) -> int:
    from .replay_command import ReplayCommand

    command = ReplayCommand(
        journal=options.journal,
        out=options.out,
        overwrites=options.overwrite,
        as_json=options.as_json,
        is_quiet=options.quiet,
    )
    return command.run()


def _fork(options: argparse.Namespace) -> int:
    from .fork_command import ForkCommand

    command = ForkCommand(
        file=options.file,
        id=options.id,
        turn=options.turn,
        scenario=options.scenario,
        dialogs=options.dialogs,
        model=options.model,
        model_parameters=_sampling(options),
        asking=_asking(options),
        seed=options.seed,
        max_turns=options.max_turns,
        out=options.out,
        overwrites=options.overwrite,
        journal=options.journal,
        budget=_budget(options),
        prices=options.prices,
        as_json=options.as_json,
        is_quiet=options.quiet,
    )
    return command.run()


def _export(options: argparse.Namespace) -> int:
    from .export_command import ExportCommand

    command = ExportCommand(
        source=options.source,
        format=options.format,
        out=options.out,
        assistant=options.assistant,
        system=options.system,
        opening=options.opening,
        thoughts=options.thoughts,
        advice=options.advice,
        tokenizer=options.tokenizer,
        keeps_failed=options.failed,
        overwrites=options.overwrite,
        is_quiet=options.quiet,
        template=_template,
    )
    return command.run()


def _template(tokenizer: str | None) -> ChatText:
    from ..backends.tokenizer import template_named

    return template_named(tokenizer)


def _show(options: argparse.Namespace) -> int:
    from .show_command import show

    return show(options.file, options.id, is_all=options.all)


def _simtest(options: argparse.Namespace) -> int:
    from .simtest_command import SimtestCommand

    seeds = range(options.first, options.first + options.seeds)
    return SimtestCommand(options.file, seeds, options.seed, options.jobs, as_json=options.as_json).run()


def _models(options: argparse.Namespace) -> int:
    from ..backends.registry import offers
    from .models_command import list_models

    return list_models(offers(), as_json=options.as_json)


def _check(options: argparse.Namespace) -> int:
    from .models_command import check_model

    return check_model(options.model, timeout_s=options.timeout, as_json=options.as_json)


def _fetch(_: argparse.Namespace) -> int:
    from ..backends.weights import fetch_weights

    print(fetch_weights(lambda line: print(line, file=sys.stderr)))
    return 0


_COMMANDS = {
    "new": _new,
    "run": _run,
    "resume": _resume,
    "status": _status,
    "replay": _replay,
    "fork": _fork,
    "export": _export,
    "show": _show,
    "simtest": _simtest,
    "models": _models,
    "check": _check,
    "fetch": _fetch,
}


def _sampling(options: argparse.Namespace) -> Parameters:
    from ..engine.completion import Parameters

    return Parameters(temperature=options.temperature, max_tokens=options.max_tokens)


def _asking(options: argparse.Namespace) -> Values:
    return {
        "in_flight": options.in_flight,
        "requests_per_minute": options.rpm,
        "tokens_per_minute": options.tpm,
        "reply_cache": options.cache,
        "hedge": options.hedge,
    }


def _caps(options: argparse.Namespace) -> dict[str, Any] | None:
    """The caps that were asked for, in the form of `Budget.from_dict`."""
    each = {} if options.dialog_budget is None else {"per_dialog": options.dialog_budget}
    return {**(options.budget or {}), **each} or None


def _budget(options: argparse.Namespace) -> Budget | None:
    from ..engine.budget import Budget

    caps = _caps(options)
    return None if caps is None else Budget.from_dict(caps)
