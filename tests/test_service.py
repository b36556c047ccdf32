"""Pages that are read one after the other."""

import pytest

from hector_nb.service import every
from hector_nb.sessions import Page

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("pages", "items", "asked"),
    [(None, [1, 2, 3, 4, 5], [None, "2", "4"]), (9, [1, 2, 3, 4, 5], [None, "2", "4"]), (2, [1, 2, 3, 4], [None, "2"])],
    ids=["all", "fewer than the most", "no more than the most"],
)
async def test_no_more_pages_are_read_than_wanted(pages: int | None, items: list[int], asked: list[str | None]) -> None:
    cursors: list[str | None] = []

    async def fetch(cursor: str | None) -> Page[int]:
        cursors.append(cursor)
        start = int(cursor or 0)
        return Page(
            items=range(start + 1, min(start + 2, 5) + 1), next_cursor=str(start + 2) if start + 2 < 5 else None
        )

    assert [item async for item in every(fetch, pages=pages)] == items
    assert cursors == asked
