"""The command line: `hector`.

`app.py` names the commands, `exits.py` what their exit codes mean, and each file beside them is a group of commands. An answer goes
through `turn.py` (one turn, and Ctrl-C) to a `screen.py`. Nothing heavy is imported before a command needs it.
"""

import io
import os
import sys
from pathlib import Path


def main() -> None:
    """The console script: one command, its exit code, and never a traceback that nobody asked for."""
    if os.environ.get("_HECTOR_COMPLETE") == "complete_bash":
        from hector_nb.frontends.cli.completion import join_words

        os.environ.update(join_words(os.environ))
    _leave_out_what_is_slow()
    from hector_nb.frontends.cli.app import app
    from hector_nb.frontends.cli.exits import exit_code, report

    _open_missing()
    _set_up(sys.stdout)
    _set_up(sys.stderr)
    try:
        app(prog_name="hector")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        report(error)
        sys.exit(exit_code(error))


def _open_missing() -> None:
    """Who starts us with a stream closed (`>&-`) gets nothing there, and no other file gets its number, the database's least of all."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open as long as the process is
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _set_up(stream: object) -> None:
    """Pipes and files get UTF-8 and plain newlines on every platform; a terminal keeps its encoding, and what that lacks becomes `?`."""
    if isinstance(stream, io.TextIOWrapper):
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")


def _leave_out_what_is_slow() -> None:
    """The validator of tool arguments, and Jupyter's, parse a grammar for a whole second if they find this package; nobody here uses it."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
