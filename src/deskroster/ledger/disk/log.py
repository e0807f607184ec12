"""The log: every commit with what was before and after, and the hash of the commit before it. It holds no secret."""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, insert, select, tuple_, update

from deskroster.core.changes import Change, Commit, Origin
from deskroster.core.problems import Damaged
from deskroster.core.records import AnyRecord, Kind, Secret
from deskroster.ledger.disk import fields, tables
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import FIRST_HASH, Row, as_json, limited, putting, sql
from deskroster.ledger.engines import Db
from deskroster.ledger.files import forms
from deskroster.ledger.files.forms import form_of, mark

PAGE = 1_000  # rows of the log that are in memory at once, beside the changes of one commit


def append(
    connection: Db,
    vault: Vault,
    company_id: int,
    commits: Sequence[Commit],
    previous: bytes,
    next_ids: dict[Kind, int],
    attempt: str,
) -> bytes:
    """Write commits that follow the one with the hash `previous`; return the hash of the last.

    `attempt` is of `new_attempt`, and of this transaction alone.
    """
    form = mark(forms.COMMIT)
    commit_rows: list[Row] = []
    change_rows: list[Row] = []
    for number, at, origin, changes in commits:
        note = None if origin.note is None else as_json(origin.note)
        request = f"{origin.request_id}{_OF}{attempt}"
        facts = (company_id, number, at, origin.agent_id, origin.dialect, origin.address, request, note)
        told = [_told(change) for change in changes]
        hash = form + _hash(form + previous, facts, told)
        commit_rows.append((*facts, previous, hash))
        change_rows += [(company_id, number, ordinal, *change) for ordinal, change in enumerate(told)]
        previous = hash
    connection.executemany(_INSERT_COMMIT, commit_rows)
    connection.executemany(_INSERT_CHANGE, change_rows)
    move_head(connection, vault, company_id, (commits[-1].number, as_json(next_ids), previous))
    return previous


def move_head(connection: Db, vault: Vault, company_id: int, end: Row) -> None:
    """Write where the log ends: number, next ids, hash."""
    connection.execute(_MOVE_HEAD, (*end, anchor(vault, company_id, end), company_id))


def anchor(vault: Vault, company_id: int, end: Row) -> bytes:
    """Return the checksum of the end of the log, so that a truncated log is noticed."""
    return vault.checksums(company_id, _ANCHOR)(end)


def anchored(vault: Vault, company_id: int, end: Row, written: bytes) -> bool:
    """Tell whether the checksum of the end of the log is right. Raises NewerData."""
    return vault.agrees(company_id, _ANCHOR, end, written)


def new_attempt() -> str:
    """Return a unique name for an attempt to write, different in every process."""
    return os.urandom(_ATTEMPT_BYTES).hex()


def find(connection: Db, company_id: int, number: int, attempt: str) -> bytes | None:
    """Return the hash of the commit with this number, if the log has it and this attempt wrote it."""
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    return row[1] if row is not None and row[0].endswith(_OF + attempt) else None


def head(connection: Db, company_id: int) -> tuple[int, str]:
    """Return the number of the last commit and its hash in hex."""
    number, hash = connection.execute(_HEAD, (company_id,)).fetchone()
    return number, hash.hex()


class Broken(Damaged):
    """A commit is missing, or not as it was written."""

    def __init__(self, company_id: int, number: int) -> None:
        super().__init__(f"the log of company {company_id} is broken at commit {number}")
        self.number = number


class Told(NamedTuple):
    """A commit as the log has it: without secrets, and of a record only the fields that changed."""

    number: int
    at: int
    origin: Origin
    changes: list[Row]  # kind, id, before and after
    hash: bytes


def whole(connection: Db, company_id: int, since: int = 0, known: bytes | None = None) -> Iterator[Told]:
    """Yield every commit after the one numbered `since`, which has the hash `known` where that is given.

    Raises Broken, at the end as well; NewerData for a commit of a later form.
    """
    previous, expected = _hash_of(connection, company_id, since), since + 1
    if known is not None and previous != known:
        raise Broken(company_id, since)
    changes = _in_pages(connection, _CHANGES, company_id, (since + 1, -1), slice(0, 2))
    change = next(changes, None)
    for *facts, before, hash in _in_pages(connection, _COMMITS, company_id, (since,), slice(1, 2)):
        number: int = facts[1]
        told: list[Row] = []
        while change is not None and change[0] <= number:
            if change[1] != len(told):
                raise Broken(company_id, expected)
            told.append(change[2:])
            change = next(changes, None)
        if number != expected or before != previous or not _follows(previous, facts, told, hash):
            raise Broken(company_id, expected)
        yield Told(number, facts[2], _origin(*facts[3:]), told, hash)
        previous, expected = hash, expected + 1
    stored = connection.execute(_HEAD, (company_id,)).fetchone()
    if change is not None or stored != (expected - 1, previous):
        raise Broken(company_id, expected)


def _in_pages(connection: Db, statement: str, company_id: int, after: Row, key: slice) -> Iterator[Row]:
    """Yield rows by ascending key, after one key. At most `PAGE` of them are fetched before they are wanted.

    Each page is a statement of its own: without a cursor on the server, PostgreSQL sends all rows of a statement.
    """
    while True:
        rows = connection.execute(statement, (company_id, *after)).fetchall()
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][key]


def _origin(agent_id: int | None, dialect: str, address: str, request_id: str, note: str | None) -> Origin:
    noted = None if note is None else msgspec.json.decode(note)
    return Origin(agent_id, dialect, address, request_id.partition(_OF)[0], noted)


def read_on(connection: Db, company_id: int, since: int, most: int | None = None) -> int:
    """Read the log again after the commit `since`, all or until `most` changes were read; return how far it got.

    What it costs is in proportion to what it reads: `most` changes, the rest of a commit and a page. Raises Broken.
    """
    seen = 0
    for told in whole(connection, company_id, since):
        since, seen = told.number, seen + len(told.changes)
        if most is not None and seen >= most:
            break
    return since


def verified(connection: Db, vault: Vault, company_id: int) -> int:
    """Return the number of the last commit that was read again. Raises Damaged."""
    row = connection.execute(_VERIFIED, (company_id,)).fetchone()
    if row is None:
        return 0
    _, number, checksum = row
    if not vault.agrees(company_id, "verified", (number,), checksum):
        raise Damaged(f"how far the log of company {company_id} was verified is not as it was written")
    return int(number)


def note_verified(connection: Db, vault: Vault, company_id: int, number: int) -> None:
    """Remember how far the log was read again."""
    connection.execute(_VERIFY, (company_id, number, vault.checksums(company_id, "verified")((number,))))


def has(connection: Db, company_id: int, number: int, hash: bytes) -> bool:
    """Tell whether the commit with this number is the one with this hash."""
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    return row is not None and row[1] == hash


def _hash_of(connection: Db, company_id: int, number: int) -> bytes:
    if number == 0:
        return FIRST_HASH
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    if row is None:
        raise Broken(company_id, number)
    hash: bytes = row[1]
    return hash


def _told(change: Change) -> Row:
    before, after = change.before, change.after
    if before is None or after is None:
        return change.kind, change.id, _whole(before), _whole(after)
    old, new = fields.difference(before, after)
    return change.kind, change.id, _ENCODER.encode(old).decode(), _ENCODER.encode(new).decode()


def _whole(record: AnyRecord | None) -> str | None:
    return None if record is None else _ENCODER.encode(fields.whole(record)).decode()


def _mark(secret: object) -> dict[str, bool]:
    if isinstance(secret, Secret):
        return {"secret": True}
    raise NotImplementedError(type(secret))


def _follows(previous: bytes, facts: Sequence[Any], told: Sequence[Row], hash: bytes) -> bool:
    """Tell whether a commit has the hash that it was written with, in its form. Raises NewerData."""
    form = form_of(f"commit {facts[1]} of company {facts[0]}", hash, len(FIRST_HASH), forms.COMMIT)
    said = b"" if form == 1 else mark(form)  # from form 2 on, what changed is told by `fields`
    return form > 0 and hash == said + _hash(said + previous, facts, told)


def _hash(previous: bytes, facts: Sequence[Any], told: Sequence[Row]) -> bytes:
    return sha256(previous + msgspec.json.encode((facts, told))).digest()


_ATTEMPT_BYTES = 12
_OF = "/"  # between the id of a request and the attempt to write what it led to
_ANCHOR = "anchor"
_ENCODER = msgspec.json.Encoder(enc_hook=_mark)
_commits, _changes, _companies = tables.commits.c, tables.changes.c, tables.companies.c
_INSERT_COMMIT, _INSERT_CHANGE = sql(insert(tables.commits)), sql(insert(tables.changes))
_MOVE_HEAD = sql(
    update(tables.companies)
    .where(_companies.company_id == bindparam("key"))
    .values({name: bindparam(name) for name in ("number", "next_ids", "head", "anchor")})
)
_REQUEST = sql(
    select(_commits.request_id, _commits.hash).where(
        _commits.company_id == bindparam("key"), _commits.number == bindparam("at_number")
    )
)
_COMMITS = limited(
    select(tables.commits)
    .where(_commits.company_id == bindparam("key"), _commits.number > bindparam("since"))
    .order_by(_commits.number),
    PAGE,
)
_CHANGES = limited(
    select(*(_changes[name] for name in ("number", "ordinal", "kind", "record_id", "before", "after")))
    .where(
        _changes.company_id == bindparam("key"),
        tuple_(_changes.number, _changes.ordinal) > tuple_(bindparam("since"), bindparam("past")),
    )
    .order_by(_changes.number, _changes.ordinal),
    PAGE,
)
_HEAD = sql(select(_companies.number, _companies.head).where(_companies.company_id == bindparam("key")))
_VERIFIED = sql(select(tables.verified).where(tables.verified.c.company_id == bindparam("key")))
_VERIFY = putting(tables.verified)
