"""Every condition playact raises: one base class, then one class a condition.

Each error keeps typed fields, builds its own message, says what to do next, and pickles: `args` are the constructor's
arguments.
"""

from __future__ import annotations

from difflib import get_close_matches

__all__ = [
    "PlayactError",
    "ActorError",
    "ActorStopped",
    "CircularAsk",
    "UnhandledMessage",
    "SimulationClosed",
    "BackendError",
    "BackendUnavailable",
    "BackendOverloaded",
    "BackendRefused",
    "ReplyInvalid",
    "ReplyUnfit",
    "ReplyEmpty",
    "ScriptExhausted",
    "SetupError",
    "UnknownBackend",
    "ExtraMissing",
    "ParameterUnknown",
    "KeyMissing",
    "WeightsMissing",
    "FileInvalid",
    "PromptInvalid",
    "SettingInvalid",
    "JournalInvalid",
    "JournalBusy",
    "JournalUnwritable",
    "CodeMissing",
    "ReplayDiverged",
    "PriceUnknown",
    "DialogStopped",
    "EndRecorded",
    "BudgetSpent",
    "TooManyFailures",
    "DialogFailed",
    "AttributeUnfit",
    "GenerationIncomplete",
]


class PlayactError(Exception):
    """The base of every error that playact raises on purpose."""


class ActorError(PlayactError):
    """Something is wrong between actors."""


class ActorStopped(ActorError):
    """A message was sent to an actor that has stopped."""

    def __init__(self, actor: str) -> None:
        super().__init__(actor)
        self.actor = actor

    def __str__(self) -> str:
        return f"{self.actor} has stopped and takes no more messages"


class CircularAsk(ActorError):
    """An actor asked, over others, itself: waiting would never end."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(cycle)
        self.cycle = cycle

    def __str__(self) -> str:
        return f"circular ask: {' -> '.join(self.cycle)}; use tell for one of these steps"


class UnhandledMessage(ActorError):
    """An actor got a message that it has no handler for."""

    def __init__(self, actor: str, message: str) -> None:
        super().__init__(actor, message)
        self.actor = actor
        self.message = message

    def __str__(self) -> str:
        return f"{self.actor} has no handler for {self.message}; mark one with @handles({self.message})"


class SimulationClosed(PlayactError):
    """A simulation was used before it was entered or after it was left."""

    def __str__(self) -> str:
        return "this simulation is not open; use it inside `async with Simulation(...) as sim:`"


class BackendError(PlayactError):
    """A model call gave no usable reply; `may_have_cost` says whether it may have to be paid for all the same."""

    may_have_cost = False

    def __init__(self, backend: str, reason: str) -> None:
        super().__init__(backend, reason)
        self.backend = backend
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.backend}: {self.reason}"


class BackendUnavailable(BackendError):
    """The model could not be reached, broke off or took too long; asking again may help.

    `may_have_cost` is False when the model cannot have begun to think.
    """

    def __init__(self, backend: str, reason: str, may_have_cost: bool = True) -> None:
        super().__init__(backend, reason)
        self.args = (backend, reason, may_have_cost)
        self.may_have_cost = may_have_cost


class BackendOverloaded(BackendError):
    """The model said to come back later."""

    def __init__(self, backend: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(backend, reason)
        self.args = (backend, reason, retry_after_s)
        self.retry_after_s = retry_after_s


class BackendRefused(BackendError):
    """The model will not answer this request however often it is asked: wrong key, unknown model, bad parameter."""


class ReplyInvalid(BackendError):
    """The backend answered with something that is not a reply."""

    may_have_cost = True


class ReplyUnfit(ReplyInvalid):
    """A model kept answering in another form than was asked for; `reason` is what was wrong the last time."""

    def __init__(self, backend: str, reason: str, agent: str = "", attempts: int = 1) -> None:
        super().__init__(backend, " ".join(reason.split()))
        self.args = (backend, self.reason, agent, attempts)
        self.agent = agent
        self.attempts = attempts

    def __str__(self) -> str:
        whose = f"{self.agent}'s reply" if self.agent else "the reply"
        return (
            f"{self.backend}: {whose} did not fit its response_schema {self.attempts} times, "
            f"at last so: {self.reason}; make the schema simpler, raise max_tokens or take a larger model"
        )


class ReplyEmpty(PlayactError):
    """An agent's model kept answering with no words at all."""

    def __init__(self, agent: str, attempts: int) -> None:
        super().__init__(agent, attempts)
        self.agent = agent
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.agent}'s model gave an empty reply {self.attempts} times; raise max_tokens or change the prompt"


class ScriptExhausted(PlayactError):
    """A scripted backend was asked for more replies than it was given."""

    def __init__(self, replies: int) -> None:
        super().__init__(replies)
        self.replies = replies

    def __str__(self) -> str:
        return f"the script's {self.replies} replies are used up; give it more, or a callable"


class SetupError(PlayactError):
    """Something must be put right before a run can start; the message is one line and says what."""


class UnknownBackend(SetupError):
    """A model string names a backend that is not installed."""

    def __init__(self, model: str, known: tuple[str, ...]) -> None:
        super().__init__(model, known)
        self.model = model
        self.known = known

    def __str__(self) -> str:
        name, colon, rest = self.model.partition(":")
        close = get_close_matches(name, self.known, 1)
        meant = f'did you mean "{close[0]}{colon}{rest}"? If not, ' if close else ""
        known = ", ".join(self.known)
        return f'unknown backend in model "{self.model}"; {meant}say one of {known}, as in "openai:gpt-4.1"'


class ExtraMissing(SetupError):
    """A backend needs packages that are not installed."""

    def __init__(self, backend: str, extra: str, package: str) -> None:
        super().__init__(backend, extra, package)
        self.backend = backend
        self.extra = extra
        self.package = package

    def __str__(self) -> str:
        return f"{self.backend} needs the package {self.package}: pip install 'playact[{self.extra}]'"


class ParameterUnknown(SetupError):
    """A backend was given a parameter that it does not know."""

    def __init__(self, backend: str, parameter: str, known: tuple[str, ...]) -> None:
        super().__init__(backend, parameter, known)
        self.backend = backend
        self.parameter = parameter
        self.known = known

    def __str__(self) -> str:
        close = get_close_matches(self.parameter, self.known, 1)
        hint = f"did you mean {close[0]}?" if close else f"it knows {', '.join(sorted(self.known)) or 'none'}"
        return f"{self.backend} knows no parameter {self.parameter}; {hint}"


class KeyMissing(SetupError):
    """A service wants a key and none is set."""

    def __init__(self, backend: str, variable: str) -> None:
        super().__init__(backend, variable)
        self.backend = backend
        self.variable = variable

    def __str__(self) -> str:
        return f"{self.backend} needs a key: set the environment variable {self.variable}"


class WeightsMissing(SetupError):
    """The embedded model's weights are not on this machine."""

    def __init__(self, weights: str) -> None:
        super().__init__(weights)
        self.weights = weights

    def __str__(self) -> str:
        return f"the weights of {self.weights} are not here yet: run `playact models fetch` (about 100 MB, once)"


class FileInvalid(SetupError):
    """A file does not hold what it should; says where and what."""

    def __init__(self, path: str, line: int | None, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.reason}"


class PromptInvalid(SetupError):
    """A template of a prompt cannot be used, or not be filled in; `line` counts from 1, where it is known."""

    def __init__(self, name: str, line: int | None, reason: str) -> None:
        super().__init__(name, line, reason)
        self.name = name
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        where = "" if self.line is None else f", line {self.line}"
        return f"prompt template {self.name}{where}: {self.reason}"


class SettingInvalid(SetupError):
    """A setting is none, or not of the right kind; `place` is where it was said, `key` empty where that says it too."""

    def __init__(self, place: str, key: str, reason: str) -> None:
        super().__init__(place, key, reason)
        self.place = place
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place}: `{self.key}` {self.reason}" if self.key else f"{self.place} {self.reason}"


class JournalInvalid(SetupError):
    """A journal cannot be used: it is none, is damaged, or was made by another version; says what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class JournalBusy(SetupError):
    """Another process plays the run of this journal."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(path, holder)
        self.path = path
        self.holder = holder

    def __str__(self) -> str:
        return f"{self.path} is in use by {self.holder}; wait until it ends, or watch it with `playact status`"


class JournalUnwritable(SetupError):
    """The journal can take no more, as on a full disk; all that was acknowledged is in it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.reason}; put that right, then go on with `playact resume {self.path}`"


class CodeMissing(SetupError):
    """A journal's scenarios use Python code, which a journal names but never holds or imports."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names

    def __str__(self) -> str:
        names = ", ".join(self.names)
        if any("<" in name for name in self.names):
            return f"the scenarios use {names}, which no name tells apart; give them again, as in run(scenarios)"
        return (
            f"the scenarios use {names}; give the functions and classes themselves, "
            "as in Simulation.resume(path, code=[...]), or the scenarios again, as in run(scenarios)"
        )


class ReplayDiverged(PlayactError):
    """A replay came to a question that the journal holds no answer to, or to another dialog than is in it."""

    def __init__(self, dialog: str, call: int | None = None) -> None:
        super().__init__(dialog, call)
        self.dialog = dialog
        self.call = call

    def __str__(self) -> str:
        what = f"dialog {self.dialog}" if self.call is None else f"call {self.call} of dialog {self.dialog}"
        return (
            f"{what} is not as it is in the journal: "
            "the code has changed, or an orchestrator or tool goes by more than the dialog"
        )


class DialogStopped(PlayactError):
    """A dialog ends here, and it is nobody's failure."""


class EndRecorded(DialogStopped):
    """A replay came to where the dialog broke off when it was played: it ends in the same way."""

    def __init__(self, reason: str, detail: str, error: str | None = None) -> None:
        super().__init__(reason, detail, error)
        self.reason = reason
        self.detail = detail
        self.error = error


class PriceUnknown(SetupError):
    """A cap on money needs the price of every model, and one is not known."""

    def __init__(self, model: str, similar: tuple[str, ...] = ()) -> None:
        super().__init__(model, similar)
        self.model = model
        self.similar = similar

    def __str__(self) -> str:
        known = f" (known are {', '.join(self.similar)})" if self.similar else ""
        return (
            f"the price of {self.model} is not known{known}, so no cap on money can hold; "
            f'give it in a file, --prices FILE: {{"models": {{"{self.model}": {{"input": 1, "output": 2}}}}}}, '
            "in US dollars for a million tokens"
        )


class BudgetSpent(DialogStopped):
    """A model call would exceed a cap, of the run or of its dialog alone, even if nothing else were under way.

    `left` is what is left below the cap, `needed` the most that the call could take, in the cap's unit; both are empty
    for a cap on seconds.
    """

    def __init__(self, cap: str, is_of_run: bool = True, left: str = "", needed: str = "") -> None:
        super().__init__(cap, is_of_run, left, needed)
        self.cap = cap
        self.is_of_run = is_of_run
        self.left = left
        self.needed = needed

    def __str__(self) -> str:
        if not self.needed or self.left == "0":
            return f"the budget of {self.cap} is spent; go on with a higher cap"
        advice = "raise the cap"
        if not self.cap.partition(" ")[2].startswith("call"):
            advice += ", or set a lower max_tokens"
        return (
            f"the budget of {self.cap} does not allow another call: "
            f"{self.left} is left, and one may take up to {self.needed}; {advice}"
        )


class TooManyFailures(PlayactError):
    """So many dialogs failed that going on would be a waste."""

    def __init__(self, failed: int, begun: int, reason: str) -> None:
        super().__init__(failed, begun, reason)
        self.failed = failed
        self.begun = begun
        self.reason = reason

    def __str__(self) -> str:
        return f"stopped since {self.failed} of {self.begun} dialogs begun have failed, most often so: {self.reason}"


class DialogFailed(PlayactError):
    """A dialog that was asked for by itself could not be finished; what was said until then is in `dialog`."""

    def __init__(self, dialog: object, reason: str) -> None:
        super().__init__(dialog, reason)
        self.dialog = dialog
        self.reason = reason

    def __str__(self) -> str:
        return f"the dialog failed: {self.reason}"


class AttributeUnfit(PlayactError):
    """A rule gave an attribute a value that its class does not take."""

    def __init__(self, kind: str, attribute: str, reason: str) -> None:
        super().__init__(kind, attribute, reason)
        self.kind = kind
        self.attribute = attribute
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.kind}.{self.attribute}" if self.attribute else self.kind
        return f"{where}: {self.reason}; change the rule that gives it"


class GenerationIncomplete(PlayactError):
    """Not all could be generated that was asked for; what could is in `made`.

    `short` says of which: the attributes that a population gives them (none without one), and how many are missing.
    """

    def __init__(self, made: tuple[object, ...], asked: int, short: tuple[tuple[str, int], ...], reason: str) -> None:
        super().__init__(made, asked, short, reason)
        self.made = made
        self.asked = asked
        self.short = short
        self.reason = reason

    def __str__(self) -> str:
        missing = sum(count for _, count in self.short)
        cells = ", ".join(f"{count} of {cell}" for cell, count in self.short if cell)
        which = f" ({cells})" if cells else ""
        return f"{missing} of {self.asked} could not be generated{which}, at last so: {self.reason}"
