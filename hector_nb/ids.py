"""Identifiers: `sess_…`, `turn_…`, `msg_…`, `mem_…`, `call_…`.

An id is a prefix and 26 characters: 56 bits of microseconds, then 72 random bits. Ids therefore sort by
time, also those of turns that follow each other at once, and cannot be guessed.
"""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A fresh identifier, for example `new_id("turn")` → `turn_06c3…`."""
    number = (time.time_ns() // 1_000) << 72 | int.from_bytes(os.urandom(9), "big")
    return f"{prefix}_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
