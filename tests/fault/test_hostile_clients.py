"""Clients of squall target that break HTTP/2's rules, flood it, and never read: each connection ends as it must or goes on,
others are served meanwhile, memory stays bounded, and the target's counts add up."""
import struct
import time

from frames import PREFACE, WINDOW, Frames, hf
from harness import Target, counts_match_log, main

MEMORY_MAX = 192 << 20  # a sanitizer's own shadow included
PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION, CALM = 1, 3, 5, 6, 9, 11


def frame(kind, flags, stream, payload=b"", length=None):
    """A frame as the test likes it, lengths that lie included."""
    return struct.pack(">I", len(payload) if length is None else length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
GET = b"\x82\x86\x84\x01\x01a"  # GET http://a/ without a trace in HPACK's table
POST = b"\x83\x86\x84\x01\x01a"


def get(stream, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, GET)


def post(stream):
    return frame(HEADERS, END_HEADERS, stream, POST)


def peak(target):
    with open(f"/proc/{target.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10


def served(target):
    with Frames(target.port) as wire:
        assert wire.get("/").status == 200


def clean(target, malformed):
    served(target)
    assert peak(target) < MEMORY_MAX, peak(target)
    log = counts_match_log(target.stop())
    assert target.counts()["malformed"] == malformed, target.counts()
    return log


LONG = b"\x00\x01a\x7f\x81\x7c" + b"b" * 16000  # one field, in a frame of its own

# What ends a connection, and the code of GOAWAY by which it is told.
FATAL = {
    "a frame of one byte too many": (frame(DATA, 0, 1, b"x" * 16385), SIZE),
    "headers on stream 0": (get(0), PROTOCOL),
    "headers on a stream of the server's": (get(2), PROTOCOL),
    "data on an idle stream": (frame(DATA, 0, 7, b"x"), PROTOCOL),
    "data on stream 0": (frame(DATA, 0, 0, b"x"), PROTOCOL),
    "padding longer than the frame": (post(1) + frame(DATA, 8, 1, b"\xffx"), PROTOCOL),
    "a field that HPACK's table does not have": (frame(HEADERS, 5, 1, b"\xff\xff\x03"), COMPRESSION),
    "a header block that is cut off": (frame(HEADERS, 5, 1, GET[:-1]), COMPRESSION),
    "a table larger than was allowed": (frame(HEADERS, 5, 1, b"\x3f\xe1\xff\x03" + GET), COMPRESSION),
    "something within a header block": (get(1, END_STREAM) + frame(PING, 0, 0, b"12345678"), PROTOCOL),
    "a continuation of another stream": (get(1, END_STREAM) + frame(CONTINUATION, 4, 3, b""), PROTOCOL),
    "a continuation of nothing": (frame(CONTINUATION, 4, 1, b""), PROTOCOL),
    "settings of odd length": (frame(SETTINGS, 0, 0, b"12345"), SIZE),
    "settings on a stream": (frame(SETTINGS, 0, 1, b""), PROTOCOL),
    "an acknowledgement with something in it": (frame(SETTINGS, 1, 0, b"123456"), SIZE),
    "a window of 2^31": (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)), FLOW),
    "frames that may be too small": (frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 100)), PROTOCOL),
    "a ping of 7 bytes": (frame(PING, 0, 0, b"1234567"), SIZE),
    "a window that grows by nothing": (frame(UPDATE, 0, 0, b"\0\0\0\0"), PROTOCOL),
    "a window that overflows": (frame(UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, FLOW),
    "a push": (frame(PUSH, 4, 1, b"\0\0\0\2" + GET), PROTOCOL),
    "a reset of an idle stream": (frame(RST, 0, 9, b"\0\0\0\1"), PROTOCOL),
    "a goaway of 3 bytes": (frame(GOAWAY, 0, 0, b"123"), SIZE),
    "no settings after the preface": (None, PROTOCOL),
    "a header list without end": (frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 0, 1, LONG) * 90, CALM),
    "data behind the end": (post(1) + frame(DATA, 1, 1, b"x") + frame(DATA, 1, 1, b"x"), CLOSED),
    "a window of a stream that grows by nothing": (post(1) + frame(UPDATE, 0, 1, b"\0\0\0\0"), PROTOCOL),
    "a stream that depends on itself": (frame(HEADERS, 0x25, 1, b"\0\0\0\1\x10" + GET), PROTOCOL),
}


def test_connection_errors():
    with Target() as target:
        for name, (data, code) in FATAL.items():
            with Frames(target.port, preface=False) as wire:
                try:
                    wire.send(PREFACE + (frame(SETTINGS, 0, 0) + data if data is not None else get(1)))
                except OSError:
                    pass  # it has ended before it had read all
                wire.read_to_end()
                assert [found for _, found in wire.goaways] == [code], (name, wire.goaways)
        clean(target, malformed=len(FATAL))


# What ends one stream alone, and the code of its reset.
STREAM = {
    "no path": (frame(HEADERS, 5, 1, b"\x82\x86\x01\x01a"), PROTOCOL),
    "two methods": (frame(HEADERS, 5, 1, b"\x82" + GET), PROTOCOL),
    "a name in capitals": (frame(HEADERS, 5, 1, GET + b"\x00\x01A\x01b"), PROTOCOL),
    "a field of a connection": (frame(HEADERS, 5, 1, GET + b"\x00\x0aconnection\x05close"), PROTOCOL),
    "a pseudo field behind others": (frame(HEADERS, 5, 1, b"\x00\x01a\x01b" + GET), PROTOCOL),
    "a length that is not the body's": (frame(HEADERS, 4, 1, POST + b"\x0f\x0d\x015") + frame(DATA, 1, 1, b"abc"), PROTOCOL),
    "a window of a stream that overflows": (post(1) + frame(UPDATE, 0, 1, b"\x7f\xff\xff\xff") * 2, FLOW),
}


def test_stream_errors():
    with Target() as target:
        for name, (data, code) in STREAM.items():
            with Frames(target.port, preface=False) as wire:
                wire.send(PREFACE + frame(SETTINGS, 0, 0) + data)
                assert wire.answer(1).reset == code, (name, vars(wire.streams[1]))
                assert wire.get("/", stream=31).status == 200, name
        clean(target, malformed=0)


def test_large_header_lists_are_refused():
    with Target() as target, Frames(target.port) as wire:
        assert wire.get("/").status == 200
        wide = wire.head("/", fields=[(f"x-{i}", "b" * 1000) for i in range(100)])
        blocks = [wide.data[at:at + 16000] for at in range(0, len(wide.data), 16000)]
        wire.send(frame(HEADERS, END_STREAM, wide.stream_id, blocks[0]),
                  *[frame(CONTINUATION, 0, wide.stream_id, block) for block in blocks[1:]], frame(CONTINUATION, END_HEADERS, wide.stream_id))
        answer = wire.answer(wide.stream_id)
        assert answer.status == 431 and b"64 KiB" in answer.body
        assert wire.get("/").status == 200
        clean(target, malformed=0)


def test_a_bomb_of_references():
    """One field of 4,000 bytes in HPACK's table, then 16,000 references to it: 64 MB of header list in 16 KB."""
    with Target() as target:
        with Frames(target.port, preface=False) as wire:
            wire.send(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 5, 1, GET + b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000))
            assert wire.answer(1).status == 200
            wire.send(frame(HEADERS, 5, 3, GET + b"\xbe" * 16000))
            wire.read_to_end()
        clean(target, malformed=1)


def flood(target, block, seconds=1.0, head=b"", settings=None):
    """Sends the same for a while and reads nothing; False: the target has ended the connection, or takes no more."""
    wire = Frames(target.port, settings=settings, automatic=False)
    with wire:
        wire.send(head)
        wire.socket.settimeout(0.3)
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                wire.send(block)
        except OSError:
            return False
        return True


def test_floods():
    """Those that cost an answer each end the connection or are not read any further; the others cost nothing but time."""
    rows = {
        "settings": (frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 500, b""),
        "pings": (frame(PING, 0, 0, b"12345678") * 500, b""),
        "priorities": (frame(PRIORITY, 0, 9, b"\0\0\0\1\1") * 500, b""),
        "unknown frames": (frame(77, 0, 0, b"x" * 100) * 100, b""),
        "empty data": (frame(DATA, 0, 1) * 500, post(1)),
        "empty continuations": (frame(CONTINUATION, 0, 1) * 500, get(1, END_STREAM)),
        "windows": (frame(UPDATE, 0, 0, b"\0\0\0\1") * 500, b""),
    }
    with Target() as target:
        for name, (block, head) in rows.items():
            flood(target, block, seconds=0.4, head=head)
            assert peak(target) < MEMORY_MAX, (name, peak(target))
            served(target)
        target.stop()


def test_a_storm_of_resets():
    """Streams that are begun and reset at once: the log has those that arrived, each as aborted or answered."""
    count = 20000
    with Target("--delay", "1s") as target:
        with Frames(target.port) as wire:
            for start in range(0, count, 500):
                wire.send(b"".join(get(2 * i + 1) + frame(RST, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(start, start + 500)))
            assert wire.get("/", stream=2 * count + 1).status == 200
        log = clean(target, malformed=0)
    assert sum(line["outcome"] == "aborted" for line in log) == count and len(log) == count + 2


def test_clients_that_never_read():
    large = {WINDOW: (1 << 31) - 1}
    rows = {
        "large answers": (lambda wire: [wire.send(wire.head("/?size=1GiB")) for _ in range(200)], large),
        "closed windows": (lambda wire: [wire.send(wire.head("/?size=1MiB")) for _ in range(200)], {WINDOW: 0}),
        "small answers": (lambda wire: [wire.send(wire.head("/?size=10")) for _ in range(200)], large),
        "bodies without end": (lambda wire: [wire.send(wire.head("/echo", "POST", end=False)) for _ in range(200)], large),
        "resets": (lambda wire: [wire.send(wire.head("/?rst=cancel")) for _ in range(200)], large),
        "large header lists": (lambda wire: [wire.send(wire.head("/?fields=512KiB")) for _ in range(200)], large),
    }
    with Target() as target:
        wires = []
        for name, (ask, settings) in rows.items():
            wire = Frames(target.port, settings=settings, automatic=False)
            wires.append(wire)
            ask(wire)
            wire.send(hf.WindowUpdateFrame(0, window_increment=(1 << 31) - 1 - 65535))
            served(target)
            assert peak(target) < MEMORY_MAX, (name, peak(target))
        for wire in wires:
            wire.socket.close()
        clean(target, malformed=0)


def test_echoes_of_one_connection_are_bounded():
    with Target("--delay", "300ms") as target, Frames(target.port) as wire:
        body = b"e" * (1 << 20)
        streams = [wire.request("/echo", body, method="POST") for _ in range(20)]
        statuses = [wire.answer(stream).status for stream in streams]
        assert statuses.count(200) >= 8 and set(statuses) <= {200, 503}, statuses
        assert peak(target) < MEMORY_MAX
        clean(target, malformed=0)


main(globals())
