"""An interactive shell on a terminal, into which text is pasted as a reader does it."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i", "+o", "zle", "+o", "prompt_sp"],
}
_ON_FAILURE = {
    "bash": 'trap \'printf "\\n<failed>%s\\n" "$BASH_COMMAND"\' ERR',
    "zsh": "TRAPZERR() { printf '\\n<failed>%s\\n' \"exit code $?\" }",
}
_FAILED = re.compile(r"^(?:<failed>|(?:bash|zsh): )(?P<why>.*)$", re.MULTILINE)
_PROMPT = re.compile(r"(password|confirmation): $", re.IGNORECASE)
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes its standard input the terminal that it is controlled by, as a login does, so that Ctrl-C arrives."""
COLUMNS = 200
PATIENCE = 120  # seconds for what takes one on an idle machine
TYPED = "the password that is typed"


class CommandFailed(AssertionError):
    """A command of what was pasted failed, or the shell did not understand it."""


class Terminal:
    """A terminal with an interactive shell. It ends with the `with` block, and all that was started in it as well."""

    def __init__(self, shell: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell, self._folder = shell, folder
        self._environment = {**environment, "TERM": "dumb", "PS1": "", "PS2": ""}
        self._pastes = 0
        self._read = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._serving = False

    def __enter__(self) -> Self:
        self._terminal, inside = pty.openpty()
        attributes = termios.tcgetattr(inside)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(inside, termios.TCSANOW, attributes)
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *SHELLS[self._shell]],
            stdin=inside, stdout=inside, stderr=inside, cwd=self._folder, env=self._environment,
        )  # fmt: skip
        os.close(inside)
        self._write(_ON_FAILURE[self._shell])
        self._ended()
        return self

    def __exit__(self, *error: object) -> None:
        if self._serving:
            self.interrupt()
        self._write("exit")
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            os.close(self._terminal)

    def paste(self, text: str) -> str:
        """Paste text; return what is printed until the last command has ended. Raises CommandFailed."""
        self._write(text)
        return self._checked(self._ended())

    def serve(self, command: str, ready: re.Pattern[str]) -> str:
        """Run a command that does not end, until what it prints matches. Raises CommandFailed if it does end."""
        self._write(command)
        end = self._mark()
        self._until(lambda: ready.search(self._read) or end in self._read)
        if end in self._read:
            raise CommandFailed(f"{command}\n{self._taken(end)}")
        self._serving = True
        return self._taken(self._read)

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait until what runs has ended."""
        os.write(self._terminal, b"\x03")
        self._serving = False
        self._ended()

    def _write(self, text: str) -> None:
        os.write(self._terminal, (text.rstrip("\n") + "\n").encode())

    def _mark(self) -> str:
        """Have the shell print a line when it is through with all that was pasted; return the line."""
        self._pastes += 1
        self._write_mark()
        return f"\n<end {self._pastes}>\n"

    def _write_mark(self) -> None:
        self._write(f"printf '\\n<end %s>\\n' {self._pastes}")

    def _ended(self) -> str:
        end = self._mark()
        self._until(lambda: end in self._read)
        return self._taken(end)

    def _taken(self, end: str) -> str:
        printed, _, self._read = self._read.partition(end)
        return printed or end

    def _until(self, done: Callable[[], object]) -> None:
        """Read until something is there, and answer the prompts for a password on the way."""
        give_up, answered = time.monotonic() + PATIENCE, False
        while not done():
            if not select.select([self._terminal], [], [], max(0.0, give_up - time.monotonic()))[0]:
                raise CommandFailed(f"nothing more came after:\n{self._read}")
            self._read += self._decoder.decode(self._received()).replace("\r", "")
            if prompt := _PROMPT.search(self._read):
                self._read += "\n"
                self._write(TYPED)
                answered = prompt[1].lower() == "confirmation"  # the last one of a command
            elif answered:
                self._write_mark()  # a prompt discards what was pasted behind its command
                answered = False

    def _received(self) -> bytes:
        try:
            received = os.read(self._terminal, 65_536)
        except OSError:  # Linux: nobody has the other side any more
            received = b""
        if not received:
            raise CommandFailed(f"the shell has ended:\n{self._read}")
        return received

    def _checked(self, printed: str) -> str:
        if _FAILED.search(printed):
            raise CommandFailed(printed)
        return printed
