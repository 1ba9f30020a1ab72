"""An HTTP/2 server that breaks each rule of RFC 9113: what becomes of the exchanges, and that the run goes on and ends, in
bounded memory. Where a connection is at fault, all that was in flight on it ends with it, and the next one serves."""
import resource
import shutil
import struct

from h2server import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                      MAX_CONCURRENT_STREAMS, NO_ERROR, PADDED, PING, PRIORITY, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
                      WINDOW_UPDATE, Session, answer, frame, goaway, head, reset, settings, status, window)
from harness import SQUALL, main, scratch, squall
from proof import errors, only, run
from servers import OK, Server

USERS, JOURNEYS = 4, 40
LOAD = ("--h2", "-u", USERS, "-c", 1, "-n", JOURNEYS)


def scripted(misbehave, *pairs, until=1):
    """A handler: the first `until` connections answer what misbehave(stream) returns, all later ones well. None: nothing."""
    def handler(peer):
        session = Session(peer, *pairs)
        for stream in session.requests():
            data = misbehave(stream) if peer.number <= until else answer(stream)
            if data:
                session.send(data)
    return handler


def tried(handler, *more, load=LOAD):
    with Server(handler) as server:
        summary, _ = run(server.url(), *load, *more)
        return summary, server


# ---- one stream is at fault: its exchange ends, the connection goes on ----

def of_streams():
    """(name, what stream 1 gets, outcome, what the list of errors says)."""
    for code, name in enumerate(("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
                                 "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
                                 "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")):
        yield name, reset(1, code), "disconnected", f"RST_STREAM: {name}"
    yield "reset behind the head", head(1) + reset(1, CANCEL), "disconnected", "RST_STREAM: CANCEL"
    yield "unknown code", reset(1, 0x1234), "disconnected", "RST_STREAM: unknown error"
    yield "capital letter", head(1, fields=[("X", "y")], end=True), "malformed", "capital letter"
    yield "connection", head(1, fields=[("connection", "close")], end=True), "malformed", "belongs to a connection of HTTP/1.1"
    yield "line break", head(1, fields=[("x", "a\nb")], end=True), "malformed", "control character"
    yield "no status", frame(HEADERS, END_HEADERS | END_STREAM, 1, b""), "malformed", "without :status"
    yield "body too short", head(1, fields=[("content-length", "5")]) + frame(DATA, END_STREAM, 1, b"hell"), "malformed", "shorter"
    yield "body too long", head(1, fields=[("content-length", "3")]) + frame(DATA, END_STREAM, 1, b"hell"), "malformed", "longer"
    yield "101", head(1, 101), "malformed", "101 Switching Protocols"
    yield "too many interim heads", head(1, 103) * 40, "malformed", "more than 32 interim heads"
    yield "header list too long", frame(HEADERS, END_HEADERS, 1, status(200) + b"\x00\x01a\x7f\x81\x7c" + b"x" * 16000) + \
        many_fields(1, 8), "malformed", "bytes of header fields"
    yield "too many header fields", head(1, fields=[("a", "b")] * 300, end=True), "malformed", "more than 256 header fields"
    yield "stream window above 2^31-1", window(1, 0x7fffffff), "malformed", "Flow control error"


def many_fields(stream, times):
    """A trailer section of one long field, again and again by its place in the table."""
    entry = b"\x40\x01b\x7f\x81\x17" + b"y" * 3072
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, entry + b"\xbe" * (times * 10))


def test_streams():
    for name, data, outcome, text in of_streams():
        summary, server = tried(scripted(lambda stream, data=data: data if stream == 1 else answer(stream)))
        only(summary, ok=JOURNEYS - 1, **{outcome: 1})
        assert text in errors(summary), (name, errors(summary))
        assert server.connections == 1, (name, server.connections)


def test_refused_streams_are_sent_again():
    """By the option `retry`, and each of them at most three times."""
    summary, server = tried(scripted(lambda stream: reset(stream, REFUSED_STREAM) if stream in (1, 3, 9) else answer(stream)), "--retry")
    only(summary, ok=JOURNEYS)
    assert server.requests == JOURNEYS + 3, server.requests
    summary, server = tried(scripted(lambda stream: reset(stream, REFUSED_STREAM), until=9), "--retry", load=("--h2", "-u", 1, "-c", 1, "-n", 5))
    only(summary, disconnected=5)
    assert server.requests == 20, server.requests


def test_stale_connections_of_http_1_1():
    """The option is the target's, not the version's: what may come twice is sent again."""
    def handler(peer):
        peer.request()
        peer.send(OK)
        peer.request()
    for more, ok in (("--retry",), 10), ((), 5), (("--retry", "-X", "POST"), 5):
        with Server(handler) as server:
            summary, _ = run(server.url(), "-u", 1, "-c", 1, "-n", 10, *more)
        only(summary, ok=ok, disconnected=10 - ok)
        assert ok == 10 or "stale keep-alive connection?" in errors(summary), errors(summary)


def test_goaway():
    """What is above the last stream was not processed; the rest is answered, and the connection retires."""
    def misbehave(stream):
        return {1: None, 3: None, 5: None, 7: goaway(3) + answer(3) + answer(1)}.get(stream, answer(stream))
    summary, server = tried(scripted(misbehave))
    only(summary, ok=JOURNEYS - 2, disconnected=2)
    assert "GOAWAY: NO_ERROR, the request was not processed" in errors(summary), errors(summary)
    assert server.connections == 2, server.connections
    summary, server = tried(scripted(misbehave), "--retry")
    only(summary, ok=JOURNEYS)
    assert server.connections == 2 and server.requests == JOURNEYS + 2, (server.connections, server.requests)


def test_goaway_then_closed():
    def handler(peer):
        session = Session(peer)
        for stream in session.requests():
            if peer.number > 1:
                session.send(answer(stream))
            elif stream == 7:
                session.send(goaway(7, ENHANCE_YOUR_CALM, b"slow down"))
                return
    summary, _ = tried(handler)
    only(summary, ok=JOURNEYS - USERS, disconnected=USERS)
    assert "GOAWAY: ENHANCE_YOUR_CALM: slow down" in errors(summary), errors(summary)


# ---- the connection is at fault ----

def of_connections():
    """(name, what comes in place of the first four answers, what the list of errors says)."""
    ok = head(1)
    yield "bad HPACK index", frame(HEADERS, END_HEADERS, 1, b"\xff\xff\x01"), "COMPRESSION_ERROR"
    yield "frame larger than allowed", ok + frame(DATA, END_STREAM, 1, bytes(16385)), "FRAME_SIZE_ERROR"
    yield "DATA on an idle stream", frame(DATA, 0, 99, b"x"), "PROTOCOL_ERROR: DATA: stream in idle"
    yield "RST_STREAM on an idle stream", reset(99, CANCEL), "PROTOCOL_ERROR: RST_STREAM: stream in idle"
    yield "RST_STREAM on stream 0", reset(0, CANCEL), "PROTOCOL_ERROR"
    yield "RST_STREAM of a wrong size", frame(RST_STREAM, 0, 1, b"\0"), "FRAME_SIZE_ERROR"
    yield "HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, status(200)), "PROTOCOL_ERROR"
    yield "HEADERS on a stream of the server's", head(2), "PROTOCOL_ERROR"
    yield "DATA on stream 0", frame(DATA, 0, 0, b"x"), "PROTOCOL_ERROR"
    yield "DATA before HEADERS", frame(DATA, END_STREAM, 1, b"x"), "PROTOCOL_ERROR"
    yield "padding too long", ok + frame(DATA, PADDED, 1, b"\x09abc"), "PROTOCOL_ERROR"
    yield "a frame within a header block", frame(HEADERS, 0, 1, status(200)) + frame(PING, 0, 0, bytes(8)), "PROTOCOL_ERROR"
    yield "CONTINUATION of another stream", frame(HEADERS, 0, 1, status(200)) + frame(CONTINUATION, END_HEADERS, 3), "PROTOCOL_ERROR"
    yield "CONTINUATION alone", frame(CONTINUATION, END_HEADERS, 1, status(200)), "PROTOCOL_ERROR"
    yield "PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82\x84\x86"), "PROTOCOL_ERROR: PUSH_PROMISE"
    yield "SETTINGS of a wrong size", frame(SETTINGS, 0, 0, b"\0\3\0"), "FRAME_SIZE_ERROR"
    yield "SETTINGS on a stream", frame(SETTINGS, 0, 1), "PROTOCOL_ERROR"
    yield "SETTINGS ack with a payload", frame(SETTINGS, ACK, 0, bytes(6)), "FRAME_SIZE_ERROR"
    yield "ENABLE_PUSH", settings((2, 1)), "PROTOCOL_ERROR"
    yield "window of 2^31", settings((INITIAL_WINDOW_SIZE, 1 << 31)), "FLOW_CONTROL_ERROR"
    yield "MAX_FRAME_SIZE too small", settings((5, 16383)), "PROTOCOL_ERROR"
    yield "PING of a wrong size", frame(PING, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"
    yield "PING on a stream", frame(PING, 0, 1, bytes(8)), "PROTOCOL_ERROR"
    yield "GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), "PROTOCOL_ERROR"
    yield "GOAWAY of a wrong size", frame(GOAWAY, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"
    yield "WINDOW_UPDATE of 0", window(0, 0), "PROTOCOL_ERROR"
    yield "window above 2^31-1", window(0, 0x7fffffff), "FLOW_CONTROL_ERROR"
    yield "WINDOW_UPDATE of a wrong size", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), "FRAME_SIZE_ERROR"
    yield "PRIORITY of a wrong size", frame(PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR"
    yield "PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), "PROTOCOL_ERROR"
    # floods, sent in one go: what they may cost is counted in frames
    yield "PING flood", frame(PING, 0, 0, bytes(8)) * 20000, "ENHANCE_YOUR_CALM"
    yield "PING ack flood", frame(PING, ACK, 0, bytes(8)) * 20000, "ENHANCE_YOUR_CALM"
    yield "SETTINGS flood", settings((INITIAL_WINDOW_SIZE, 70000)) * 20000, "ENHANCE_YOUR_CALM"
    yield "empty DATA flood", ok + frame(DATA, 0, 1) * 20000, "ENHANCE_YOUR_CALM"
    yield "CONTINUATION flood", frame(HEADERS, 0, 1, status(200)) + frame(CONTINUATION, 0, 1) * 20000, "ENHANCE_YOUR_CALM"
    yield "RST_STREAM storm", ok + reset(1, CANCEL) * 20000, "ENHANCE_YOUR_CALM"
    yield "WINDOW_UPDATE flood", window(0, 1) * 20000, "ENHANCE_YOUR_CALM"
    yield "PRIORITY flood", frame(PRIORITY, 0, 9, bytes(5)) * 20000, "ENHANCE_YOUR_CALM"


def test_connections():
    for name, data, text in of_connections():
        def handler(peer, data=data):
            session = Session(peer)
            for stream in session.requests():
                if peer.number > 1:
                    session.send(answer(stream))
                elif stream == 2 * USERS - 1: # all users have theirs in flight
                    session.send(data)
                    session.drain()
        summary, server = tried(handler)
        gone = summary["totals"]["disconnected"]
        only(summary, ok=JOURNEYS - gone, disconnected=gone)
        # The storm's first one ends an exchange, and its user goes on to the next.
        assert USERS <= gone <= USERS + 1, (name, summary["totals"], errors(summary))
        assert text in errors(summary), (name, errors(summary))
        assert server.connections == 2, (name, server.connections)


def test_floods_cost_no_memory():
    """Of all that ran before: the largest process."""
    with open(shutil.which(SQUALL), "rb") as program:
        sanitized = b"__asan_init" in program.read()
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert sanitized or most < 120 << 10, most


# ---- what is allowed, and strange ----

def of_oddities():
    """(name, what every answer is)."""
    yield "as large as a frame may be", lambda i: head(i) + frame(DATA, END_STREAM, i, bytes(16384))
    yield "padding only", lambda i: head(i) + frame(DATA, PADDED, i, b"\x03\0\0\0") + frame(DATA, END_STREAM, i)
    yield "header block in pieces", lambda i: frame(HEADERS, END_STREAM, i, status(200)[:1]) + frame(CONTINUATION, 0, i) + \
        frame(CONTINUATION, END_HEADERS, i, b"\x00\x01a\x01b")
    yield "interim heads", lambda i: head(i, 100) + head(i, 103, fields=[("link", "x")]) + answer(i)
    yield "trailers", lambda i: head(i) + frame(DATA, 0, i, b"x") + frame(HEADERS, END_HEADERS | END_STREAM, i, b"\x00\x01t\x01v")
    yield "PRIORITY", lambda i: frame(PRIORITY, 0, i, struct.pack(">IB", i + 100, 255)) + answer(i) + frame(PRIORITY, 0, i, bytes(5))
    yield "unknown frames and flags", lambda i: frame(0x77, 0xff, i, b"?") + frame(0x78, 0, 0) + head(i) + frame(DATA, 0x40, i, b"a") + \
        frame(DATA, END_STREAM | 0x42, i, b"b")
    yield "unknown settings", lambda i: settings((0x7777, 9)) + answer(i)
    yield "DATA and RST_STREAM behind the end", lambda i: answer(i) + frame(DATA, 0, i, b"late") + reset(i, NO_ERROR) + window(i, 1)
    yield "windows that shrink and grow", lambda i: settings((INITIAL_WINDOW_SIZE, i % 7)) + answer(i)
    yield "a PING each", lambda i: frame(PING, 0, 0, struct.pack(">Q", i)) + answer(i)
    yield "a table that shrinks", lambda i: settings((1, 0 if i % 4 == 1 else 4096)) + answer(i)


def test_oddities():
    for name, data in of_oddities():
        summary, server = tried(scripted(data))
        only(summary, ok=JOURNEYS)
        assert server.connections == 1, (name, server.connections)


def test_fewer_streams_than_users():
    """The peer's limit holds, also when it changes; at 0 nothing is sent."""
    def handler(peer):
        session = Session(peer, (MAX_CONCURRENT_STREAMS, 2))
        open_streams, answered, most = [], 0, 0
        for stream in session.requests():
            open_streams.append(stream)
            most = max(most, len(open_streams))
            if len(open_streams) == (2 if answered < 20 else 1):
                data = b"".join(answer(one) for one in open_streams)
                answered += len(open_streams)
                open_streams.clear()
                session.send(settings((MAX_CONCURRENT_STREAMS, 1)) + data if answered == 20 else data)
        limits.append(most)
    limits = []
    summary, server = tried(handler)
    only(summary, ok=JOURNEYS)
    assert server.connections == 1 and limits == [2], (server.connections, limits)


def test_zero_window_for_ever():
    """A body that may not be sent times out, is called off, and its connection goes on."""
    path = scratch("post.yaml")
    seen = []

    def handler(peer):
        session = Session(peer, (INITIAL_WINDOW_SIZE, 0))
        for kind, flags, stream, payload in session.frames():
            seen.append((kind, flags & END_STREAM, stream, len(payload)))
            if kind == RST_STREAM:
                assert payload == struct.pack(">I", CANCEL)
            if kind == HEADERS and flags & END_STREAM:
                session.send(answer(stream))
    with Server(handler) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{server.url('')}\", http: h2, connections: 1, timeout: 2s }} }}\n"
                      "drain: 20s\nload: [ { users: 1, for: 60s } ]\nflow:\n  - http: POST /\n    body: never\n  - http: GET /\n    name: then\n")
        summary, _ = run(path, "-n", 2)
    only(summary, timed_out=2, ok=2)
    assert server.connections == 1, server.connections
    kinds = [kind for kind, *_ in seen]
    assert kinds.count(RST_STREAM) == 2 and DATA not in kinds, seen


def test_no_settings():
    """A server that accepts and says nothing never becomes ready."""
    with Server(lambda peer: peer.drain()) as server:
        path = scratch("silent.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{server.url('')}\", http: h2, connect-timeout: 300ms }} }}\n"
                      "load: [ { users: 1, for: 1s } ]\nflow: [ { http: GET / } ]\n")
        process = squall("run", path, "--quiet")
    assert process.returncode == 3 and "did not send the SETTINGS that HTTP/2 begins with; is that http's port?" in process.err, process.err


if __name__ == "__main__":
    main(globals())
