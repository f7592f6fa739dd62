"""Randomness that repeats: every choice has a seed of its own, made by hashing what the choice is for.

Nothing here is shared or global, so no choice depends on what was chosen before it elsewhere, or when.
"""

from __future__ import annotations

import random
from hashlib import blake2b
from struct import Struct

__all__ = ["derive", "derive_id", "generator"]

_FIRST = Struct(">I")  # the number that a digest begins with
_NOTHING = blake2b(digest_size=16)


def derive(seed: int, *names: str | int) -> int:
    """A seed from 0 to 2**31 - 1 (the range that every engine takes) for the choice that `names` name."""
    first: int = _FIRST.unpack_from(_digest(seed, names))[0]
    return first & 0x7FFFFFFF


def derive_id(seed: int, *names: str | int) -> str:
    """An id in the form of a UUID, the same for the same seed and names."""
    digits = _digest(seed, names).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def generator(seed: int, *names: str | int) -> random.Random:
    """A generator of its own for the choices that `names` name."""
    return random.Random(derive(seed, *names))


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    hashed = _NOTHING.copy()  # two thirds of the time that a new one takes
    hashed.update(repr((seed, *names)).encode())
    return hashed.digest()
