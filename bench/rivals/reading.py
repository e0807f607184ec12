"""The least that a start takes: read a company's rows and make its records. `python -m bench.rivals.reading FILE`.

It prints its own CPU time in seconds when it is done. No checksum is compared and no index is made.
"""

import gc
import sqlite3
import sys
import time
from collections import defaultdict
from typing import Any

import msgspec

from deskroster.core.records import KINDS, RECORDS, AnyRecord

_TABLES = {"company": "companies"}
_LINKS = {
    "group_ids": ("memberships", "agent_id", "group_id"),
    "role_ids": ("agent_roles", "agent_id", "role_id"),
    "department_ids": ("agent_departments", "agent_id", "department_id"),
    "permission_set_ids": ("agent_permission_sets", "agent_id", "permission_set_id"),
    "member_ids": ("memberships", "group_id", "agent_id"),
}
_JSON = {"signature_forms", "options", "values", "dialects"}


def main() -> None:
    gc.disable()
    db = sqlite3.connect(sys.argv[1])
    held = [_records(db, kind) for kind in KINDS]
    print(time.process_time(), flush=True)
    assert len(held) == len(KINDS)


def _records(db: sqlite3.Connection, kind: Any) -> list[AnyRecord]:
    of = RECORDS[kind]
    cursor = db.execute(f"SELECT * FROM {_TABLES.get(kind, kind + 's')}")
    columns = [column[0] for column in cursor.description]
    names = [name for name in of.__struct_fields__ if name in columns]
    at = [columns.index(name) for name in names]
    links = {name: _linked(db, *_LINKS[name]) for name in of.__struct_fields__ if name in _LINKS}
    key = columns.index("company_id" if kind == "company" else "id")
    found = []
    for row in cursor:
        values = {
            name: msgspec.json.decode(row[i]) if name in _JSON else row[i] for name, i in zip(names, at, strict=True)
        }
        values["id"] = row[key]
        for name, ids in links.items():
            values[name] = tuple(ids.get(row[key], ()))
        if kind == "key":
            values["secret"] = None
        found.append(of(**values))
    return found


def _linked(db: sqlite3.Connection, table: str, one: str, other: str) -> dict[int, list[int]]:
    ids = defaultdict[int, list[int]](list)
    for this, that in db.execute(f"SELECT {one}, {other} FROM {table} ORDER BY {one}, {other}"):
        ids[this].append(that)
    return ids


if __name__ == "__main__":
    main()
