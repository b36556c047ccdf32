"""Texts cut to a terminal's cells, of which a wide character takes two."""

from rich.cells import cell_len, set_cell_size


def cut(text: str, cells: int) -> str:
    """The text, or its beginning with an ellipsis: at most so many cells."""
    return text if cell_len(text) <= cells else f"{set_cell_size(text, max(cells - 1, 0)).rstrip()}…"
