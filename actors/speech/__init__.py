"""What a turn may be beside words for all: asides, actions, thoughts; and who hears which of them."""

from .asides import Asides
from .channel import Channel
from .earshot import Earshot, Hearing
from .manner import Manner

__all__ = ["Asides", "Channel", "Earshot", "Hearing", "Manner"]
