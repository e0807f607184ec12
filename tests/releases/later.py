"""A program of a later version: our own source with fields more, as a later release would have them.

`become` must be called before anything that imports records. Nothing else is changed.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

RECORDS, TABLES = "deskroster.core.records", "deskroster.ledger.disk.tables"
FIELDS = {
    '    sip_number: str = ""\n': (
        '    pronouns: str = ""\n    skills: tuple[str, ...] = ()\n    pin: Secret | None = None\n'
    ),
    '    description: str = ""\n': "    colour: str | None = None\n",
    "    profile_object_id: int = 13\n": '    motto: str = ""\n',
    '"agent": ("sip_password", "password"': ', "pin"',
}
"""What stands in the source of the records, and what follows on it in the later version."""
COLUMN = {'    sip_number: str = ""\n': '    pronouns: str = ""\n'}
COLUMN_OF_TABLE = {'_text("callout_number"), _text("sip_number")': ', _text("pronouns")'}
"""The same by an ordinary column with a default, which only a version that contracts may add."""


def become() -> None:
    """Make this the program of a later version: fields stand in `more`."""
    _edit(RECORDS, FIELDS)


def become_with_a_column() -> None:
    """Make this the program of a later version that adds a column and a step which contracts."""
    _edit(RECORDS, COLUMN)
    _edit(TABLES, COLUMN_OF_TABLE)
    import sqlalchemy as sa
    from alembic import op
    from alembic.script import Script, ScriptDirectory

    from deskroster.ledger import installation, migrations

    def upgrade() -> None:
        op.add_column("agents", sa.Column("pronouns", sa.Text(), nullable=False, server_default=""))

    later, before, real = "9000", migrations.HEAD, ScriptDirectory._load_revisions
    facts = {"revision": later, "down_revision": before, "dependencies": None, "branch_labels": set()}
    step = type("Step", (), {**facts, "upgrade": staticmethod(upgrade), "__doc__": "A later version."})

    def with_later(self: ScriptDirectory) -> object:
        yield from real(self)
        yield Script(step, later, "later.py")

    ScriptDirectory._load_revisions = with_later
    for module in (migrations, installation):
        module.HEAD = module.SERVES = later


def _edit(name: str, more: dict[str, str]) -> None:
    """Let one of our modules have lines more when it is imported."""
    assert name not in sys.modules
    sys.meta_path.insert(0, _Finder(name, more))


class _Finder(MetaPathFinder):
    def __init__(self, name: str, more: dict[str, str]) -> None:
        self._name = name
        self._more = more

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(name, spec.origin, self._more)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, more: dict[str, str]) -> None:
        super().__init__(name, path)
        self._more = more

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8")
        for line, following in self._more.items():
            assert 1 == source.count(line), line
            source = source.replace(line, line + following)
        return compile(source, self.path, "exec")
