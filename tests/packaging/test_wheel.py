"""The wheel and the source archive: all that belongs into them and no more, and the command straight from the wheel."""

import re
import subprocess
import tarfile
import time
import zipfile
from contextlib import closing

import httpx2
import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

import deskroster
from deskroster.dialects import DIALECTS
from deskroster.testing import Account, Clients
from tests.cli.program import Program, finished
from tests.clones import TOP, tracked
from tests.packaging.asking import ask
from tests.packaging.built import WITHOUT_THE_SOURCE

pytestmark = [pytest.mark.once, pytest.mark.proof]

OF_THE_CLONE_ALONE = {".ci/run", ".gitignore"}
MADE_FOR_THE_ARCHIVE = re.compile(r"PKG-INFO|setup\.cfg|src/deskroster\.egg-info/.*")
LINK = re.compile(r"""(?:src|href)=["']([^"']+)""")


@pytest.fixture
def outside(empty_environment, tmp_path):
    """Give how a program of the wheel is run: its own, in a folder where nothing of the source is."""
    return {"program": [str(empty_environment / "deskroster")], "cwd": tmp_path, "env": WITHOUT_THE_SOURCE}


def test_the_wheel_holds_the_package_as_it_is_tracked_and_nothing_else(wheel):
    ours = {name.removeprefix("src/") for name in tracked() if name.startswith("src/")}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert ours == packed


def test_the_source_archive_holds_the_clone_and_nothing_else(dist):
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}

    assert set(tracked()) - OF_THE_CLONE_ALONE == {name for name in packed if not MADE_FOR_THE_ARCHIVE.fullmatch(name)}


def test_the_wheel_is_for_every_machine_and_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Metadata.from_email(archive.read(name), validate=True)
        licences = [name for name in archive.namelist() if "/licenses/" in name]

    assert ["py3-none-any"] == [str(tag) for tag in parse_wheel_filename(wheel.name)[3]]
    assert deskroster.__version__ == str(metadata.version)
    assert ("Apache-2.0", ["LICENSE"]) == (metadata.license_expression, metadata.license_files)
    assert [f"deskroster-{deskroster.__version__}.dist-info/licenses/LICENSE"] == licences
    assert metadata.summary
    assert (TOP / "README.md").read_text(encoding="utf-8") == metadata.description
    assert "text/markdown" == metadata.description_content_type
    assert None is metadata.project_urls, "no address is known at which the project can be found"


def test_the_demo_of_the_wheel_answers_signed_requests_in_every_dialect(outside):
    with Program("demo", "--port", "0", "--json", **outside) as demo:
        admin = Account(**demo.ready["admin"])
        ask(demo.ready["url"], admin)
        with closing(Clients(demo.ready["url"], admin, time.time, httpx2.HTTPTransport)) as clients:
            created = clients.udesk.post("/user_groups", json={"name": "夜班"}).json()
            assert "夜班" == clients.kf5.get(f"/groups/{created['id']}.json").json()["group"]["name"]
        ended = demo.stop()

    assert (0, "") == (ended.code, ended.out)


def test_the_pages_of_the_wheel_have_all_that_they_show(outside):
    with Program("demo", "--port", "0", "--json", **outside) as demo, httpx2.Client(trust_env=False) as client:
        for dialect in DIALECTS:
            page = httpx2.URL(demo.ready["url"]).join(f"/docs/{dialect.name}")
            links = LINK.findall(client.get(page).text)
            assert 3 <= len(links)
            assert {200} == {client.get(page.join(link)).status_code for link in links if not link.startswith("data:")}


def test_the_commands_of_the_wheel_make_an_installation_and_check_it(outside):
    made = finished(
        "init", "--data", "data", "--label", "acme", "--name", "Acme", "--email", "a@acme.com", "--json", **outside
    )
    doctor = finished("doctor", "--data", "data", **outside)

    assert (0, 0) == (made.code, doctor.code), made.err + doctor.err
    assert "acme" == made.json["company"]


def test_python_runs_the_package_of_the_wheel_and_not_of_the_source(empty_environment, outside):
    python = str(empty_environment / "python")
    where = subprocess.run(
        [python, "-c", "import deskroster; print(deskroster.__file__)"],
        cwd=outside["cwd"],
        env=WITHOUT_THE_SOURCE,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout

    assert where.startswith(str(empty_environment.parent))
    version = finished("--version", **{**outside, "program": [python, "-m", "deskroster"]})
    assert (0, f"deskroster {deskroster.__version__}\n") == (version.code, version.out)
