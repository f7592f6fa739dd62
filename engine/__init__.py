"""What happens to a message: the actor runtime and the data it carries."""

from .actor import Actor, ActorRef, OnFailure, Supervision, handles
from .attributes import AttributeModel, BaseAttributeModel
from .breaker import Breaker
from .budget import Budget, Caps, Prices
from .bus import Bus
from .clock import Clock, RealClock, VirtualClock, virtual_time
from .completion import (
    Backend,
    Capabilities,
    Completion,
    CompletionRequest,
    Message,
    Parameters,
    ToolCall,
    ToolSpec,
    Usage,
)
from .dialog import Context, Dialog, Ending, Event, Instruction, Turn
from .errors import PlayactError
from .failures import FailurePolicy
from .messages import (
    ActorFailed,
    CallRetried,
    Carried,
    CircuitClosed,
    CircuitOpened,
    Consulted,
    DeadLetter,
    DialogEnded,
    DialogStarted,
    EndMarked,
    Fact,
    FlawFound,
    Forked,
    Generated,
    Instructed,
    Noted,
    PaceSlowed,
    Record,
    ReplyRejected,
    ReplyRepaired,
    Request,
    SpeakerChosen,
    Thought,
    ToolCalled,
    ToolReturned,
    Uttered,
)
from .metadata import Metadata
from .pace import Pace
from .performance import Performance, Playable
from .program.archive import dialogs_in, digest_in
from .reading import read_dialogs
from .retry import Retry
from .run import Run
from .script import run
from .seeds import derive, derive_id, generator
from .settings import Settings, defaults, llm
from .simulation import Simulation
from .statistics import Statistics
from .wrappers import Cache, Hedge

__all__ = [
    "Simulation",
    "Run",
    "Statistics",
    "run",
    "Settings",
    "defaults",
    "llm",
    "Dialog",
    "Turn",
    "Event",
    "Context",
    "Instruction",
    "Ending",
    "AttributeModel",
    "BaseAttributeModel",
    "Metadata",
    "Record",
    "Fact",
    "DialogStarted",
    "Consulted",
    "Noted",
    "Instructed",
    "Thought",
    "ReplyRejected",
    "ReplyRepaired",
    "ToolCalled",
    "ToolReturned",
    "FlawFound",
    "Uttered",
    "SpeakerChosen",
    "EndMarked",
    "Generated",
    "Carried",
    "Forked",
    "DialogEnded",
    "CallRetried",
    "PaceSlowed",
    "CircuitOpened",
    "CircuitClosed",
    "ActorFailed",
    "DeadLetter",
    "Actor",
    "ActorRef",
    "Request",
    "handles",
    "Supervision",
    "OnFailure",
    "Bus",
    "Backend",
    "Capabilities",
    "Completion",
    "CompletionRequest",
    "Message",
    "Parameters",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "Retry",
    "Cache",
    "Hedge",
    "Pace",
    "Breaker",
    "FailurePolicy",
    "Budget",
    "Caps",
    "Prices",
    "dialogs_in",
    "read_dialogs",
    "digest_in",
    "Clock",
    "RealClock",
    "VirtualClock",
    "virtual_time",
    "Performance",
    "Playable",
    "derive",
    "derive_id",
    "generator",
    "PlayactError",
]
