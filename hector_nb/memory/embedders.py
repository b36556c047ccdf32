"""Vectors for long-term memory: the embedder that is built in, and re-indexing with any.

`wordllama` is a table of 32,000 static token vectors of 256 dimensions; a text's vector is the mean of its tokens'. Of the
package only its two data files are read: importing it would configure the root logger of the process and load an HTTP client, and
the files are the same in all its releases. They are loaded once per process, in a thread, when first used (0.3 s with numpy, 50 MB);
after that a sentence takes about 0.1 ms. Nothing is ever downloaded. The other embedder is `models/openai_embedder.py`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from hector_nb.errors import ModelUnavailable
from hector_nb.memory.base import Embedder
from hector_nb.stores.base_memories import MemoryStore

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONFIG = "l2_supercat"
_DIMENSION = 256
_BATCH = 64
"""Texts that are embedded in one go, and memories that are re-indexed in one transaction."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """`vectors` is a numpy array of 16-bit floats with a row for each token."""

    tokenizer: "Tokenizer"
    vectors: Any


_lock = Lock()
_loaded: list[_Table] = []


def _table() -> _Table:
    with _lock:
        if not _loaded:
            _loaded.append(_load())
    return _loaded[0]


def _load() -> _Table:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise ModelUnavailable(
            "The built-in embedder is not installed: long-term memory is searched by its words alone.",
            hint="pip install wordllama==0.2.2.post0",
        )
    folder = Path(spec.origin).parent
    try:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / f"{_CONFIG}_tokenizer_config.json"))
        with safe_open(folder / "weights" / f"{_CONFIG}_{_DIMENSION}.safetensors", framework="np") as file:
            vectors = file.get_tensor("embedding.weight")
    except Exception as error:  # tokenizers raises it bare
        message = f"The built-in embedder cannot be loaded: {error}"
        raise ModelUnavailable(message, hint="pip install --force-reinstall wordllama==0.2.2.post0") from error
    return _Table(tokenizer=tokenizer, vectors=vectors)


class WordllamaEmbedder:
    """The embedder that is built in. See `Embedder`."""

    name = f"wordllama-{_CONFIG}/{_DIMENSION}"

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text; of a text without any token, always the same.

        Raises:
            ModelUnavailable: the embedder is not installed.
        """
        vectors: list[bytes] = []
        for start in range(0, len(texts), _BATCH):
            vectors += await asyncio.to_thread(_embed, texts[start : start + _BATCH])
        return vectors

    async def aclose(self) -> None:
        """Nothing: the table is shared by the whole process."""


def _embed(texts: Sequence[str]) -> list[bytes]:
    import numpy as np

    table = _table()
    # Lone surrogates cannot be tokenized; the token counter and the store replace them in the same way.
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    vectors = []
    for encoding in table.tokenizer.encode_batch_fast(clean, add_special_tokens=False):
        vector = table.vectors[encoding.ids or [0]].astype(np.float32).mean(axis=0)
        vectors.append((vector / np.linalg.norm(vector)).astype("<f4").tobytes())
    return vectors


async def reindex(
    store: MemoryStore,
    embedder: Embedder,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    agents: Sequence[str] | None = None,
) -> int:
    """Give every memory of these agents (None: all) a vector of this embedder, oldest first; how many had none.

    `on_progress` is told after each batch how many are done, and how many of how many there are. It may be stopped at any time and
    goes on where it was; `count_unembedded` of the store says how many are left.

    Raises:
        ModelError: the embedder failed.
        StoreError: the database failed.
    """
    await embedder.embed(["."])  # its name may not be complete before
    total = await store.count_unembedded(embedder.name, agents=agents)
    done = 0
    while memories := await store.unembedded(embedder.name, agents=agents, limit=_BATCH):
        vectors = await embedder.embed([memory.text for memory in memories])
        await store.embed_memories(
            embedder.name,
            [(memory.memory_id, memory.version, vector) for memory, vector in zip(memories, vectors, strict=True)],
        )
        done += len(memories)
        if on_progress is not None:
            on_progress(done, max(total, done))
    return done
