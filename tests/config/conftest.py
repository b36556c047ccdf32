"""A working directory with a `hector.yaml` in it, and a user without any configuration of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory, in which there is nothing."""
    home = tmp_path / "user"
    home.mkdir()
    for name in ("HECTOR_CONFIG", "HECTOR_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("HECTOR_HOME", str(home / "hector"))
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working directory."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def load(folder: Path) -> Callable[..., Config]:
    """Load a text as a file that somebody named."""

    def load(text: str | bytes, environ: Mapping[str, str] | None = None) -> Config:
        return loaded(folder, text, environ).config

    return load


@pytest.fixture
def problems(folder: Path) -> Callable[..., list[str]]:
    """What is wrong with a text."""

    def problems(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(folder, text, environ)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None, "a traceback would show what the message hides"
        return list(caught.value.problems)

    return problems


def loaded(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> LoadedConfig:
    content = text.encode() if isinstance(text, str) else text
    (folder / "hector.yaml").write_bytes(content)
    return load_config("hector.yaml", environ=environ or {}, cwd=folder)
