"""A notebook file as text: its cells one after the other, with the text that they printed."""

import json
from typing import Any


def cells_as_text(content: str) -> str | None:
    """Each cell under a line such as `# %% [markdown]`, text output under `# Output:`; None where the text is no notebook."""
    try:
        notebook = json.loads(content)
        cells = [_cell(cell) for cell in notebook["cells"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return "\n\n".join(cells)


def _cell(cell: dict[str, Any]) -> str:
    kind = cell["cell_type"]
    head = "# %%" if kind == "code" else f"# %% [{kind}]"
    printed = "".join(_output(output) for output in cell.get("outputs", ())).strip()
    return f"{head}\n{_text(cell['source'])}" + (f"\n# Output:\n{printed}" if printed else "")


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
