"""Containers without a container engine: a root folder, entered by chroot in namespaces of its own. Needs root.

The base image is played by this machine: its programs are mounted read-only, and /usr/local holds an environment of
this Python, where `python:slim` has its own. What a container writes lands in its root folder or in its volumes.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.cli.program import PATIENCE, Result

PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
SETTINGS = (
    "alternatives", "hosts", "ld.so.cache", "login.defs", "nsswitch.conf", "pip.conf", "resolv.conf", "ssl", "xdg",
)  # fmt: skip
ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n", "shadow": "root:*:1::::::\n"}
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = Path(sys.base_prefix)
OWN_PYTHON = Path("/usr/local")


@dataclass
class Image:
    """A root folder, and what a container of it starts with."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    user: int = 0
    group: int = 0
    folder: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    stop_signal: int = signal.SIGTERM
    volumes: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)


def base_image(root: Path) -> Image:
    """Make the image with the programs of this machine and its Python."""
    for name in ("dev", "etc", "opt", "proc", "root", "run", "tmp", "usr-local", "var/lib"):
        (root / name).mkdir(parents=True, mode=0o755)
    (root / "tmp").chmod(0o1777)
    for name in PROGRAMS:
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in filter(lambda name: Path("/etc", name).exists(), SETTINGS):
        copy(Path("/etc", name), root / "etc" / name, "--dereference")
    for name, text in ACCOUNTS.items():
        (root / "etc" / name).write_text(text, encoding="utf-8")
    image = Image(root)
    if PYTHON != OWN_PYTHON:
        python = Path(PYTHON, "bin", "python{}.{}".format(*sys.version_info))
        succeed(image, [str(python), "-m", "venv", str(OWN_PYTHON)])
    return image


def copy(source: Path, to: Path, *options: str) -> None:
    """Copy a file or folder with its owners, modes and symbolic links."""
    subprocess.run(["cp", "--archive", "--no-target-directory", *options, str(source), str(to)], check=True)


def succeed(image: Image, command: Sequence[str]) -> None:
    """Carry out a step of a build: it may write everywhere, and reaches the registries of packages."""
    done = subprocess.run(
        entering(image, command, {}, read_only=False, own_network=False),
        env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, f"{command}\n{done.stdout}\n{done.stderr}"


def entering(
    image: Image,
    command: Sequence[str],
    volumes: Mapping[str, Path],
    environment: Mapping[str, str] = {},
    *,
    read_only: bool = True,
    own_network: bool = True,
) -> list[str]:
    """Return the command of this machine that runs one in a container of the image, as process 1."""
    programs = [path for name in PROGRAMS if (path := Path("/", name)).is_dir() and not path.is_symlink()]
    pythons = [path for path in {PYTHON, PYTHON.resolve()} if not path.is_relative_to("/usr")]
    own_python = [] if PYTHON == OWN_PYTHON else [(str(image.root / "usr-local"), str(OWN_PYTHON))]
    how = {
        "root": str(image.root),
        "mounts_read_only": [str(path) for path in (*programs, *pythons)],
        "mounts": [*own_python, *((str(source), path) for path, source in volumes.items())],
        "read_only": read_only,
        "own_network": own_network,
        "user": image.user,
        "group": image.group,
        "environment": {**image.environment, **environment},
        "folder": image.folder,
        "command": list(command),
    }
    namespaces = ["--mount", "--pid", "--ipc", "--uts", *(["--net"] if own_network else [])]
    enter = [sys.executable, str(Path(__file__).with_name("enter.py")), json.dumps(how)]
    return ["unshare", *namespaces, "--fork", *enter]


def inside(image: Image, process: int, command: Sequence[str]) -> list[str]:
    """Return the command of this machine that runs a further one, as its user, in the container of a process 1."""
    rights = ["--setuid", str(image.user), "--setgid", str(image.group), "--root", "--wd"]
    variables = [f"{name}={value}" for name, value in image.environment.items()]
    namespaces = ["--mount", "--pid", "--ipc", "--uts", "--net"]
    return ["nsenter", "--target", str(process), *namespaces, *rights, "/usr/bin/env", "-i", *variables, *command]


def child_of(process: int) -> int:
    """Return the id of the only child of a process."""
    return int(Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii"))


class Container:
    """A running container of an image: `with` starts it, and stops it as an engine does."""

    def __init__(self, image: Image, volumes: Mapping[str, Path], *arguments: str, **how: Any) -> None:
        self._image = image
        command = [*image.entrypoint, *(arguments or image.command)]
        self._command = entering(image, command, volumes, **how)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self

    def first_line(self) -> str:
        """Wait for the first line on standard output: a server prints it when it answers. Empty if there was none."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    @property
    def process(self) -> int:
        """The id, on this machine, of the container's process 1."""
        return child_of(self._process.pid)

    def execute(self, *command: str) -> Result:
        """Run a further command in the container, as its user."""
        return self._result(inside(self._image, self.process, command))

    def from_outside(self, *command: str, **how: Any) -> Result:
        """Run a command of this machine where it reaches the container's ports: each as if it were published."""
        return self._result(["nsenter", "--target", str(self.process), "--net", *command], **how)

    def _result(self, command: list[str], **how: Any) -> Result:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False, **how,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)

    def stop(self) -> Result:
        """Send the image's stop signal to process 1; return how it ended and what it printed."""
        os.kill(self.process, self._image.stop_signal)
        return self.ended()

    def ended(self) -> Result:
        """Wait for the end; return how it ended and what it printed."""
        out, err = self._process.communicate(timeout=PATIENCE)
        return Result(self._process.returncode, out, err)

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def run(image: Image, volumes: Mapping[str, Path], *arguments: str, **how: Any) -> Result:
    """Run a container to its end."""
    with Container(image, volumes, *arguments, **how) as container:
        return container.ended()
