"""Secrets that a command reads: never from the command line, which every user of the machine can see."""

import sys

import typer

from deskroster.cli.console import Exit, Refused, print_error, worded
from deskroster.texts import Text, said


def read_password() -> str:
    """Return a password, as `read_secret` does. Raises Refused."""
    return read_secret(said("Password"), said("standard input holds no password"))


def read_secret(prompt: Text, missing: Text) -> str:
    """Return a secret: at a terminal from two prompts, otherwise the first line of standard input. Raises Refused."""
    if sys.stdin.isatty():
        return _prompted(prompt)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Refused(Exit.USAGE, missing)
    return line


def _prompted(prompt: Text) -> str:
    while True:
        first, again = map(_answer, (prompt, said("Repeat for confirmation")))
        if first == again:
            return first
        print_error(Refused(Exit.USAGE, said("the two entered values do not match")))


def _answer(prompt: Text) -> str:
    answer: str = typer.prompt(worded(said("{prompt}: ", prompt=prompt)), prompt_suffix="", hide_input=True, err=True)
    return answer
