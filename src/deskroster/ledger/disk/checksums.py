"""Checksums of records: which values one covers, in which order, and whether the stored one is right.

A checksum is a MAC, keyed by the installation key. The fields of 0.1.0 are covered by position. Any other field is
covered by name, and only if it differs from its default. So a new field changes no checksum of a record that does not
have it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec

from deskroster.core.problems import Damaged
from deskroster.core.records import Kind
from deskroster.ledger.disk.fields import DEFAULTS, EMPTY_MORE, POSITIONAL
from deskroster.ledger.disk.tables import STORED
from deskroster.ledger.disk.vault import CHECKSUM_BYTES, Vault
from deskroster.ledger.files import forms
from deskroster.ledger.files.forms import form_of, mark
from deskroster.texts import said

Row = tuple[Any, ...]
Pairs = Iterable[tuple[str, Any]]
Arrange = Callable[[Row, Pairs], Row]


def arrangement(kind: Kind) -> Arrange | None:
    """Return a function that orders the values of a record for the checksum; None if they are in that order.

    Its arguments: the values in the order of `STORED` (id, columns, links, secrets, `more`), and pairs of name and
    value for secrets in unknown fields.
    """
    stored = STORED[kind]
    names = ("id", *stored.fields, *stored.links, *stored.secrets, "more")
    order = [names.index(name) for name in ("id", *POSITIONAL[kind], "more")]
    later = [(at, name, _default(kind, name)) for at, name in enumerate(names) if at not in order]

    def arrange(row: Row, unknown: Pairs) -> Row:
        named = [(name, row[at]) for at, name, default in later if row[at] != default]
        return (*(row[at] for at in order), *chain.from_iterable(sorted((*named, *unknown))))

    return arrange if later or order != list(range(len(names))) else None


def covered_values(arrange: Arrange | None, row: Row, unknown: Pairs) -> Row:
    """Return the values that the checksum of a record covers."""
    if arrange is not None:
        return arrange(row, unknown)
    return (*row, *chain.from_iterable(sorted(unknown))) if unknown else row


def verify(vault: Vault, company_id: int, kind: Kind, rows: Sequence[Row], stored: Sequence[bytes]) -> None:
    """Verify the checksums of records, each in its form. Raises Damaged, NewerData."""
    checksum_of = vault.checksums(company_id, kind)
    if stored[0][:1] == mark(forms.CHECKSUM) and tuple(map(checksum_of, rows)) == stored:
        return  # all are of the newest form, as most are
    for row, checksum in zip(rows, stored, strict=True):
        where = said("company {company_id}, {kind} {id}", company_id=company_id, kind=kind, id=row[0])
        form = form_of(where, checksum, CHECKSUM_BYTES, forms.CHECKSUM)
        values = _values_of_form_1(kind, row) if form == 1 else row
        if not form or values is None or vault.checksums(company_id, kind, form)(values) != checksum:
            raise Damaged(said("{where}: not as it was written", where=where))


def _values_of_form_1(kind: Kind, row: Row) -> Row | None:
    """Return the values that a checksum of form 1 covers; None if the record has fields that form 1 did not have."""
    length = 1 + len(POSITIONAL[kind])
    return row[:length] if row[length:] == (EMPTY_MORE,) else None


def _default(kind: Kind, name: str) -> Any:
    """Return the default of a field as its column stores it; None for a secret."""
    table, default = STORED[kind].table, DEFAULTS[kind].get(name)
    info = table.c[name].info if name in table.c else {}
    if info.get("json"):
        return msgspec.json.encode(default).decode()
    return int(default) if info.get("flag") and default is not None else default
