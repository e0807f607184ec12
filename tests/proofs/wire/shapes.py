"""What may be on the wire instead of a request, and what it is answered with."""

from collections.abc import Callable

from msgspec import Struct

from tests.proofs.wire.calls import HOST, Call

EVIL = b"Host: other.example.com\r\n"
LENGTH = b"Content-Length: %d\r\n"


class Shape(Struct, frozen=True):
    """A request that is none: refused with `status`, nothing done, and the connection ended."""

    name: str
    sent: Callable[[Call], bytes]
    status: int = 400
    passes: bool = False  # without guards: it is carried out, or what follows it is
    nameless: bool = False  # no path can be read from it, so that the answer is in no dialect


def extra(line: bytes) -> Callable[[Call], bytes]:
    """Return a good request with one more header line."""
    return lambda call: call.request(line + b"\r\n")


def framed(lines: bytes, body: Callable[[bytes], bytes] = lambda body: body) -> Callable[[Call], bytes]:
    """Return a request framed by these header lines; `%d` is the length of its body."""

    def sent(call: Call) -> bytes:
        whole = call.body()
        return call.request(framed=lines.replace(b"%d", b"%d" % len(whole)) + b"\r\n" + body(whole))

    return sent


def chunked(body: Callable[[bytes], bytes]) -> Callable[[Call], bytes]:
    return framed(b"Transfer-Encoding: chunked\r\n", body)


def well_chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def line(text: bytes) -> Callable[[Call], bytes]:
    """Return a good request with another request line; TARGET is its target."""
    return lambda call: call.request(line=text.replace(b"TARGET", call.target))


LOST = [
    # ── both lengths, repeated lengths, lengths that are none ──
    Shape("length-and-chunked", framed(b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", well_chunked)),
    Shape("chunked-and-length", framed(b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", well_chunked)),
    Shape("length-twice", framed(LENGTH + LENGTH)),
    Shape("two-lengths", framed(b"Content-Length: 0\r\n" + LENGTH)),
    Shape("length-list", framed(b"Content-Length: %d, %d\r\n")),
    Shape("length-plus", framed(b"Content-Length: +%d\r\n")),
    Shape("length-minus", framed(b"Content-Length: -1\r\n")),
    Shape("length-hex", framed(b"Content-Length: 0x%d\r\n")),
    Shape("length-float", framed(b"Content-Length: %d.0\r\n")),
    Shape("length-inner-space", framed(b"Content-Length: 1 %d\r\n")),
    Shape("length-empty", framed(b"Content-Length: \r\n")),
    Shape("length-2^64", framed(b"Content-Length: 18446744073709551616\r\n")),
    Shape("length-arabic", framed("Content-Length: ١\r\n".encode())),
    # ── transfer codings ──
    Shape("coding-unknown", framed(b"Transfer-Encoding: xchunked\r\n", well_chunked)),
    Shape("coding-identity", framed(b"Transfer-Encoding: identity\r\n", well_chunked)),
    Shape("coding-after-chunked", framed(b"Transfer-Encoding: chunked, identity\r\n", well_chunked)),
    Shape("coding-before-chunked", framed(b"Transfer-Encoding: gzip, chunked\r\n", well_chunked), passes=True),
    Shape("coding-list-twice", framed(b"Transfer-Encoding: chunked, chunked\r\n", well_chunked)),
    Shape("coding-twice", framed(b"Transfer-Encoding: chunked\r\n" * 2, well_chunked)),
    Shape("coding-in-two", framed(
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", well_chunked), passes=True),
    Shape("coding-quoted", framed(b'Transfer-Encoding: "chunked"\r\n', well_chunked)),
    Shape("coding-vertical-tab", framed(b"Transfer-Encoding: \x0bchunked\r\n", well_chunked)),
    Shape("coding-with-parameter", framed(b"Transfer-Encoding: chunked;q=1\r\n", well_chunked)),
    Shape("coding-space-before-colon", framed(b"Transfer-Encoding : chunked\r\n", well_chunked)),
    Shape("coding-space-before-name", framed(b" Transfer-Encoding: chunked\r\n", well_chunked)),
    Shape("coding-folded", framed(b"Transfer-Encoding:\r\n chunked\r\n", well_chunked)),
    Shape("coding-empty", framed(b"Transfer-Encoding: \r\n", well_chunked)),
    Shape("length-space-before-colon", framed(b"Content-Length : %d\r\n")),
    Shape("coding-in-1.0", lambda call: call.request(
        line=b"POST %b HTTP/1.0" % call.target,
        framed=b"Transfer-Encoding: chunked\r\n\r\n" + well_chunked(call.body())), passes=True),
    # ── chunks ──
    Shape("chunk-no-number", chunked(lambda body: b"ZZ\r\n%b\r\n0\r\n\r\n" % body)),
    Shape("chunk-plus", chunked(lambda body: b"+%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-minus", chunked(lambda body: b"-1\r\n%b\r\n0\r\n\r\n" % body)),
    Shape("chunk-0x", chunked(lambda body: b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-space-first", chunked(lambda body: b" %x\r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-space-last", chunked(lambda body: b"%x \r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-too-long", chunked(lambda body: b"%x\r\n%bx\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-bare-lf", chunked(lambda body: b"%x\n%b\n0\n\n" % (len(body), body))),
    Shape("chunk-end-bare-lf", chunked(lambda body: b"%x\r\n%b\r\n0\r\n\n" % (len(body), body))),
    Shape("chunk-2^64", chunked(lambda body: b"10000000000000000\r\n%b\r\n0\r\n\r\n" % body)),
    Shape("chunk-extension-lf", chunked(lambda body: b"%x;a\n\r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("chunk-extension-cr", chunked(lambda body: b"%x;a\rb\r\n%b\r\n0\r\n\r\n" % (len(body), body))),
    Shape("trailer-length", chunked(lambda body: b"%x\r\n%b\r\n0\r\nContent-Length: 5\r\n\r\n" % (len(body), body))),
    Shape("trailer-control", chunked(lambda body: b"%x\r\n%b\r\n0\r\nX: a\0b\r\n\r\n" % (len(body), body))),
    # ── header lines ──
    Shape("nul-in-value", extra(b"X: a\0b")),
    Shape("control-in-value", extra(b"X: a\x01b")),
    Shape("vertical-tab-in-value", extra(b"X: a\x0bb")),
    Shape("escape-in-value", extra(b"X: \x1b[31m")),
    Shape("del-in-value", extra(b"X: a\x7fb")),
    Shape("bare-cr-in-value", extra(b"X: a\rTransfer-Encoding: chunked")),
    Shape("folded", extra(b"X: a\r\n b")),
    Shape("folded-by-tab", extra(b"X: a\r\n\tb")),
    Shape("space-before-first", lambda call: call.request(head=b" " + call.head)),
    Shape("nul-in-name", extra(b"X\0: a")),
    Shape("control-in-name", extra(b"X\x01: a")),
    Shape("paren-in-name", extra(b"X(: a")),
    Shape("space-in-name", extra(b"X Y: a")),
    Shape("space-after-name", extra(b"X : a")),
    Shape("non-ascii-name", extra("组: a".encode())),
    Shape("no-name", extra(b": a")),
    Shape("no-colon", extra(b"X")),
    Shape("bare-lf", lambda call: call.request().replace(b"\r\n", b"\n")),
    Shape("bare-lf-once", lambda call: call.request(b"X: a\r\n").replace(b"X: a\r\n", b"X: a\n")),
    Shape("bare-cr", lambda call: call.request().replace(b"\r\n", b"\r")),
    Shape("no-line-end-after-head", lambda call: call.request(framed=b"Content-Length: 1\r\n\n\r")),
    # ── request lines ──
    Shape("version-0.9", line(b"POST TARGET HTTP/0.9"), passes=True),
    Shape("version-1.2", line(b"POST TARGET HTTP/1.2")),
    Shape("version-2.0", line(b"POST TARGET HTTP/2.0"), passes=True),
    Shape("version-3", line(b"POST TARGET HTTP/3")),
    Shape("version-lower-case", line(b"POST TARGET http/1.1")),
    Shape("version-long", line(b"POST TARGET HTTP/1.10")),
    Shape("version-none", line(b"POST TARGET")),
    Shape("simple-0.9", lambda call: b"GET %b\r\n" % call.target),
    Shape("after-version", line(b"POST TARGET HTTP/1.1 x")),
    Shape("tab", line(b"POST\tTARGET HTTP/1.1")),
    Shape("preface-2.0", lambda call: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", nameless=True),
    Shape("tls", lambda call: bytes.fromhex("16030100c8010000c40303") + bytes(64), nameless=True),
    Shape("no-target", line(b"POST  HTTP/1.1"), nameless=True),
    Shape("no-slash", line(b"POST groups HTTP/1.1"), nameless=True),
    Shape("connect", line(b"CONNECT TARGET HTTP/1.1"), 405),
    Shape("connect-authority", line(b"CONNECT demo.example.com:80 HTTP/1.1"), nameless=True),
    Shape("fragment", line(b"POST TARGET#x HTTP/1.1"), passes=True),
    Shape("control-in-target", line(b"POST TARGET\x01 HTTP/1.1")),
    Shape("nul-in-target", line(b"POST TARGET\0 HTTP/1.1")),
    Shape("absolute-elsewhere", line(b"POST http://other.example.comTARGET HTTP/1.1"), passes=True),
    Shape("absolute-with-user", line(b"POST http://demo@demo.example.comTARGET HTTP/1.1"), passes=True),
    # ── sizes ──
    Shape("head-over-16-kib", extra(b"X: " + b"x" * 16_384), 431, passes=True),
    Shape("head-of-1-mib", extra(b"X: " + b"x" * (1 << 20)), 431, passes=True),
    Shape("head-of-many-lines", extra(b"\r\n".join(b"X%d: x" % number for number in range(2_000))), 431, passes=True),
    Shape("head-of-a-long-path", lambda call: call.request(
        line=b"POST %b/%b HTTP/1.1" % (call.path, b"x" * 16_384)), 431),
    Shape("query-over-8-kib", lambda call: call.request(
        line=b"POST %b?%b&x=%b HTTP/1.1" % (call.path, call.query, b"x" * 8_192)), 414, passes=True),
    # ── methods ──
    Shape("method-unknown", line(b"FOO TARGET HTTP/1.1"), 405),
    Shape("method-lower-case", line(b"post TARGET HTTP/1.1"), 405),
    Shape("method-long", line(b"POSTPOSTPOST TARGET HTTP/1.1"), 405),
]  # fmt: skip
"""Where the request ends is not known, or not to be relied on."""

NO_HOST = [
    ("none", b""),
    ("twice", HOST + HOST),
    ("two", HOST + EVIL),
    ("empty", b"Host:\r\n"),
    ("space", b"Host: demo .example.com\r\n"),
    ("list", b"Host: demo.example.com, other.example.com\r\n"),
    ("user", b"Host: a@demo.example.com\r\n"),
    ("path", b"Host: demo.example.com/x\r\n"),
    ("non-ascii", "Host: 演示.example.com\r\n".encode()),
    ("port", b"Host: demo.example.com:x\r\n"),
]
"""Instead of the Host line: refused, and the connection goes on."""

GOOD = [
    Shape("plain", lambda call: call.request()),
    Shape("chunked", chunked(well_chunked)),
    Shape("many-chunks", chunked(lambda body: b"".join(b"1\r\n%c\r\n" % one for one in body) + b"0\r\n\r\n")),
    Shape("chunk-leading-zeros", chunked(lambda body: b"0000%x\r\n%b\r\n000\r\n\r\n" % (len(body), body))),
    Shape("chunk-extensions", chunked(lambda body: b'%x;a=b;c="d"\r\n%b\r\n0;x\r\n\r\n' % (len(body), body))),
    Shape("trailers", chunked(lambda body: b"%x\r\n%b\r\n0\r\nX: y\r\nHost: z\r\n\r\n" % (len(body), body))),
    Shape("coding-case", framed(b"transfer-ENCODING: Chunked\r\n", well_chunked)),
    Shape("coding-white-space", framed(b"Transfer-Encoding:\tchunked \r\n", well_chunked)),
    Shape("length-white-space", framed(b"Content-Length: \t%d \r\n")),
    Shape("length-leading-zeros", framed(b"Content-Length: 000%d\r\n")),
    Shape("no-space-after-colon", framed(b"Content-Length:%d\r\n")),
    Shape("non-ascii-value", extra("X: 组".encode())),
    Shape("empty-value", extra(b"X:")),
    Shape("non-ascii-query", lambda call: call.request(
        line=b"POST %b%b%b HTTP/1.1" % (call.target, b"&" if b"?" in call.target else b"?", "名=组".encode()))),
    Shape("two-spaces", line(b"POST  TARGET HTTP/1.1")),
    Shape("empty-lines-first", lambda call: b"\r\n\r\n" + call.request()),
    Shape("absolute", line(b"POST http://demo.example.comTARGET HTTP/1.1")),
    Shape("absolute-in-capitals", line(b"POST HTTP://DEMO.example.comTARGET HTTP/1.1")),
    Shape("query-of-8-kib", lambda call: call.request(
        line=b"POST %b?%b HTTP/1.1" % (call.path, (call.query + b"&x=").ljust(8_192, b"x")))),
    Shape("head-of-16-kib", lambda call: call.request(
        b"X: %b\r\n" % (b"x" * (16_384 - 40 - len(call.request(b"X: \r\n", framed=b"")))))),
    Shape("expect", extra(b"Expect: 100-continue")),
    Shape("upgrade", extra(b"Connection: upgrade\r\nUpgrade: websocket")),
    Shape("upgrade-h2c", extra(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk")),
    Shape("1.0", line(b"POST TARGET HTTP/1.0")),
    Shape("close", extra(b"Connection: close")),
]  # fmt: skip
"""Odd, and right: carried out."""
