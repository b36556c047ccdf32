"""The protobuf form of what is remembered: the JSON form of `memory_codec.py`, which has the same names, read into messages."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.codec import dumps, without_surrogates
from hector_nb.wire.memory_codec import encode_ledger, encode_memory, encode_recalled, encode_session_memory

AnyMessage = TypeVar("AnyMessage", bound=Message)


def memory_message(memory: Memory) -> pb.Memory:
    """A memory."""
    return _read(encode_memory(memory), pb.Memory())


def recalled_message(recalled: RecalledMemory) -> pb.RecalledMemory:
    """A memory with its scores."""
    encoded = encode_recalled(recalled)
    scores = {name: encoded.pop(name) for name in ("score", "keyword_score", "vector_score")}
    return _read({"memory": encoded, **scores}, pb.RecalledMemory())


def ledger_message(ledger: Ledger) -> pb.Ledger:
    """A ledger."""
    return _read(encode_ledger(ledger), pb.Ledger())


def session_memory_message(memory: SessionMemory) -> pb.SessionMemory:
    """What a session remembers."""
    return _read(encode_session_memory(memory), pb.SessionMemory())


def _read(encoded: Mapping[str, Any], message: AnyMessage) -> AnyMessage:
    """The message, with what is null left unset."""
    return json_format.Parse(without_surrogates(dumps(encoded)), message)
