"""`podman` where there is none: what the how-to page uses of it, on the image that the tests have made.

python -m tests.packaging.podman FOLDER ARGUMENT… The folder holds the image, the volumes, the secrets, and of each
container that runs the id of its process 1. An option that the page does not use is an error.
"""

import argparse
import os
import pickle
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.cli.program import PATIENCE
from tests.packaging.containers import Image, child_of, copy, entering, inside


def options() -> argparse.ArgumentParser:
    """Return what is understood of podman."""
    parser = argparse.ArgumentParser("podman", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build")
    build.add_argument("--tag", choices=["deskroster"], required=True)
    build.add_argument("context", choices=["."])
    run = commands.add_parser("run", allow_abbrev=False)
    for name in ("--rm", "--detach", "--interactive", "--tty", "--read-only"):
        run.add_argument(name, action="store_true")
    for name in ("--volume", "--env", "--secret", "--publish"):
        run.add_argument(name, action="append", default=[])
    run.add_argument("--name")
    run.add_argument("--entrypoint")
    run.add_argument("--stop-timeout", type=int)
    run.add_argument("image", choices=["deskroster"])
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    execute = commands.add_parser("exec")
    execute.add_argument("name")
    execute.add_argument("arguments", nargs=argparse.REMAINDER)
    for name in ("stop", "rm"):
        commands.add_parser(name).add_argument("name")
    secret = commands.add_parser("secret")
    secret.add_argument("create", choices=["create"])
    secret.add_argument("name")
    secret.add_argument("source", choices=["-"])
    return parser


def podman(folder: Path, arguments: Sequence[str]) -> None:
    """Do what podman does with the arguments."""
    given = options().parse_args(arguments)
    image = pickle.loads((folder / "image").read_bytes())
    match given.command:
        case "run":
            _run(folder, image, given)
        case "exec":
            become(inside(image, int((folder / given.name).read_text()), given.arguments))
        case "stop":
            stop(folder / given.name)
        case "rm":
            (folder / given.name).unlink()
        case "secret":
            (folder / f"secret-{given.name}").write_bytes(sys.stdin.buffer.read())


def become(command: Sequence[str]) -> None:
    """Go on as another program."""
    sys.stdout.flush()
    os.execvp(command[0], command)


def _run(folder: Path, image: Image, given: argparse.Namespace) -> None:
    if given.entrypoint:
        image = replace(image, entrypoint=[given.entrypoint], command=[])
    command = entering(
        image,
        [*image.entrypoint, *(given.arguments or image.command)],
        dict(_volume(folder, image, text) for text in given.volume),
        dict([*map(_variable, given.env), *(_secret(folder, text) for text in given.secret)]),
        read_only=given.read_only,
    )
    if not given.detach:
        become(command)
    assert not (folder / given.name).exists(), f"the name {given.name} is in use"
    log = folder / f"log-{given.name}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + PATIENCE
    while b" answers at " not in log.read_bytes():  # podman does not wait for that: people look again, a test does not
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.02)
    (folder / given.name).write_text(str(child_of(process.pid)))


def stop(container: Path) -> None:
    """Send the stop signal, and wait for the end. Raises AssertionError if it did not come."""
    ends = os.pidfd_open(int(container.read_text()))
    signal.pidfd_send_signal(ends, signal.SIGTERM)
    assert [ends] == select.select([ends], [], [], PATIENCE)[0]
    os.close(ends)


def _volume(folder: Path, image: Image, text: str) -> tuple[str, Path]:
    name, path = text.split(":")
    volume = folder / f"volume-{name}"
    if not volume.exists():
        copy(image.root / path.strip("/"), volume)
    return path, volume


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value or os.environ[name]


def _secret(folder: Path, text: str) -> tuple[str, str]:
    name, kind, target = text.split(",")
    assert "type=env" == kind
    return target.removeprefix("target="), (folder / f"secret-{name}").read_text(encoding="ascii")


def commands(folder: Path) -> Path:
    """Make the folder of commands that a shell finds first: podman, and curl beside the container `deskroster`."""
    made = folder / "bin"
    made.mkdir()
    podman = shlex.join([sys.executable, "-m", "tests.packaging.podman", str(folder)])
    curl = f'nsenter --target "$(cat {shlex.quote(str(folder / "deskroster"))})" --net {shutil.which("curl")}'
    for name, command in (("podman", podman), ("curl", curl)):
        (made / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (made / name).chmod(0o755)
    return made


if __name__ == "__main__":
    podman(Path(sys.argv[1]), sys.argv[2:])
