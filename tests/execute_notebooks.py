"""Runs the notebooks and saves them with their outputs: `python -m tests.execute_notebooks [NOTEBOOK …]`."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.notebook_home import ROOT, use_home

FOLDER = ROOT / "notebooks"


def execute(path: Path) -> None:
    """Run one notebook as a person would and save what came out."""
    notebook = nbformat.read(path, as_version=4)
    os.environ["JPY_SESSION_NAME"] = path.name
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, resources=resources, coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            # No kernel holds the widget any more: the text beside it is what can be shown.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    nbformat.write(notebook, path)


def main() -> None:
    """Each notebook that is named, or all of them, in a home folder that looks like anybody's."""
    paths = [Path(name).absolute() for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".local" / "share" / "hector_nb"
        use_home(home, os.environ)
        # The status shows paths from the home folder on.
        os.environ["HOME"] = folder
        for path in paths:
            execute(path)


if __name__ == "__main__":
    main()
