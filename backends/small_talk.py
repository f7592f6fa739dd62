"""Sentences that fit most conversations, for a model that is none."""

from __future__ import annotations

import json
import random
from hashlib import blake2b

from ..engine.completion import CompletionRequest
from .small_talk_form import made_up

__all__ = ["LONGEST", "small_talk"]

_OPENINGS = (
    "Hello there, nice to see you.",
    "Good morning, how are you today?",
    "Hi, I was hoping you would have a moment.",
    "Oh, hello, what brings you here?",
)
_MIDDLES = (
    "That sounds good to me.",
    "I had not thought of it that way.",
    "Could you tell me a little more about it?",
    "It took me a while to get used to it.",
    "Honestly, I would do the same in your place.",
    "My neighbour said the very thing last week.",
    "There is no hurry, take your time.",
    "I am not sure, but I can find out.",
    "We tried that once and it went rather well.",
    "You would be surprised how often that happens.",
    "It depends a great deal on the weather.",
    "I like the first idea better than the second.",
    "Let me see what we can do about it.",
    "That is kind of you to say.",
    "I have been wondering about that all morning.",
    "Most people here would agree with you.",
    "It was much easier when I was younger.",
    "What would you choose, if it were up to you?",
    "I can only speak for myself, of course.",
    "The small ones are usually the best.",
    "Somebody ought to write that down.",
    "I will keep it in mind for next time.",
    "It is closer than it looks on the map.",
    "How long have you been doing this?",
    "I would rather wait until tomorrow.",
    "Everything tastes better after a long walk.",
    "I promised my sister that I would ask.",
    "Two of them would be plenty.",
    "I never know which one to take.",
    "You have a good eye for these things.",
    "It is the same price as last year.",
    "I heard the train is late again.",
)
_FAREWELLS = (
    "Well, I should be going. Goodbye!",
    "Thank you for everything. Take care!",
    "It was lovely talking to you. Goodbye!",
    "I will see you next week, then. Bye!",
)
LONGEST = max(len(sentence.split()) for sentence in (*_OPENINGS, *_MIDDLES, *_FAREWELLS))  # in words
_PATIENCE = 5


def small_talk(request: CompletionRequest) -> str:
    """An opening, then middles, then after some turns a farewell; chosen by the request's seed, dialog and sequence.

    A request for a form has one, which makes as little sense.
    """
    key = f"{request.seed} {request.dialog} {request.sequence}"
    if request.response_schema is not None:
        return json.dumps(made_up(request.response_schema, random.Random(key)), separators=(",", ":"))
    luck = int.from_bytes(blake2b(key.encode(), digest_size=4).digest(), "big")
    own_turns = sum(message.role == "assistant" for message in request.messages)
    last = request.messages[-1].text
    if own_turns == 0 and not any(message.role == "user" and message.text in _OPENINGS for message in request.messages):
        return _OPENINGS[luck % len(_OPENINGS)]
    if last in _FAREWELLS or (own_turns >= _PATIENCE and luck % 4 == 0):
        return _FAREWELLS[luck % len(_FAREWELLS)]
    return _MIDDLES[luck % len(_MIDDLES)]
