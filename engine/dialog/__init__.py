"""A dialog and its parts: what a run leaves behind, in the file format of sdialog."""

from .context import Context
from .dialog import Dialog
from .ending import Ending
from .metadata import Metadata
from .turn import Event, Instruction, Turn

__all__ = ["Context", "Dialog", "Ending", "Event", "Instruction", "Metadata", "Turn"]
