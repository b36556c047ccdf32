"""What each error means on each wire."""

import pytest

from hector_nb import errors
from hector_nb.errors import HectorError, error_classes
from hector_nb.events import TurnFailed
from hector_nb.wire.status import encode_error, encode_failure, status_of

EXPECTED = {
    "malformed_request": (400, "INVALID_ARGUMENT"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "unauthenticated": (403, "UNAUTHENTICATED"),
    "not_found": (404, "NOT_FOUND"),
    "agent_not_found": (404, "NOT_FOUND"),
    "session_not_found": (404, "NOT_FOUND"),
    "turn_not_found": (404, "NOT_FOUND"),
    "message_not_found": (404, "NOT_FOUND"),
    "memory_not_found": (404, "NOT_FOUND"),
    "approval_not_found": (404, "NOT_FOUND"),
    "tool_unavailable": (502, "UNAVAILABLE"),
    "conflict": (409, "FAILED_PRECONDITION"),
    "session_ended": (409, "FAILED_PRECONDITION"),
    "session_busy": (409, "ABORTED"),
    "too_large": (413, "RESOURCE_EXHAUSTED"),
    "unsupported_media_type": (415, "INVALID_ARGUMENT"),
    "invalid_request": (422, "INVALID_ARGUMENT"),
    "too_many_waiting": (429, "RESOURCE_EXHAUSTED"),
    "internal_error": (500, "INTERNAL"),
    "store_error": (500, "INTERNAL"),
    "model_error": (502, "UNAVAILABLE"),
    "model_unavailable": (502, "UNAVAILABLE"),
    "model_refused": (502, "UNAVAILABLE"),
    "model_rate_limited": (502, "UNAVAILABLE"),
    "interrupted": (502, "UNAVAILABLE"),
    "config_error": (503, "FAILED_PRECONDITION"),
    "unavailable": (503, "UNAVAILABLE"),
    "model_timeout": (504, "DEADLINE_EXCEEDED"),
    "store_full": (507, "RESOURCE_EXHAUSTED"),
    "store_unavailable": (503, "UNAVAILABLE"),
}


@pytest.mark.parametrize(("code", "cls"), sorted(error_classes().items()))
def test_every_error_has_its_status(code: str, cls: type[HectorError]) -> None:
    status = status_of(cls("…"))
    assert (status.http, status.grpc) == EXPECTED[code]


def test_an_error_of_our_own_making_is_not_told() -> None:
    error = RuntimeError("the password is hunter2")
    assert status_of(error).http == 500
    assert "hunter2" not in str(encode_error(error))


def test_an_error_says_what_it_is_and_what_to_do() -> None:
    error = errors.SessionBusy("A turn is running.", hint="Wait for it.", details={"running_turn": "turn_1"})
    assert encode_error(error) == {
        "error": {
            "code": "session_busy",
            "message": "A turn is running.",
            "hint": "Wait for it.",
            "details": {"running_turn": "turn_1"},
        }
    }


def test_a_failed_turn_says_whether_it_may_be_tried_again() -> None:
    event = TurnFailed(code="model_timeout", message="Too slow.", retryable=True)
    assert encode_failure(event) == {"error": {"code": "model_timeout", "message": "Too slow.", "retryable": True}}
