"""How what is written for SQLite and PostgreSQL alike is said to PostgreSQL, and how values go there and come back.

PostgreSQL's texts cannot hold NULs, so a NUL is stored as two characters, of which the first, a noncharacter, is doubled where it
stands for itself. Integers are sent as 64-bit ones, whatever their size, so that shifts do not overflow.
"""

import re
from collections.abc import Sequence
from functools import cache

from psycopg import Connection, adapt
from psycopg.abc import Buffer
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from hector_nb.stores.codec import clean

_HINT = re.compile(r" (?:NOT INDEXED|INDEXED BY \w+)\b")
_FORCED = re.compile(r"\bCROSS (JOIN \w+ ON)\b")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_ESCAPE = "\ufdd0"


@cache
def numbered(query: str) -> tuple[bytes, Sequence[str]]:
    """A query as PostgreSQL understands it: without hints to SQLite's planner, with numbers for the names of parameters, and those."""
    query = _FORCED.sub(r"\1", _HINT.sub("", query))
    names = list(dict.fromkeys(_PARAMETER.findall(query)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", query).encode(), names


def adapt_values(connection: Connection) -> None:
    """Let this connection send and read values as stores need it."""
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)


class _TextDumper(StrDumper):
    def dump(self, obj: str) -> Buffer | None:
        if "\0" in obj or _ESCAPE in obj:
            obj = obj.replace(_ESCAPE, _ESCAPE * 2).replace("\0", f"{_ESCAPE}0")
        try:
            return obj.encode()
        except UnicodeEncodeError:
            return clean(obj).encode()


class _TextLoader(adapt.Loader):
    def load(self, data: Buffer) -> str:
        text = str(data, "utf-8")
        if _ESCAPE in text:
            return _ESCAPE.join(part.replace(f"{_ESCAPE}0", "\0") for part in text.split(_ESCAPE * 2))
        return text
