"""The commands of several steps: how each begins and is given, and what must be so when it was killed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from deskroster.ledger import location
from tests.databases import Databases
from tests.faults.disk import Disk
from tests.faults.forks import Ended, Forks

COMPANY = ("--label", "acme", "--name", "Acme", "--email", "admin@acme.com")
OTHER = ("--name", "Other", "--email", "admin@other.com")
KNOWN = "质检"  # a position that must not be lost
DAMAGED = 7


class Ground:
    """A folder below which a case stands, and its database; put back as often as it is wanted."""

    def __init__(self, forks: Forks, base: Path, databases: Databases | None, name: str) -> None:
        self.forks = forks
        self.disk: Disk = forks.disk
        self.top = Path(forks.disk.environment["FAULTS_FOLDER"])
        self.data = self.top / "data"
        self._base = base
        self._databases = databases
        self._name, self._kept = name, f"{name}_kept"
        self._empty()
        self.url = databases.create(name) if databases else ""

    def keep(self) -> None:
        """Keep all as it is now."""
        shutil.copytree(self.top, self._base)
        if self._databases:
            self._databases.create(self._kept, self._name)

    def reset(self) -> None:
        """Put all back as it was kept."""
        self._empty()
        shutil.copytree(self._base, self.top, dirs_exist_ok=True)
        if self._databases:
            self._databases.create(self._name, self._kept)

    def remove(self) -> None:
        self._empty()
        if self._databases:
            self._databases.drop(self._name)
            self._databases.drop(self._kept)

    def done(self, *arguments: str | Path, altered: str = "") -> Ended:
        """Run a command that must succeed."""
        ended = self.forks.run(*arguments, altered=altered)
        assert 0 == ended.code, ended
        return ended

    def well(self, data: Path, altered: str = "") -> None:
        """See that an installation is well and has lost nothing."""
        self.done("doctor", "--data", data, altered=altered)
        assert KNOWN in self.done("position", "list", "--data", data, "--company", "acme", altered=altered).out

    def not_damaged(self, data: Path) -> None:
        """See that nothing takes a folder for damaged."""
        ended = self.forks.run("doctor", "--data", data, "--json")
        assert ended.code != DAMAGED, ended
        assert '"ok":false' not in ended.out, ended
        assert "Traceback" not in ended.err, ended.err

    def usable(self) -> int:
        """Return how many of the two places of a move can be used: the folder's database, and the other one."""
        folder, there = self.top / "here", self.top / "there"
        for copy in (folder, there):
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir(mode=0o700)
            shutil.copy(self.data / "key", copy)
        for file in self.data.glob("deskroster.db*"):
            shutil.copy(file, folder)
        location.note(there, self.url)
        listed = [
            self.forks.run("position", "list", "--data", copy, "--company", "acme")
            for copy in (folder, there)
            if location.is_installation(copy)
        ]
        return sum(KNOWN in ended.out for ended in listed)

    def _empty(self) -> None:
        for path in self.top.iterdir():
            shutil.rmtree(path)


class Case(NamedTuple):
    """A command."""

    command: Callable[[Ground], tuple[str | Path, ...]]
    prepare: Callable[[Ground], None]
    after: Callable[[Ground], None]  # looks whether all is well once it was given again
    between: Callable[[Ground], None]  # looks at what a killed one has left
    failed: Callable[[Ground], None] = lambda ground: None  # looks at what a failed one has left
    done_before: str = ""  # what it says when it had been done already
    on_postgresql: bool = False
    altered: str = ""
    opposite: Callable[[Ground], tuple[str | Path, ...]] | None = None  # what may be given instead of it again

    def well(self, again: Ended) -> bool:
        """Tell whether a command that was given again has done it, or says that it was done."""
        return again.code == 0 or bool(self.done_before and again.code in (1, 4) and self.done_before in again.err)


def initialized(ground: Ground, *more: str | Path) -> None:
    ground.done("init", "--data", ground.data, *COMPANY, *more)
    ground.done("position", "add", KNOWN, "--data", ground.data)


def initialized_elsewhere(ground: Ground) -> None:
    initialized(ground, "--database", ground.url)


def backed_up(ground: Ground) -> None:
    initialized(ground)
    ground.done("backup", ground.top / "backup", "--data", ground.data)


def init(ground: Ground) -> None:
    assert ["acme"] == labels(ground)
    ground.done("doctor", "--data", ground.data)


def labels(ground: Ground) -> list[str]:
    return [one["label"] for one in ground.done("company", "list", "--data", ground.data, "--json").json]


def restorable(ground: Ground) -> None:
    ground.done("restore", ground.top / "backup", "--check", "--data", ground.data)
    assert {"data", "backup"} == {path.name for path in ground.top.iterdir()}
    ground.well(ground.data)


def nothing_left(ground: Ground) -> None:
    assert ["data"] == [path.name for path in ground.top.iterdir()]


def usable_at_once(ground: Ground) -> None:
    ground.well(ground.data)


def moved(to_sqlite: bool) -> Callable[[Ground], None]:
    def look(ground: Ground) -> None:
        assert (location.noted_in(ground.data) is None) == to_sqlite
        assert ground.usable() == 1
        ground.well(ground.data)

    return look


def in_one_place(ground: Ground) -> None:
    """See that a move has ended somewhere, and nothing is lost."""
    assert ground.usable() == 1
    ground.well(ground.data)


def at_most_one(ground: Ground) -> None:
    assert ground.usable() <= 1
    ground.not_damaged(ground.data)


def two_companies(ground: Ground) -> None:
    assert ["acme", "other"] == labels(ground)
    ground.well(ground.data)


def upgraded(ground: Ground) -> None:
    ground.well(ground.data, "later")


def _init(ground: Ground) -> tuple[str | Path, ...]:
    return ("init", "--data", ground.data, *COMPANY, *(("--database", ground.url) if ground.url else ()))


def _rotate(ground: Ground) -> tuple[str | Path, ...]:
    return ("rotate-installation-key", "--data", ground.data)


def _add(ground: Ground) -> tuple[str | Path, ...]:
    return ("company", "add", "other", *OTHER, "--data", ground.data)


def _list(ground: Ground) -> tuple[str | Path, ...]:
    return ("position", "list", "--data", ground.data, "--company", "acme")


def _backup(ground: Ground) -> tuple[str | Path, ...]:
    return ("backup", ground.top / "backup", "--data", ground.data)


def _restore(ground: Ground) -> tuple[str | Path, ...]:
    return ("restore", ground.top / "backup", "--data", ground.top / "new", "--key-file", ground.data / "key")


def _move(ground: Ground) -> tuple[str | Path, ...]:
    return ("move", "--data", ground.data, "--to", ground.url)


def _move_back(ground: Ground) -> tuple[str | Path, ...]:
    return ("move", "--data", ground.data, "--to", "sqlite")


def _nothing(ground: Ground) -> None:
    pass


def _not_damaged(ground: Ground) -> None:
    ground.not_damaged(ground.data)


def _new_not_damaged(ground: Ground) -> None:
    ground.not_damaged(ground.top / "new")


def _new_well(ground: Ground) -> None:
    ground.well(ground.top / "new")


_AT_ONE = "is an installation already"
CASES = {
    "init": Case(_init, _nothing, init, _not_damaged, done_before=_AT_ONE),
    "backup": Case(_backup, initialized, restorable, usable_at_once, nothing_left, "exists"),
    "restore": Case(_restore, backed_up, _new_well, _new_not_damaged, done_before="is not empty"),
    "rotate": Case(_rotate, initialized, usable_at_once, usable_at_once, usable_at_once),
    "company add": Case(_add, initialized, two_companies, usable_at_once, usable_at_once, "already in use"),
    "upgrade": Case(_list, initialized, upgraded, usable_at_once, usable_at_once, altered="later"),
    "init on PostgreSQL": Case(_init, _nothing, init, _not_damaged, done_before=_AT_ONE, on_postgresql=True),
    "backup on PostgreSQL": Case(
        _backup, initialized_elsewhere, restorable, usable_at_once, nothing_left, "exists", on_postgresql=True
    ),
    "rotate on PostgreSQL": Case(
        _rotate, initialized_elsewhere, usable_at_once, usable_at_once, usable_at_once, on_postgresql=True
    ),
    "company add on PostgreSQL": Case(
        _add,
        initialized_elsewhere,
        two_companies,
        usable_at_once,
        usable_at_once,
        "already in use",
        on_postgresql=True,
    ),
    "upgrade on PostgreSQL": Case(
        _list, initialized_elsewhere, upgraded, usable_at_once, usable_at_once, on_postgresql=True, altered="later"
    ),
    "move to PostgreSQL": Case(
        _move, initialized, moved(False), at_most_one, at_most_one, "already", on_postgresql=True, opposite=_move_back
    ),
    "move to SQLite": Case(
        _move_back,
        initialized_elsewhere,
        moved(True),
        at_most_one,
        at_most_one,
        "already",
        on_postgresql=True,
        opposite=_move,
    ),
}
