"""A notebook file as text: its cells one after the other, with the text that they printed."""

import json
from dataclasses import dataclass
from typing import Any

BETWEEN = "\n\n"
"""What stands between two cells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A cell: `source` under a line such as `# %% [markdown]`, `printed` under `# Output:` or empty."""

    source: str
    printed: str

    @property
    def text(self) -> str:
        """Both."""
        return self.source + self.printed


def cells_of(content: str) -> list[Cell] | None:
    """The cells of a notebook; None where the text is none."""
    try:
        notebook = json.loads(content)
        return [_cell(cell) for cell in notebook["cells"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def cells_as_text(content: str) -> str | None:
    """All cells; None where the text is no notebook."""
    cells = cells_of(content)
    return None if cells is None else BETWEEN.join(cell.text for cell in cells)


def _cell(cell: dict[str, Any]) -> Cell:
    kind = cell["cell_type"]
    head = "# %%" if kind == "code" else f"# %% [{kind}]"
    printed = "".join(_output(output) for output in cell.get("outputs", ())).strip()
    return Cell(source=f"{head}\n{_text(cell['source'])}", printed=f"\n# Output:\n{printed}" if printed else "")


def _output(output: dict[str, Any]) -> str:
    """What an output says in plain text; a picture says nothing."""
    if output.get("output_type") == "stream":
        return _text(output.get("text", ""))
    if output.get("output_type") == "error":
        return f"{output.get('ename', 'Error')}: {output.get('evalue', '')}\n"
    plain = _text(output.get("data", {}).get("text/plain", ""))
    return f"{plain}\n" if plain else ""


def _text(lines: Any) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
