"""Secrets that a command reads: never from the command line, which every user of the machine can see."""

import sys

import typer

from deskroster.cli.console import Exit, Refused


def read_secret(what: str) -> str:
    """Return a secret: at a terminal from two prompts, otherwise the first line of standard input. Raises Refused."""
    if sys.stdin.isatty():
        answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
        return answer
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Refused(Exit.USAGE, f"standard input holds no {what.lower()}")
    return line
