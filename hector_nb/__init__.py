"""Declarative LLM agents that live in Jupyter.

Importing this package costs next to nothing: kernels, servers and terminals each load only the rooms they use.
"""

from typing import Any

from hector_nb._version import __version__
from hector_nb.tools.decorator import tool

__all__ = ["__version__", "tool"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where the Jupyter server finds the extension."""
    from hector_nb.extension import HectorExtension

    return [{"module": "hector_nb.extension", "app": HectorExtension}]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext hector_nb`."""
    from hector_nb.frontends.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext hector_nb`."""
    from hector_nb.frontends.magics import unload

    unload(shell)
