"""The calls that cost most: for every route of every dialect the worst arguments that it takes."""

import json
from importlib import import_module

from tests.contracts import CONTRACTS
from tests.proofs.load.cases import BODY, GONE, TRIES, Case

__all__ = ["GONE", "HOSTILE", "MOST_HOSTILE", "TRIES", "WORST", "Case"]

HOSTILE: dict[str, bytes] = {
    "nothing but opening": b'{"a":' * (BODY // 5),
    "opened lists": b'{"a":' + b"[" * BODY,
    "empty objects": b'{"a":[' + b"{}," * (BODY // 3) + b"{}]}",
    "empty lists, in levels": b'{"a":[' + (b"[" * 60 + b"]" * 60 + b",") * (BODY // 121) + b"0]}",
    "keys": json.dumps({f"{i:x}": 0 for i in range(BODY // 11)}).encode(),
    "the same key": b"{" + b'"a":0,' * (BODY // 6) + b'"a":0}',
    "one number": b'{"a":' + b"1" * BODY + b"}",
    "one fraction": b'{"a":0.' + b"1" * BODY + b"}",
    "long numbers": b'{"a":[' + b"999999999999999999," * (BODY // 19) + b"0]}",
    "fractions": b'{"a":[' + (b"1." + b"9" * 30 + b"e300,") * (BODY // 37) + b"0]}",
    "digits in a string": b'{"a":"' + b"123456789012345678x" * (BODY // 19) + b'"}',
    "escapes": b'{"a":"' + b"\\u4e2d" * (BODY // 6) + b'"}',
    "pairs of escapes": b'{"a":"' + b"\\ud83d\\ude00" * (BODY // 12) + b'"}',
    "no UTF-8 at the end": b'{"a":"' + b"a" * BODY + b'\xff"}',
}

MOST_HOSTILE = ("keys", "long numbers")

WORST: dict[str, list[Case]] = {
    f"{name} {route}": cases
    for name in CONTRACTS
    for route, cases in import_module(f"tests.dialects.{name}.cost").WORST.items()
}
