"""Closing: how a connection ends, so that its client can still read the last answer (RFC 9112, section 9.6)."""

import asyncio

from deskroster.guards.deadlines import OutputDeadline

_LINGER_SECONDS = 1.0  # between the last answer and the end of the connection: for the client to read it


class Closing:
    """Ends one connection: a final response, a half-close, a pause, then the close."""

    __slots__ = ("_loop", "_output_deadline", "_timer", "_transport", "final_response", "ignores_input")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, output_deadline: OutputDeadline
    ) -> None:
        self.ignores_input = False  # whether what still comes is discarded
        self.final_response = b""  # a refusal, which waits for the answers to earlier requests
        self._loop = loop
        self._transport = transport
        self._output_deadline = output_deadline
        self._timer: asyncio.TimerHandle | None = None

    def finish(self) -> None:
        """Write the final response, half-close, and close when the client has had time to read it."""
        self._transport.write(self.final_response)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._timer = self._loop.call_later(_LINGER_SECONDS, self.close)

    def close(self) -> None:
        """Close as soon as the client has read what was written; abort if that takes too long."""
        self._transport.close()
        self._output_deadline.start()

    def abort_soon(self) -> None:
        """Abort a connection that was closed, if it does not end: a silent client never confirms the end of TLS."""
        self._loop.call_later(_LINGER_SECONDS, self._transport.abort)

    def stop(self) -> None:
        """Cancel the timer: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
