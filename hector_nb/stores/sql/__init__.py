"""The SQL of the stores: named queries, one file a subject, and numbered migrations that only go forward, a folder for each database.

In a query file a line `-- name: find_turn` begins the query of that name. A migration `0001_….sql` brings a database from
version 0 to 1; what has been released is never edited.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(subject: str) -> Mapping[str, str]:
    """The queries of one file by their names."""
    _, *parts = _NAME.split(files(__name__).joinpath(f"{subject}.sql").read_text("utf-8"))
    return {name: body.strip().rstrip(";") for name, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def migrations(folder: str = "migrations") -> Sequence[str]:
    """All migrations of a database in their order; the first one makes version 1."""
    found = [entry for entry in files(__name__).joinpath(folder).iterdir() if entry.name.endswith(".sql")]
    return [entry.read_text("utf-8") for entry in sorted(found, key=lambda entry: entry.name)]
