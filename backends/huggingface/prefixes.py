"""What was computed for texts that are over, kept for texts that begin the same: a tree of token runs, within a limit.

A dialog's next turn begins as its last one did, and dialogs with the same persona begin alike; what they share is
stored once. `salt` keeps apart what must never be shared: keys and values depend on more than their tokens as soon as
something steers the model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["Divisible", "Prefixes"]


class Divisible(Protocol):
    """What is kept for a run of tokens."""

    @property
    def bytes(self) -> int: ...

    def split(self, tokens: int, /) -> tuple[Self, Self]: ...


T = TypeVar("T", bound=Divisible)


class _Node(Generic[T]):
    __slots__ = ("children", "held", "parent", "tokens")

    def __init__(self, parent: _Node[T] | None, tokens: Sequence[int], held: T | None) -> None:
        self.parent = parent
        self.tokens = tokens
        self.held = held
        self.children: dict[int, _Node[T]] = {}


class Prefixes(Generic[T]):
    """Remembers runs of tokens with what was computed for them; what was least lately used goes first.

    At most `limit_bytes` are held when a call has returned.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.bytes = 0
        self._limit_bytes = limit_bytes
        self._roots: dict[Hashable, _Node[T]] = {}
        # Oldest first. A path is touched from its end to its root, so a parent is always newer than its children, and
        # the oldest has none.
        self._nodes: OrderedDict[_Node[T], None] = OrderedDict()

    def longest(self, tokens: Sequence[int], salt: Hashable = None) -> list[tuple[T, int]]:
        """What is held for the longest beginning of `tokens`: pieces, and how many tokens of each are of use."""
        pieces: list[tuple[T, int]] = []
        node, at = self._roots.get(salt), 0
        last = node
        while node is not None and at < len(tokens):
            node = node.children.get(tokens[at])
            if node is None:
                break
            last = node
            same = _shared(node.tokens, tokens, at)
            assert node.held is not None
            pieces.append((node.held, same))
            at += same
            if same < len(node.tokens):
                break
        self._touch(last)
        return pieces

    def insert(self, tokens: Sequence[int], compute: Callable[[int, int], T], salt: Hashable = None) -> None:
        """Remembers `tokens`; `compute(start, stop)` gives what belongs to those that are not held yet."""
        if not self._limit_bytes:
            return
        node = self._roots.setdefault(salt, _Node(None, (), None))
        at = 0
        while at < len(tokens):
            child = node.children.get(tokens[at])
            if child is None:
                node = self._add(node, tokens[at:], compute(at, len(tokens)))
                break
            same = _shared(child.tokens, tokens, at)
            node = child if same == len(child.tokens) else self._split(child, same)
            at += same
        self._touch(node)
        while self.bytes > self._limit_bytes:
            self._drop_oldest()

    def clear(self) -> None:
        self._roots.clear()
        self._nodes.clear()
        self.bytes = 0

    def __len__(self) -> int:
        """How many runs are held."""
        return len(self._nodes)

    def _add(self, parent: _Node[T], tokens: Sequence[int], held: T) -> _Node[T]:
        node = parent.children[tokens[0]] = _Node(parent, tokens, held)
        self._nodes[node] = None
        self.bytes += held.bytes
        return node

    def _split(self, node: _Node[T], tokens: int) -> _Node[T]:
        """Puts the first tokens of a node before it, as a node of their own, and gives that."""
        assert node.parent is not None
        assert node.held is not None
        self.bytes -= node.held.bytes
        first, rest = node.held.split(tokens)
        self.bytes += rest.bytes
        before = self._add(node.parent, node.tokens[:tokens], first)
        node.parent, node.tokens, node.held = before, node.tokens[tokens:], rest
        before.children[node.tokens[0]] = node
        return before

    def _touch(self, node: _Node[T] | None) -> None:
        while node is not None and node.parent is not None:
            self._nodes.move_to_end(node)
            node = node.parent

    def _drop_oldest(self) -> None:
        node, _ = self._nodes.popitem(last=False)
        assert node.parent is not None
        assert node.held is not None
        del node.parent.children[node.tokens[0]]
        self.bytes -= node.held.bytes


def _shared(run: Sequence[int], tokens: Sequence[int], at: int) -> int:
    """How many of `run` stand in `tokens` from `at` on."""
    window = tokens[at : at + len(run)]
    if window == run:
        return len(run)
    for number, (one, other) in enumerate(zip(run, window, strict=False)):
        if one != other:
            return number
    return min(len(run), len(window))
