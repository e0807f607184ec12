"""What is taken away: the wheel and the source archive, built from the tracked files as `make dist` builds them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clones import TOP, clone

CONSTRAINTS = TOP / "constraints.txt"
WITHOUT_THE_SOURCE = {
    name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "DESKROSTER_DATA", "DESKROSTER_KEY"}
}


def build(folder: Path) -> None:
    """Build the source archive, and the wheel from it, into `dist` in a new folder."""
    clone(folder / "source")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(folder / "source")],
        env=WITHOUT_THE_SOURCE,
        check=True,
    )


def install(wheel: Path, into: Path) -> None:
    """Install a wheel and what it needs, in the pinned versions and without a compiler, into a new environment."""
    wanted = ["--only-binary", ":all:", "--constraint", str(CONSTRAINTS), str(wheel)]
    python = str(into / "bin" / "python")
    if uv := shutil.which("uv"):
        run(uv, "venv", "--quiet", "--python", sys.executable, str(into))
        run(uv, "pip", "install", "--quiet", "--python", python, *wanted)
    else:
        run(sys.executable, "-m", "venv", "--without-pip", str(into))
        run(sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--disable-pip-version-check", *wanted)


def run(*command: str) -> None:
    """Run a command without our source on its path."""
    subprocess.run(command, env=WITHOUT_THE_SOURCE, check=True)
