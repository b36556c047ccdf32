"""A home folder for notebooks that are run by programs: its own sessions, the embedded model of all test runs."""

from collections.abc import MutableMapping
from pathlib import Path

import platformdirs

ROOT = Path(__file__).parent.parent
CACHE = platformdirs.user_cache_path("hector_nb_tests")
"""Where test runs keep the embedded model."""
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "HECTOR_CONFIG", "HECTOR_USER")


def use_home(folder: Path, environ: MutableMapping[str, str]) -> None:
    """Make processes with this environment live in `folder`, share the model, and run what is in this checkout."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cache").symlink_to(CACHE, target_is_directory=True)
    for name in _KEYS:
        environ.pop(name, None)
    environ["PYTHONPATH"] = str(ROOT)
    environ["HECTOR_HOME"] = str(folder)
