"""`hector` as it is on a machine that is fast enough: `python -m tests.fakes.unhurried serve …`.

A turn does without its memories where they are not found at once, so that tests of what is recalled would depend on how busy the
machine is.
"""

import runpy

from hector_nb.memory import longterm

SECONDS = 30.0
"""What recall may take in all tests that do not say otherwise."""

if __name__ == "__main__":
    longterm.RECALL_SECONDS = SECONDS
    runpy.run_module("hector_nb.frontends.cli", run_name="__main__", alter_sys=True)
