"""Scenario files: what `playact run` plays, said in YAML."""

from .playbill import Playbill

__all__ = ["Playbill"]
