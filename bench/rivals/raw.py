"""The floor: uvicorn serving ready-made bytes without looking at what is asked. `python -m bench.rivals.raw FILE`."""

import sys
from pathlib import Path

from bench.rivals.running import run


def application(body: bytes):  # type: ignore[no-untyped-def]
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def answer(scope, receive, send):  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


if __name__ == "__main__":
    run(application(Path(sys.argv[1]).read_bytes()))
