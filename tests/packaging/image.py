"""The Containerfile, carried out instruction by instruction without a container engine."""

import os
import shutil
from pathlib import Path
from signal import Signals
from string import Template

import dockerfile
from docker.utils.build import exclude_paths

from tests.packaging.containers import Image, base_image, copy, succeed

IGNORED = ".dockerignore"
BASE = "python:3.13-slim"
FOR_REGISTRIES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def context_of(folder: Path) -> set[str]:
    """Return the files of a folder that an engine would send to a build."""
    patterns = (folder / IGNORED).read_text(encoding="utf-8").splitlines()
    kept = exclude_paths(str(folder), [line for line in patterns if line and not line.startswith("#")], "Containerfile")
    return {path for path in kept if (folder / path).is_file()} - {"Containerfile", IGNORED}


def build(source: Path, scratch: Path) -> Image:
    """Build the last stage of the Containerfile in a folder. Raises AssertionError with what a failed step printed."""
    context = scratch / "context"
    for path in context_of(source):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, context / path)
    base = base_image(scratch / "base")
    stages: dict[str, Image] = {}
    image = base
    for step in dockerfile.parse_file(str(source / "Containerfile")):
        if step.cmd == "FROM":
            assert BASE == step.value[0], f"not the base image that is played here: {step.original}"
            name = step.value[2] if len(step.value) > 1 else str(len(stages))
            image = stages[name] = Image(scratch / name)
            copy(base.root, image.root)
        elif step.cmd == "COPY":
            _copy(image, step, context, stages)
        elif step.cmd == "RUN":
            _run(image, step)
        else:
            _note(image, step)
    for left in (context, base.root, *(stage.root for stage in stages.values() if stage is not image)):
        shutil.rmtree(left)
    return image


def _copy(image: Image, step: dockerfile.Command, context: Path, stages: dict[str, Image]) -> None:
    origin = context
    for flag in step.flags:
        name, _, value = flag.partition("=")
        assert name == "--from", f"not carried out here: {step.original}"
        origin = stages[value].root
    *sources, to = step.value
    target = image.root / str(Path(image.folder, to)).lstrip("/")
    for source in sources:
        found = origin / source.lstrip("/")
        into = target / found.name if found.is_file() and (to.endswith("/") or target.is_dir()) else target
        into.parent.mkdir(parents=True, exist_ok=True)
        copy(found, into)


def _run(image: Image, step: dockerfile.Command) -> None:
    assert not step.flags, f"not carried out here: {step.original}"
    command = list(step.value) if step.json else ["/bin/sh", "-c", *step.value]
    passed = {name: value for name, value in os.environ.items() if name.startswith(FOR_REGISTRIES)}
    own = image.environment
    image.environment = own | passed
    succeed(image, command)
    image.environment = own


def _note(image: Image, step: dockerfile.Command) -> None:
    value = list(step.value)
    match step.cmd:
        case "WORKDIR":
            image.folder = str(Path(image.folder, value[0]))
            (image.root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ENV":
            pairs = zip(value[::2], value[1::2], strict=True)
            image.environment |= {name: Template(text).substitute(image.environment) for name, text in pairs}
        case "USER":
            image.user, image.group = map(int, value[0].split(":"))
        case "VOLUME":
            image.volumes += value
        case "EXPOSE":
            image.ports += map(int, value)
        case "STOPSIGNAL":
            image.stop_signal = Signals[value[0]]
        case "HEALTHCHECK":
            assert ("CMD", True) == (value[0], step.json), f"not carried out here: {step.original}"
            image.healthcheck = value[1:]
        case "ENTRYPOINT" | "CMD":
            assert step.json, f"it would run in a shell, which gets the signals: {step.original}"
            setattr(image, step.cmd.lower().replace("cmd", "command"), value)
        case _:
            raise AssertionError(f"not carried out here: {step.original}")
