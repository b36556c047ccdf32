"""The OpenAPI document, from `openapi.yaml` beside this file."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from hector_nb._version import __version__


@cache
def document() -> dict[str, Any]:
    """The document, for a server at `/`. Do not change it."""
    text = files("hector_nb.wire").joinpath("openapi.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(text, loader)  # noqa: S506 -- both are safe loaders
    found = {key: value for key, value in loaded.items() if not key.startswith("x-")}
    found["info"]["version"] = __version__
    return found


@cache
def served(base_url: str) -> bytes:
    """The document as JSON, for a server whose paths begin with `base_url`."""
    return json.dumps({**document(), "servers": [{"url": base_url.rstrip("/") or "/"}]}, ensure_ascii=False).encode()
