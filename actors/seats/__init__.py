"""Who takes a seat from outside: a person at the terminal, a system under test."""

from .cast import Cast
from .human_seat import HumanSeat
from .proxy_agent import ProxyAgent

__all__ = ["Cast", "HumanSeat", "ProxyAgent"]
