"""The tracked files, and copies of them: what make and the tests have left in the tree is not there."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


def tracked() -> list[str]:
    """Return the paths of the files that belong to the clone, those not yet committed too."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        check=False,
    )
    if not listed.stdout:
        pytest.skip("not a clone")
    return [name for name in listed.stdout.decode().split("\0") if name and (TOP / name).is_file()]


def clone(to: Path) -> None:
    """Copy the tracked files, so that what make and the tests have left in the tree is in nobody's way."""
    for name in tracked():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, to / name)
