"""An embedder that runs anywhere: a table of vectors, one for each token, and their mean is a text's.

The table is that of WordLlama, a model distilled from the embeddings of large ones; its 16 MB lie in the wheel of the
package `wordllama`, of which only the files are used. It takes some 0.1 ms a text, knows English best, and has no sense
of word order: good for "which of these answers is about the same", no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio.to_thread

from ..engine.errors import ExtraMissing, PlayactError, SetupError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["StaticEmbedder"]

_WEIGHTS = Path("weights/l2_supercat_256.safetensors")
_TOKENIZER = Path("tokenizers/l2_supercat_tokenizer_config.json")


class StaticEmbedder:
    """The packaged table. A text's vector depends on the text alone: not on what goes with it, nor on the machine."""

    name = "static"

    def __init__(self) -> None:
        self._table: np.ndarray[Any, Any] | None = None
        self._tokenizer: Any = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        if name:
            raise SetupError(f'there is no static embedder "{name}"; say "static"')
        return cls()

    async def open(self) -> None:
        """Loads the table, in about a tenth of a second. Raises `ExtraMissing`, `SetupError`."""
        if self._table is None:
            await anyio.to_thread.run_sync(self._load)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Raises `PlayactError` unless it is open."""
        if self._table is None:
            raise PlayactError("the static embedder is not open")
        return await anyio.to_thread.run_sync(self._means, list(texts))

    async def aclose(self) -> None:
        """Lets the table go."""
        self._table = self._tokenizer = None

    def _load(self) -> None:
        # The module is looked up and never imported: it would bring a client for downloads along.
        spec = find_spec("wordllama")
        folders = spec.submodule_search_locations if spec is not None else None
        if not folders:
            raise ExtraMissing("static", "embeddings", "wordllama")
        folder = Path(folders[0])
        try:
            from tokenizers import Tokenizer

            self._table = _table(folder / _WEIGHTS)
            self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        except ModuleNotFoundError as error:
            raise ExtraMissing("static", "embeddings", error.name or "numpy") from error
        except Exception as error:  # tokenizers raises plain ones
            raise SetupError(f"the package wordllama does not hold what it should: {error}") from error
        self._tokenizer.no_padding()

    def _means(self, texts: list[str]) -> list[list[float]]:
        assert self._table is not None
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        rows = [self._table[each.ids] if each.ids else self._table[:1] * 0 for each in encoded]
        return [[float(number) for number in row.mean(axis=0)] for row in rows]

    def __repr__(self) -> str:
        return f"<StaticEmbedder {'closed' if self._table is None else 'open'}>"


def _table(path: Path) -> np.ndarray[Any, Any]:
    import numpy as np
    from safetensors.numpy import load_file

    (table,) = load_file(path).values()
    return table.astype(np.float32)
