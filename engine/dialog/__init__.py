"""A dialog and its parts: what a run leaves behind, in the file format of sdialog."""

from .context import Context
from .dialog import Dialog
from .ending import Ending
from .turn import Event, Instruction, Turn

__all__ = ["Context", "Dialog", "Ending", "Event", "Instruction", "Turn"]

for _class in (Context, Dialog, Ending, Event, Instruction, Turn):
    _class.__module__ = __name__  # journals name them so, in whichever file they are
