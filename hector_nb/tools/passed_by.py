"""Folders in which tools keep their own things, and nobody looks for anything."""

PASSED_BY = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints", ".tox", ".nox"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache"}
)
"""Their names."""
