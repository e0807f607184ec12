"""The Containerfile: each of its steps is carried out on this machine, and what it makes is run as a container is.

Needs root and Linux, for the namespaces. Where no container may have them, neither may these tests.
"""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import distributions

import pytest
from packaging.utils import canonicalize_name

import deskroster
from deskroster.testing import Account
from tests.cli.program import environment
from tests.clones import TOP, clone, tracked
from tests.once import made_once
from tests.packaging.asking import ask
from tests.packaging.built import CONSTRAINTS
from tests.packaging.containers import Container, run

pytest.importorskip("dockerfile")
from tests.packaging import image as images
from tests.packaging import podman

pytestmark = [pytest.mark.once, pytest.mark.proof]

PAGE = TOP / "docs" / "how-to" / "run-in-a-container.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DATA = "/var/lib/deskroster"
INIT = ("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--json")
ASK = (sys.executable, "-m", "tests.packaging.asking")
NOT_FOR_AN_IMAGE = (
    ".venv/bin/python", "build/docs/index.html", "data/key", "deskroster.db", "src/deskroster.egg-info/PKG-INFO",
    "src/deskroster/__pycache__/app.cpython-311.pyc", ".git/config",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Give a clone in which people have worked: with what must not get into an image."""
    folder = tmp_path_factory.mktemp("source")
    clone(folder)
    for path in NOT_FOR_AN_IMAGE:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("secret")
    return folder


@pytest.fixture(scope="module")
def image(source, tmp_path_factory):
    """Give the image, whose every step has been carried out, once for all workers."""
    may = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "true"]
    if not sys.platform.startswith("linux") or os.geteuid() or subprocess.run(may, check=False).returncode:
        pytest.skip("only root may make the namespaces of a container")

    def make(folder):
        built = images.build(source, folder)
        (folder / "pickled").write_bytes(pickle.dumps(built))

    return pickle.loads((made_once(tmp_path_factory.getbasetemp(), "image", make) / "pickled").read_bytes())


@pytest.fixture
def volumes(image, tmp_path):
    """Give new volumes: as an engine makes them, with owner and mode of the folder of the image."""
    made = {path: tmp_path / path.strip("/").replace("/", "-") for path in (*image.volumes, "/backups")}
    for path, volume in made.items():
        images.copy(image.root / path.strip("/"), volume)
    return made


@pytest.fixture
def admin(image, volumes):
    """Give the administrator that `init` shows, in a container that ends with it."""
    made = run(image, volumes, *INIT)
    assert 0 == made.code, made.err
    return {name: json.loads(made.out)["admin"][name] for name in ("id", "email", "password", "token")}


def test_nothing_but_what_is_built_from_is_sent_to_a_build(source):
    sources = {name for name in tracked() if name.startswith("src/")}

    assert {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", *sources} == images.context_of(source)


def test_the_image_runs_as_nobody_in_particular_and_keeps_its_data_in_a_volume(image):
    assert image.user >= 10_000
    assert [DATA] == image.volumes
    assert DATA == image.environment["DESKROSTER_DATA"]
    assert [8321] == image.ports
    assert signal.SIGTERM == image.stop_signal
    assert (["deskroster"], ["serve", "--host", "0.0.0.0"]) == (image.entrypoint, image.command)


def test_the_image_has_the_pinned_versions_and_nothing_to_build_with(image):
    lines = (line.split("==") for line in CONSTRAINTS.read_text(encoding="ascii").splitlines() if "==" in line)
    pinned = {canonicalize_name(name): version for name, version in lines}
    (packages,) = image.root.glob("opt/deskroster/lib/python*/site-packages")
    installed = {
        canonicalize_name(found.metadata["Name"]): found.version for found in distributions(path=[str(packages)])
    }

    assert deskroster.__version__ == installed.pop("deskroster")
    assert len(installed) > 20
    assert set() == installed.items() - pinned.items()
    assert set() == {"pip", "setuptools", "wheel", "build", "pytest"} & set(installed)
    assert not (image.root / "src").exists()
    assert not [path for path in image.root.rglob("*") if path.is_file() and path.name in ("key", "deskroster.db")]


def test_its_server_answers_signed_requests_and_stops_in_good_order(image, volumes, admin):
    with Container(image, volumes) as container:
        line = container.first_line()
        asked = container.from_outside(*ASK, "http://127.0.0.1:8321", json.dumps(admin), env=environment(), cwd=TOP)
        owner = os.stat(f"/proc/{container.process}").st_uid
        ended = container.stop()

    assert "answers at http://0.0.0.0:8321 for acme" in line
    assert 0 == asked.code, asked.err
    assert image.user == owner
    assert (0, "") == (ended.code, ended.out)


def test_it_is_healthy_while_it_answers_and_not_before(image, volumes, admin):
    with Container(image, volumes, "serve", "--port", "8322") as elsewhere:
        elsewhere.first_line()
        unhealthy = elsewhere.execute(*image.healthcheck)
        elsewhere.stop()
    with Container(image, volumes) as container:
        container.first_line()
        healthy = container.execute(*image.healthcheck)

    assert 1 == unhealthy.code
    assert (0, "", "") == healthy


def test_commands_in_the_running_container_reach_its_server(image, volumes, admin):
    with Container(image, volumes) as container:
        container.first_line()
        added = container.execute("deskroster", "agent", "list", "--json")
        doctor = container.execute("deskroster", "doctor")
        backup = container.execute("deskroster", "backup", "/backups/first")

    assert (0, 0, 0) == (added.code, doctor.code, backup.code), added.err + doctor.err + backup.err
    assert {"backup.json", "deskroster.db"} == {path.name for path in (volumes["/backups"] / "first").iterdir()}


def test_a_backup_is_restored_into_a_new_volume_with_the_key_from_the_environment(image, volumes, admin):
    key = run(replace(image, entrypoint=["cat"]), volumes, "key").out.strip()
    assert 0 == run(image, volumes, "backup", "/backups/first").code
    shutil.rmtree(volumes[DATA])
    images.copy(image.root / DATA.strip("/"), volumes[DATA])

    restored = run(image, volumes, "restore", "/backups/first", environment={"DESKROSTER_KEY": key})
    with Container(image, volumes, environment={"DESKROSTER_KEY": key}) as container:
        line = container.first_line()

    assert 0 == restored.code, restored.err
    assert "for acme" in line
    assert not (volumes[DATA] / "key").exists()


def test_a_container_without_an_installation_says_how_to_make_one(image, volumes):
    ended = run(image, volumes)

    assert 0 != ended.code
    assert "deskroster init" in ended.err


def test_the_demo_answers_on_the_network_of_the_machine_and_is_refused_elsewhere(image, volumes):
    refused = run(image, volumes, "demo", "--host", "0.0.0.0")
    with Container(image, volumes, "demo", "--port", "0", "--json", own_network=False) as container:
        ready = json.loads(container.first_line())
        ask(ready["url"], Account(**ready["admin"]))
        ended = container.stop()

    assert 2 == refused.code
    assert "--network host" in refused.err
    assert (0, "") == (ended.code, ended.out)


def test_every_command_of_the_page_about_containers_runs_as_printed(image, tmp_path):
    """In their order, each on what those before made, but for the secret, which is instead of the file with the key."""
    first, instead = (engine(tmp_path / name, image) for name in ("first", "instead"))
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (demo,) = [block for block in blocks if "--network host" in block]  # at a fixed port of this machine
    try:
        for block in blocks:
            if block != demo:
                pasted(block, instead if "secret create" in block else first)
        key = (tmp_path / "first" / "volume-deskroster" / "key").read_text()
        restored = {path.name for path in (tmp_path / "first" / "volume-deskroster-restored").iterdir()}
    finally:
        if (tmp_path / "first" / "deskroster").exists():
            podman.stop(tmp_path / "first" / "deskroster")

    assert 7 <= len(blocks)
    assert key == (tmp_path / "first" / "deskroster-key").read_text()
    assert "deskroster.db" in restored
    assert "key" not in restored | set(os.listdir(tmp_path / "instead" / "volume-deskroster"))


def engine(folder, image):
    """Make an engine with nothing but the image; return its folder."""
    folder.mkdir()
    (folder / "image").write_bytes(pickle.dumps(image))
    podman.commands(folder)
    return folder


def pasted(block, folder):
    """Run a block of a page in a shell that finds the engine first."""
    variables = {**environment(), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"


def test_control_a_step_that_fails_is_noticed(source, tmp_path, image):
    shutil.copytree(source, tmp_path / "source")
    file = tmp_path / "source" / "Containerfile"
    file.write_text(file.read_text(encoding="utf-8").replace("COPY src src", "COPY src elsewhere"), encoding="utf-8")

    with pytest.raises(AssertionError, match=r"pip --python"):
        images.build(tmp_path / "source", tmp_path / "image")
