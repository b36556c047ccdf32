"""The command line: `hector`.

`app.py` names the commands, `exits.py` what their exit codes mean, and each file beside them is a group of commands. An answer goes
through `turn.py` (one turn, and Ctrl-C) to a `screen.py`. Nothing heavy is imported before a command needs it.
"""

import sys


def main() -> None:
    """The console script: one command, its exit code, and never a traceback that nobody asked for."""
    from hector_nb.frontends.cli.app import app
    from hector_nb.frontends.cli.exits import exit_code, report

    try:
        app(prog_name="hector")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        report(error)
        sys.exit(exit_code(error))
