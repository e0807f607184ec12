"""The fuzzers, each in a process of its own: what schemathesis makes of a document, and what coverage leads to."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from msgspec.structs import asdict

from deskroster.testing import Emulator

TOP = Path(__file__).parents[2]
TARGETS = ("decoder", "signatures", "basic")

_CHECKS = "no_failure_but_busy,status_code_conformance,content_type_conformance,response_schema_conformance"
_ANSWERS = re.compile(r'^deskroster_answers_total\{dialect="(\w+)",status="(\d+)"\} ([\d.]+)', re.MULTILINE)
_PROGRESS = ("#", "INFO: ")  # as such lines start
_START = 300  # seconds that a fuzzer may take besides those it is given


class Found(AssertionError):
    """A fuzzer has found something; it says what."""


def schema(dialect: str, seconds: int) -> Counter[int]:
    """Send each call of a dialect what its document allows, and what it does not. Return the answers, by status.

    Raises Found where an answer is not what the document says, or a failure of the server.
    """
    with Emulator(empty=True) as server, tempfile.TemporaryDirectory() as folder:
        command = [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/docs/{dialect}/openapi.json",
            "--url", server.url + _prefix(server, dialect), "--checks", _CHECKS, "--max-time", str(seconds),
            "--phases", "coverage,fuzzing", "--max-failures", "1", "--no-color", "--warnings", "off",
        ]  # fmt: skip
        signs = json.dumps({"dialect": dialect, "account": asdict(server.admin)})
        known = {"SCHEMATHESIS_HOOKS": "tests.fuzz.signing", "DESKROSTER_SIGNS": signs, "PYTHONPATH": str(TOP)}
        _run(command, seconds, folder, known)
        assert 200 == server.own.get("/v1/positions").status_code  # to the end, who signed could
        return _answers(server, dialect)


def coverage(target: str, seconds: int) -> int:
    """Fuzz a reader, led by the lines that inputs reach. Return how many there were. Raises Found."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.fuzz.coverage", target, str(seconds)]
        told = _run(command, seconds, folder, {"PYTHONPATH": str(TOP)})
    done = re.search(r"^Done (\d+) runs", told, re.MULTILINE)
    assert done is not None, told
    return int(done[1])


def _run(command: list[str | Path], seconds: int, folder: str, known: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **known}, timeout=seconds + _START, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        told = (done.stdout + done.stderr).splitlines()
        raise Found("\n".join(line for line in told if not line.startswith(_PROGRESS)))
    return done.stdout + done.stderr


def _prefix(server: Emulator, dialect: str) -> str:
    found = server.own.get(f"{server.url}/docs/{dialect}/openapi.json").json()
    return str(found["servers"][0]["url"])


def _answers(server: Emulator, dialect: str) -> Counter[int]:
    told = server.own.get(f"{server.url}/metrics").text
    return Counter({int(status): int(float(n)) for name, status, n in _ANSWERS.findall(told) if name == dialect})
