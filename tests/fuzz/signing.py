"""What schemathesis loads: signs each case as its dialect wants it, and judges the answers beside the schema.

The environment says who signs: DESKROSTER_SIGNS is JSON with the dialect and the account.
"""

import json
import os
import random
import time
from typing import Any
from uuid import uuid4

import schemathesis

from deskroster.dialects import DIALECTS
from deskroster.testing import Account

_SIGNS = json.loads(os.environ["DESKROSTER_SIGNS"])
_ACCOUNT = Account(**_SIGNS["account"])
_CREDENTIALS = next(dialect.credentials for dialect in DIALECTS if dialect.name == _SIGNS["dialect"])
_KNOWN_IDS = 8  # how far ids are guessed that are likely to be there
_UNSIGNED = 0.02  # of the cases


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for what is there, half of the time: but never for the account that signs, which may lose its key."""
    if path_parameters:
        for name in path_parameters:
            if random.random() < 0.5 or str(path_parameters[name]) == str(_ACCOUNT.id):
                path_parameters[name] = str(random.randint(_ACCOUNT.id + 1, _KNOWN_IDS))
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Sign. Bounds of the document are not mapped as above, and the least id is that of the account that signs."""
    for name, value in (case.path_parameters or {}).items():
        if str(value) == str(_ACCOUNT.id):
            case.path_parameters[name] = str(_ACCOUNT.id + 1)
    if random.random() < _UNSIGNED:
        return
    proof = _CREDENTIALS.prove(_ACCOUNT.email, _ACCOUNT.token, int(time.time()), uuid4().hex)
    case.query = {**(case.query or {}), **proof.parameters}
    case.headers = {**(case.headers or {}), **proof.headers}


@schemathesis.check
def no_failure_but_busy(context: Any, response: Any, case: Any) -> None:
    """Of the server's failures only 503 is one that it may have."""
    assert response.status_code < 500 or response.status_code == 503, response.status_code
