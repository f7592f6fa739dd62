"""One thing played by itself, in a run that is there or in one of its own."""

from __future__ import annotations

from ...engine.completion import Backend
from ...engine.dialog import Dialog
from ...engine.errors import DialogFailed
from ...engine.performance import Playable
from ...engine.simulation import Simulation

__all__ = ["played"]


async def played(playable: Playable, simulation: Simulation | None, model: str | Backend | None) -> Dialog:
    """Raises `DialogFailed`, with what there is, and `SetupError` when the model cannot be used."""
    if simulation is not None:
        dialog = await simulation.play(playable)
    else:
        async with Simulation(model=model, seed=playable.seed, concurrency=1) as own:
            dialog = await own.play(playable)
    if dialog.ending is None or dialog.ending.failed or dialog.ending.reason in ("budget", "cancelled"):
        reason = "it was not finished" if dialog.ending is None else dialog.ending.error or dialog.ending.reason
        raise DialogFailed(dialog, reason)
    return dialog
