"""Errors over gRPC: a canonical code from `wire/status.py`, and one `hector.v1.Error` in the details of its google.rpc.Status.

Details travel in the trailing metadata, of which clients take 8 KiB by default; what does not fit is cut.
"""

from typing import Any, Never
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status

from hector_nb.errors import HectorError
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.proto import error_message
from hector_nb.wire.status import encode_error, status_of

DETAILS = "grpc-status-details-bin"
LAST_ID = "hector-last-id"
"""Where the turn's failure is the call's: the id of the turn's last frame."""
_MOST_MESSAGE = 1500
"""Bytes of the message as gRPC writes it, percent-encoded."""
_MOST_DETAILS = 2000
"""Bytes of an error in the details."""


class Ended(Exception):
    """A turn has failed, and its stream ends with the failure."""

    def __init__(self, error: Exception, *, retryable: bool, last_id: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.retryable = retryable
        self.last_id = last_id


async def abort(context: "grpc.aio.ServicerContext[Any, Any]", error: Exception) -> Never:
    """End a call with an error."""
    trailing: list[tuple[str, str | bytes]] = []
    if isinstance(error, Ended):
        trailing, retryable, error = [(LAST_ID, error.last_id)], error.retryable, error.error
    else:
        retryable = isinstance(error, HectorError) and error.retryable
    code = grpc.StatusCode[status_of(error).grpc]
    told = error_message(encode_error(error)["error"], retryable=retryable)
    message = _shortened(told.message)
    status = Status(code=code.value[0], message=message)
    status.details.append(_packed(_fitting(told)))
    trailing.append((DETAILS, status.SerializeToString()))
    await context.abort(code, message, tuple(trailing))


def _fitting(told: pb.Error) -> pb.Error:
    """The error without what is too long for the metadata."""
    if told.ByteSize() > _MOST_DETAILS:
        told.details = ""
        told.message, told.hint = _shortened(told.message), _shortened(told.hint)
    return told


def _packed(told: pb.Error) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(told)
    return packed


def _shortened(text: str) -> str:
    if len(text) <= _MOST_MESSAGE // 12:
        return text
    if len(quote(text, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}~")) <= _MOST_MESSAGE:
        return text
    return f"{text[: _MOST_MESSAGE // 12]}…"
