"""Dialogs written down for training, each export with a card that says where it comes from."""

from .card import Source
from .export import Export, Format, export
from .perspective import Chat, Perspective
from .rows import ChatText
from .tally import ExportTally

__all__ = ["Export", "export", "Format", "Perspective", "Chat", "ChatText", "Source", "ExportTally"]
