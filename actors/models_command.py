"""`playact models`: which backends there are and how they stand; `playact models check`: what a model really does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import anyio

from ..engine.description import Description, Offer
from ..engine.errors import SetupError
from ..engine.settings import Settings, layers
from ..engine.transcript import plain
from .advice import advice_on
from .model_check import Feature, Findings, ModelCheck

__all__ = ["check_model", "list_models"]

_FAILED, _TO_BE_PUT_RIGHT = 1, 2


def list_models(offers: Iterable[Offer], *, as_json: bool = False) -> int:
    """Prints a line for each backend, then the default model and who says so. Raises `SetupError` for bad settings."""
    model = _name(Settings.current())
    origin = next((layer.origin for layer in layers() if "model" in layer.values), "built in")
    offers = sorted(offers, key=lambda offer: offer.name)
    if as_json:
        default = {"model": model, "origin": origin}
        print(json.dumps({"default": default, "backends": [_as_dict(offer) for offer in offers]}, ensure_ascii=False))
        return 0
    rows = [("backend", "packages", "set up"), *map(_row, offers)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, packages, state in rows:
        print(_line(f"{name:<{widths[0]}}  {packages:<{widths[1]}}  {state}"))
    print()
    print(_line(f"default model: {model} ({origin})"))
    return 0


def check_model(model: str, *, timeout_s: float, as_json: bool = False) -> int:
    """Asks a model a few short things and prints what came of it.

    Gives 0; 1 when it was asked and gave no answer, 2 when something must be put right before it can be asked.
    """
    findings = anyio.run(ModelCheck(model, timeout_s=timeout_s).run)
    if as_json:
        print(json.dumps(_found(findings), ensure_ascii=False), flush=True)
    else:
        print("\n".join(map(_line, _lines(findings))), flush=True)
    if findings.error is None:
        return 0
    return _TO_BE_PUT_RIGHT if isinstance(findings.error, SetupError) else _FAILED


def _row(offer: Offer) -> tuple[str, str, str]:
    name = offer.name + "".join(f", {alias}" for alias in offer.aliases)
    description, brought_by = offer.description, offer.distribution and f"by {offer.distribution}"
    if description is None:
        unknown = offer.trouble or f"says nothing of itself; try: playact models check {name}"
        return name, brought_by or "unknown", unknown
    packages = brought_by or ("installed" if description.extra else "none needed")
    wants = description.wants
    if description.missing:
        packages = f"missing: {', '.join(description.missing)}"
        wants = f"pip install 'playact[{description.extra}]'" if description.extra else wants
    facts = ", ".join(f"{fact} {state}" for fact, state in description.facts.items())
    return name, packages, ": ".join(part for part in (facts, wants) if part) or "ready"


def _as_dict(offer: Offer) -> dict[str, Any]:
    description = offer.description or Description()
    return {
        "name": offer.name,
        "aliases": list(offer.aliases),
        "distribution": offer.distribution or "playact",
        "is_described": offer.description is not None,
        "extra": description.extra or None,
        "missing": list(description.missing),
        "facts": dict(description.facts),
        "wants": description.wants or None,
        "trouble": offer.trouble or None,
    }


def _lines(findings: Findings) -> list[str]:
    """For a person."""
    lines = [findings.model]
    if findings.open_s is not None:
        lines.append(_told("opens", f"yes, in {findings.open_s:.2f} s"))
    if findings.latency_s is not None:
        reply = f'"{findings.reply}"' if findings.reply else "no words: it may have spent all its tokens on thoughts"
        lines.append(_told("a short reply", f"{findings.latency_s:.2f} s: {reply}"))
    for name, feature in findings.features.items():
        lines.append(_told(name, _verdict(feature)))
        if name == "streaming" and findings.first_token_s is not None:
            speed = "" if findings.tokens_per_s is None else f", then {findings.tokens_per_s:.3g} tokens/s"
            lines.append(_told("", f"first token after {findings.first_token_s:.2f} s{speed}"))
    if findings.error is not None:
        lines.append(_told("reply" if findings.open_s is not None else "opens", f"no: {_words(findings.error)}"))
        if advice := advice_on(findings.error):
            lines.append(_told("", advice))
    return lines


def _found(findings: Findings) -> dict[str, Any]:
    error = findings.error
    return {
        "model": findings.model,
        "open_s": findings.open_s,
        "latency_s": findings.latency_s,
        "first_token_s": findings.first_token_s,
        "tokens_per_s": findings.tokens_per_s,
        "reply": findings.reply or None,
        "prompt_tokens": findings.usage.prompt_tokens,
        "completion_tokens": findings.usage.completion_tokens,
        "features": {
            name: {"is_seen": feature.is_seen, "detail": feature.detail or None}
            for name, feature in findings.features.items()
        },
        "error": error and {"kind": type(error).__name__, "text": _words(error), "advice": advice_on(error) or None},
    }


def _verdict(feature: Feature) -> str:
    verdict = {True: "yes", False: "no", None: "cannot be told"}[feature.is_seen]
    return f"{verdict}: {feature.detail}" if feature.detail else verdict


def _told(what: str, how: str) -> str:
    return f"  {what:<15}{how}"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _name(settings: Settings) -> str:
    return settings.model if isinstance(settings.model, str) else settings.model.name


def _line(text: str) -> str:
    """Whatever a server said, it stays one line and moves no cursor."""
    return " ".join(plain(text).splitlines())
