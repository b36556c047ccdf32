"""The `%hector` and `%%hector` magics: `%load_ext hector_nb`.

This module only registers them. What they do is in `notebook.py`, which is loaded when one is first used.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from hector_nb.frontends.cell_input import PlainHectorLines
from hector_nb.frontends.last_error import LastError
from hector_nb.frontends.succession import Succession

if TYPE_CHECKING:
    from hector_nb.frontends.notebook import Notebook


@magics_class
class HectorMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.errors = LastError(shell)
        self.succession = Succession(shell)

    @property
    def hooks(self) -> tuple[tuple[str, Callable[[Any], None]], ...]:
        """What IPython calls at the beginning and the end of each cell."""
        return (
            ("post_run_cell", self.errors.note),
            ("pre_run_cell", self.succession.begin),
            ("post_run_cell", self.succession.end),
        )

    @cached_property
    def notebook(self) -> "Notebook":
        """What the magics of this shell have said and heard."""
        from hector_nb.frontends.notebook import Notebook

        return Notebook(self.shell, errors=self.errors, succession=self.succession)

    @no_var_expand
    @line_cell_magic
    def hector(self, line: str, cell: str | None = None) -> Any:
        """Talk to an agent.

        %%hector [AGENT] [options]    send the cell
        %hector [options] PROMPT      send a line; reply = %hector PROMPT
        %hector -- PROMPT             send a line that begins like a command

        %hector                       what is connected
        %hector agents                the agents
        %hector use AGENT [-s ID]     talk to this agent from now on, in that session
        %hector new [AGENT]           begin a new session with the next message
        %hector sessions [AGENT]      the latest sessions; -n: how many
        %hector history [-s ID]       what was said; -n: how many messages
        %hector memory [-s ID]        what the model would see now, what is remembered
        %hector memory --query TEXT   the memories that a text would recall
        %hector why [TURN] [-s ID]    what the model saw in the last turn, or that one
        %hector correct MEM_ID TEXT   give a memory another text
        %hector forget MEM_ID …       erase memories
        %hector fork [TURN]           go on in a copy that has all up to that turn
        %hector rewind [TURN]         take back that turn, or the last, and what follows
        %hector export [FILE]         write the conversation into a file;
                                      -f markdown|json|ipynb, --overwrite
        %hector chat [AGENT] [-s ID]  the chat widget, on the notebook's session
        %hector tools [AGENT]         what the agent can do, and what asks first
        %hector connect URL           use the server that runs there, with --token T;
                                      without URL: the engine in this process
        %hector version, %hector help

        Options:
          -a, --agent AGENT           ask this agent, this once
          -s, --session ID            in this session, this once; made if unknown
          --new                       in a new session
          --append                    keep the turn that this cell has had before
          --out NAME                  keep the reply in this variable, not only in
                                      _hector; with -f json: the value
          -f, --format markdown       as Markdown, which is the default
          -f, --format text           as it was written
          -f, --format code           as Markdown, and its code in a new cell
          -f, --format json           checked and laid out
          --err                       add the last error of the notebook to the
                                      prompt; alone: have it explained
          --thinking                  show what the model thinks
          --debug                     show session, memory and token counts
          --raw                       leave braces as they are
          --no-stream                 display the answer when it is whole

        {name}, {name.attribute}, {name[0]} and {name["key"]} are filled in from the
        notebook's variables, also behind commands; all other braces stay.

        The session belongs to the notebook, also after the kernel was restarted,
        until %hector new. A cell that runs again takes its old turn back first, so
        that Run All repeats the conversation; what followed is kept in a session that
        is named under the answer, and takes the place of the one that an earlier run
        has left, unless that holds other questions. Where cells were moved, the
        second Run All has the new order; %hector new above the first begins anew.
        ■ (or I, I) stops the answer and keeps what was said.

        Tools that need your word ask in the cell: y yes, n no, a always for this
        session, e edit the arguments; no answer in time means no, and so does a
        notebook that runs without a person. Functions of the notebook are tools with
        @hector_nb.tool above them. _hector.context is what the model saw.
        %reload_ext hector_nb reads the configuration again.
        """
        if cell is None:
            return self.notebook.line(line)
        self.notebook.cell(line, cell)
        return None

    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """What the Tab key offers, as one of IPython's matchers."""
        line = _LINE.fullmatch(context.text_until_cursor)
        if line is None and not context.full_text.startswith("%%hector"):
            return {"completions": []}
        found = self.notebook.complete(line["magic"] if line else None, context.text_until_cursor)
        completions = [SimpleCompletion(text=text, type=about) for text, about in found]
        alone = bool(found) or (line is not None and not self.notebook.is_free(line["magic"]))
        return {"completions": completions, "ordered": True, "suppress": alone}

    def close(self) -> None:
        """Free what was opened."""
        if "notebook" in self.__dict__:
            self.notebook.close()


_BEFORE_OTHERS = 100
_LINE = re.compile(r"\s*(?:[^\W\d][\w., \t]*=\s*)?(?P<magic>%%?hector\b.*)")
_loaded: "WeakKeyDictionary[Any, _Registered]" = WeakKeyDictionary()


class _Registered(NamedTuple):
    """What an extension that is loaded has left in a shell."""

    magics: HectorMagics
    transformer: PlainHectorLines
    matcher: Any


def load(shell: Any) -> None:
    """Register the magics."""
    if shell in _loaded:
        return
    magics, transformer = HectorMagics(shell), PlainHectorLines()
    matcher = context_matcher(priority=_BEFORE_OTHERS, identifier="hector_nb")(lambda context: magics.complete(context))
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(transformer)
    shell.Completer.custom_matchers.append(matcher)
    for event, hook in magics.hooks:
        shell.events.register(event, hook)
    _loaded[shell] = _Registered(magics, transformer, matcher)


def unload(shell: Any) -> None:
    """Take everything back that `load` did."""
    if shell not in _loaded:
        return
    magics, transformer, matcher = _loaded.pop(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("hector", None)
    for registered, each in (
        (shell.input_transformers_cleanup, transformer),
        (shell.Completer.custom_matchers, matcher),
    ):
        if each in registered:
            registered.remove(each)
    for event, hook in magics.hooks:
        with suppress(ValueError):
            shell.events.unregister(event, hook)
    magics.close()
