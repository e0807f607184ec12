"""A server that keeps the processor as busy for each request as the product, and syncs a file for each write.

What the machine lets any server do while the load is on. `python -m tests.proofs.load.witness SECONDS`: of CPU time for
a request.
"""

import asyncio
import itertools
import os
import sys
import tempfile
import time

from tests.proofs.load.generate import READS, WRITES

_BODY = b'{"code":200,"data":0}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Answering(asyncio.Protocol):
    _count = itertools.count()

    def __init__(self, file: int, work: float) -> None:
        self._file, self._work = file, work

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if next(self._count) % (READS // WRITES + 1):
            self._answer()
        else:
            synced = asyncio.get_running_loop().run_in_executor(None, self._sync)
            synced.add_done_callback(lambda _: self._answer())

    def _sync(self) -> None:
        os.pwrite(self._file, _BODY, 0)
        os.fsync(self._file)

    def _answer(self) -> None:
        until = time.thread_time() + self._work
        while time.thread_time() < until:
            pass
        self._transport.write(_ANSWER)  # type: ignore[attr-defined]


async def main(work: float) -> None:
    with tempfile.TemporaryFile() as file:
        server = await asyncio.get_running_loop().create_server(lambda: Answering(file.fileno(), work), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
