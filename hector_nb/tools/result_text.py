"""What a function returned, as text for a model: text as it is, nothing as `Done.`, plain data as JSON, tables as tables, all else by `repr`."""

import json
import sys
from collections.abc import Mapping, Set
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

_PLAIN = (int, float, Mapping, list, tuple, Set, date, datetime, time, timedelta, Decimal, Enum, UUID, BaseModel)
_ROWS = 50
_COLUMNS = 20


def result_text(value: Any) -> str:
    """The text that stands for a value."""
    if isinstance(value, str):
        return value
    if value is None:
        return "Done."
    if (table := _table(value)) is not None:
        return table
    if isinstance(value, _PLAIN) or (is_dataclass(value) and not isinstance(value, type)):
        try:
            plain = to_jsonable_python(value, fallback=_inside, inf_nan_mode="strings")
        except (PydanticSerializationError, ValueError, RecursionError):
            return repr(value)
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return repr(value)


def _table(value: Any) -> str | None:
    """A pandas table, its middle left out where it is large; None: it is none."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if isinstance(value, pandas.Series):
        value = value.to_frame()
    if isinstance(value, pandas.DataFrame):
        text: str = value.to_string(max_rows=_ROWS, max_cols=_COLUMNS, show_dimensions=True)
        return text
    return None


def _inside(value: Any) -> Any:
    """A part of plain data that is no JSON: numbers of numpy as numbers, all else by `repr`."""
    return value.item() if getattr(value, "ndim", None) == 0 else repr(value)
