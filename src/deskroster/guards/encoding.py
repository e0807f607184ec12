"""Encoding: replies as the bytes of HTTP/1.1, where the protocol writes them itself."""

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from deskroster.dialect import Reply

CLOSE = (b"connection", b"close")
"""The header of an answer after which the connection ends."""


def final_response(reply: Reply, without_body: bool = False) -> bytes:
    """Return a whole response, after which the connection ends."""
    return response_head(reply, [CLOSE]) + (b"" if without_body else reply.body)


def response_head(reply: Reply, more: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a response, with more headers before its own."""
    lines = b"".join([b"%b: %b\r\n" % header for header in more])
    for name, value in reply.headers:
        lines += b"%b: %b\r\n" % (name.lower().encode("latin-1"), value.encode("latin-1"))
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (
        STATUS_LINE[reply.status], reply.media, len(reply.body), lines,
    )  # fmt: skip
