"""Terminals for tests: one that knows what stands on its screen and in its scrollback, and the end of a program in a real one."""

import io
import re

_TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(\r|\n)|([^\x1b\r\n]+)")


class Terminal(io.StringIO):
    """Understands what `rich` sends: text, newlines, cursor up, erase line; colours are ignored.

    As on a real terminal, the cursor cannot go above the top of the screen.
    """

    def __init__(self, *, height=24):
        super().__init__()
        self.rows = [""]
        self.written = ""
        self._height = height
        self._row = self._column = 0

    def isatty(self):
        return True

    def write(self, text):
        self.written += text
        for parameters, final, control, plain in _TOKEN.findall(text):
            if final == "A":
                top = max(len(self.rows) - self._height, 0)
                self._row = max(self._row - int(parameters or 1), top)
            elif final == "K":
                self.rows[self._row] = ""
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._row += 1
                self._column = 0
                self.rows += [""] * (self._row + 1 - len(self.rows))
            elif plain:
                row = self.rows[self._row].ljust(self._column)
                self.rows[self._row] = row[: self._column] + plain + row[self._column + len(plain) :]
                self._column += len(plain)
        return len(text)

    def text(self):
        """All that can be read, from the top of the scrollback on."""
        return "\n".join(row.rstrip() for row in self.rows).rstrip("\n")


def code(child):
    """The exit code of a program that ends by itself."""
    import pexpect

    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus
