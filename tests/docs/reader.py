"""A reader who follows the pages: pastes each block into a terminal, and compares what is printed with the page.

What the pages call by a name that this machine has not is put in its place: a free port for 8321, a folder below the
reader's own for /var/lib/deskroster, a database of the tests for the one at db.example.com, and the token that a
server has shown for `TOKEN=…`. Nothing else is changed.
"""

import re
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.cli.program import environment
from tests.docs import blocks
from tests.docs.blocks import TOP, Block
from tests.docs.terminal import Terminal

_SERVERS = re.compile(r"(?:make demo|(?:\.venv/bin/)?deskroster +(?:demo|serve))\b")
_LATER_SHELLS = re.compile(r"(?:export|umask) ")  # what counts in one shell only: said in the server's as well
_READY = {
    "make demo": re.compile(r"answers at (?P<url>http\S+).*\n(?:.*\n)*.*apiv2/(?:.*\n)+.*deskroster/v1/\S+'?\n"),
    "serve": re.compile(r"answers at (?P<url>https?://\S+) for .*\n"),
}
_TOKEN = re.compile(r"^ +token +(?P<token>\S+)$", re.MULTILINE)
_FOLDER = re.compile(r"(?<![\w./])/(?=(?:var/lib|etc)/deskroster\b|backups\b)")
_DATABASE = re.compile(r"postgresql://[^/\s]*/(?P<name>\w+)[^\s\"]*")
_OF_OURSELVES = re.compile("DESKROSTER_|MAKE|LC_|LANGUAGE")  # variables that a reader has not, or not like that
_STOP = re.compile(r"\bStop (?:the|every) server\b")
_ANYTHING = "…"
_CHANGING = {
    "UUID": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "PASSWORD": r"\b[0-9a-z]{4}(?:-[0-9a-z]{4}){4}\b",
    "FINGERPRINT": r"\b[0-9a-f]{16}\b",
    "DAY": r"\b20\d\d-\d\d-\d\d\b",
    "TIME": r"\b\d\d:\d\d:\d\d\b",
    "SECONDS": r"\b1\d{9}\b",
    "VERSION": r"\b\d+\.\d+(?:\.\d+)?\b",
    "SIZE": r"\b\d{1,3}(?:,\d{3})+\b",
}
"""What differs from one run to the next: compared by its form only."""


class Reader:
    """Follows pages in a folder of its own, which looks like a clone that is installed."""

    def __init__(self, shell: str, folder: Path, database: Callable[[str], str] | None = None) -> None:
        self._shell, self._folder, self._database = shell, folder, database
        self._stack = ExitStack()
        self._port = self._token = self.screen = ""
        self.pasted: list[Block] = []

    def __enter__(self) -> Self:
        self._make_clone()
        kept = {name: value for name, value in environment().items() if not _OF_OURSELVES.match(name)}
        named = {**kept, "HOME": str(self._folder), "LANG": "C.UTF-8"}
        self._terminal = self._stack.enter_context(Terminal(self._shell, self._folder, named))
        self._servers = self._stack.enter_context(Terminal(self._shell, self._folder, named))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _make_clone(self) -> None:
        """Make what `make setup` finds done."""
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(TOP / name, self._folder / name)
        programs = self._folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, module in (("deskroster", "-m deskroster "), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
            (programs / name).chmod(0o755)
        for name in ("var/lib/deskroster", "etc/deskroster", "backups"):
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
        for name in ("etc/deskroster", "backups"):
            (self._folder / name).mkdir()
        (self._folder / ".venv" / ".ready").touch()

    def follow(self, page: Path) -> None:
        """Paste every block of a page; end the server that it left running."""
        for block in blocks.commands_of(page):
            if not block.not_run:
                self.paste(block)
        self._stop()

    def type(self, command: str) -> str:
        """Paste a command of one's own; return what it prints."""
        return self._terminal.paste(command)

    def paste(self, block: Block) -> None:
        """Paste a block. Raises AssertionError where it fails or prints something else than the page shows."""
        self.pasted.append(block)
        if _STOP.search(block.said):
            self._stop()
        try:
            printed = "".join(map(self._run, _parts(block.text)))
        except AssertionError as error:
            raise AssertionError(f"{block.place}: {error}") from None
        for shown in self._comparable(self._here(block.prints)):
            matching = re.compile(".*".join(map(re.escape, shown.split(_ANYTHING))))
            assert any(map(matching.fullmatch, self._comparable(printed))), (
                f"{block.place}: the page shows\n{shown}\nand it printed\n{printed}"
            )

    def _run(self, part: str) -> str:
        """Run a part of a block: a server in its own terminal, what else there is in the other."""
        text = self._here(part)
        if not _SERVERS.match(part):
            for line in text.splitlines():
                if _LATER_SHELLS.match(line):
                    self._servers.paste(line)
            return self._noting(self._terminal.paste(text))
        self._stop()
        ready = _READY["serve" if " serve" in part else "make demo"]
        printed = self._servers.serve(_on_free_port(text), ready)
        found = ready.search(printed)
        assert found is not None
        self._port = found["url"].rpartition(":")[2]
        self.screen = printed
        return self._noting(printed)

    def _stop(self) -> None:
        if self._port:
            self._servers.interrupt()
            self._port = ""

    def _noting(self, printed: str) -> str:
        """Remember the first token that is shown: the administrator's, whom the demo shows first."""
        if found := _TOKEN.search(printed):
            self._token = found["token"]
        return printed

    def _here(self, text: str) -> str:
        """Return text of a page with what this machine has for what the page names."""
        if self._database is not None:
            text = _DATABASE.sub(lambda found: self._database(found["name"]), text)
        text = _FOLDER.sub(f"{self._folder}/", text)
        text = text.replace("TOKEN=…", f"TOKEN={self._token}")
        return text.replace(":8321", f":{self._port}") if self._port else text

    def _comparable(self, text: str) -> list[str]:
        """Return the lines of an output without what differs from one run to the next, and without spaces."""
        for name, form in _CHANGING.items():
            text = re.sub(form, name, text)
        return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _parts(text: str) -> list[str]:
    """Return the text, divided before and after each command that starts a server."""
    parts = [""]
    for command in re.split(r"(?<!\\)\n", text.rstrip("\n")):
        if _SERVERS.match(command):
            parts += [command, ""]
        else:
            parts[-1] += f"{command}\n"
    return [part for part in parts if part.strip()]


def _on_free_port(command: str) -> str:
    if command.startswith("make"):
        return f'{command} ARGS="--port 0"'
    if "--port " in command:
        command = re.sub(r"(?<=--port )\d+", "0", command)
    else:
        command += " --port 0"
    return re.sub(r"(?<=--metrics-port )\d+", "0", command)
