"""The `%hector` and `%%hector` magics: `%load_ext hector_nb`.

This module only registers them. What they do is in `notebook.py`, which is loaded when one is first used.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from hector_nb.frontends.cell_input import PlainHectorLines

if TYPE_CHECKING:
    from hector_nb.frontends.notebook import Notebook


@magics_class
class HectorMagics(Magics):
    """The magics of one shell."""

    @cached_property
    def notebook(self) -> "Notebook":
        """What the magics of this shell have said and heard."""
        from hector_nb.frontends.notebook import Notebook

        return Notebook(self.shell)

    @no_var_expand
    @line_cell_magic
    def hector(self, line: str, cell: str | None = None) -> Any:
        """Talk to an agent.

        %%hector [AGENT] [options]      send the cell
        %hector [options] PROMPT        send a line; reply = %hector PROMPT
        %hector -- PROMPT               send a line that begins like a command or an option

        %hector                         what is connected: agent, model, session, store, configuration
        %hector agents                  the agents
        %hector use AGENT [-s ID]       talk to this agent from now on, in that session
        %hector new [AGENT]             begin a new session with the next message
        %hector sessions [AGENT] [-n N] the latest sessions
        %hector history [-s ID] [-n N]  what was said
        %hector memory [-s ID]          what the model would see now against its budget, and what is remembered
        %hector memory --query TEXT     the memories that a text would recall, best first
        %hector why [TURN] [-s ID]      what the model saw in the last turn (or that one), each memory with its score
        %hector correct MEM_ID TEXT     give a memory another text; that is what is recalled from now on
        %hector forget MEM_ID …         erase memories
        %hector tools [AGENT]           what the agent can do, what asks first, the functions of this notebook (@hector_nb.tool)
        %hector connect URL [--token T] use the server that runs there, from now on; without URL: the engine in this process
        %hector version, %hector help

        Options:
          -a, --agent AGENT             ask this agent, this once
          -s, --session ID              in this session, this once; an unknown one is made
          --new                         in a new session
          --out NAME                    keep the reply in this variable as well as in _hector
          -f, --format markdown|text    how the answer is displayed (default: markdown)
          --thinking                    show what the model thinks
          --debug                       show session, memory and token counts
          --raw                         leave braces as they are
          --no-stream                   display the answer at once, when it is whole

        {name}, {name.attribute}, {name[0]} and {name["key"]} are filled in from the notebook's variables, also behind
        correct, forget, why and memory; all other braces stay. The session belongs to the notebook and lasts until the kernel is restarted; every session stays in
        the store, and `%hector use AGENT -s ID` goes on with it. ■ (or I, I) stops the answer and keeps what was said.
        Tools that need your word ask in the cell: y yes, n no, a always for this session, e edit the arguments; no answer in time
        means no, and so does a notebook that runs without a person. _hector.context is what the model saw.
        `%reload_ext hector_nb` reads the configuration again.
        """
        if cell is None:
            return self.notebook.line(line)
        self.notebook.cell(line, cell)
        return None

    def complete(self, _shell: Any, event: Any) -> list[str]:
        """What the Tab key offers, as IPython's hook `complete_command`."""
        return self.notebook.complete(event)

    def close(self) -> None:
        """Free what was opened."""
        if "notebook" in self.__dict__:
            self.notebook.close()


_KEYS = ("%hector", "%%hector")
_loaded: "WeakKeyDictionary[Any, tuple[HectorMagics, PlainHectorLines]]" = WeakKeyDictionary()


def load(shell: Any) -> None:
    """Register the magics."""
    if shell in _loaded:
        return
    magics, transformer = HectorMagics(shell), PlainHectorLines()
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(transformer)
    for key in _KEYS:
        shell.set_hook("complete_command", magics.complete, str_key=key)
    _loaded[shell] = magics, transformer


def unload(shell: Any) -> None:
    """Take everything back that `load` did."""
    if shell not in _loaded:
        return
    magics, transformer = _loaded.pop(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("hector", None)
    if transformer in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(transformer)
    for key in _KEYS:
        shell.strdispatchers["complete_command"].strs.pop(key, None)
    magics.close()
