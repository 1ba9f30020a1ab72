"""squall target grpc and what goes wrong: faults on demand, and clients that break rules, send without end or never read.
Frames are the test's own."""
import gzip
import os

import hyperframe.frame as hf

from frames import PREFACE, WINDOW, Answer, Frames
from harness import Target, counts_match_log, main

FIELDS = {"payload": 1, "tag": 2, "size": 3, "delay": 4, "parts": 5, "status": 6, "message": 7, "stall": 8, "reset": 9, "close": 10,
          "http_status": 11, "fault": 12, "error_code": 13}
NO_TRAILERS, RESET_BEFORE, RESET_AFTER, RESET_IN, GOAWAY, BROKEN, HUGE = range(1, 8)
DEMO = "/squall.demo.Demo/"


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def ask(**values):
    """An Ask; parts are bytes already."""
    out = b""
    for name, value in values.items():
        if isinstance(value, int):
            out += varint(FIELDS[name] << 3) + varint(value)
        else:
            text = value.encode() if isinstance(value, str) else value
            out += varint(FIELDS[name] << 3 | 2) + varint(len(text)) + text
    return out


def part(count):
    return varint(3 << 3) + varint(count)


def framed(message, compressed=0):
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


class Calls(Frames):
    def call(self, method, *messages, body=None, fields=(), kind="application/grpc", http="POST", end=True):
        """Sends the head and what follows; the stream's number."""
        text = b"".join(map(framed, messages)) if body is None else body
        head = self.head(method if method.startswith("/") else DEMO + method, method=http, end=False,
                         fields=[("content-type", kind), ("te", "trailers"), *fields])
        self.streams[head.stream_id] = Answer()
        self.send(head, hf.DataFrame(head.stream_id, data=text, flags=["END_STREAM"] if end else []))
        return head.stream_id

    def status(self, stream):
        """The status and its text, from the last block; None when none came."""
        block = dict(self.answer(stream).blocks[-1])
        return block.get("grpc-status"), block.get("grpc-message", "")

    def unary(self, **values):
        return self.call("Unary", ask(**values))


def target(*flags):
    return Target(*flags, protocol="grpc")


def test_answers_as_the_protocol_wants_them():
    with target("--size", "3") as running, Calls(running.port) as wire:
        stream = wire.unary(tag="t")
        answer = wire.answer(stream)
        assert [list(dict(block)) for block in answer.blocks] == \
            [[":status", "content-type", "grpc-accept-encoding"], ["grpc-status"]], answer.blocks
        assert bytes(answer.body) == framed(b"\x10\x01\x18\x01\x2a\x01t\x0a\x03xxx"), bytes(answer.body)
        assert wire.status(stream) == ("0", "")
        stream = wire.unary(status="NOT_FOUND", message="a%b\u2602")  # a status alone stands in the headers
        assert len(wire.answer(stream).blocks) == 1 and wire.status(stream) == ("5", "a%25b%E2%98%82")
        stream = wire.call("Upload")
        assert wire.status(stream) == ("0", "") and bytes(wire.answer(stream).body) == framed(b"\x10\x01\x0a\x03xxx")
        counts_match_log(running.stop())


def test_faults_on_demand():
    with target("--size", "100") as running, Calls(running.port) as wire:
        whole = len(wire.answer(wire.unary()).body)
        answer = wire.answer(wire.unary(fault=NO_TRAILERS))
        assert len(answer.body) == whole and len(answer.blocks) == 1 and "grpc-status" not in answer.headers
        answer = wire.answer(wire.unary(fault=RESET_BEFORE))
        assert (answer.blocks, answer.reset) == ([], 2)
        answer = wire.answer(wire.unary(fault=RESET_AFTER, error_code=8))
        assert (len(answer.blocks), len(answer.body), answer.reset) == (1, 0, 8)
        answer = wire.answer(wire.unary(fault=RESET_IN, error_code=11))
        assert (len(answer.blocks), len(answer.body), answer.reset) == (1, whole // 2, 11)
        for fault, claimed in ((BROKEN, whole - 5 + 1000), (HUGE, 0xffffffff)):
            stream = wire.call("Download", ask(fault=fault, parts=part(5)))
            answer = wire.answer(stream)
            assert int.from_bytes(answer.body[1:5], "big") == claimed and len(answer.body) == whole
            assert wire.status(stream) == ("0", "")
        answer = wire.answer(wire.unary(http_status=503))
        assert answer.status == 503 and "grpc-status" not in answer.headers
        chat = wire.call("Chat", ask(parts=part(2)), ask(fault=RESET_IN))
        answer = wire.answer(chat)
        assert (len(answer.body), answer.reset) == (2 * whole + whole // 2, 2)
        log = counts_match_log(running.stop())
    assert [line["outcome"] for line in log] == ["answered", "answered", "reset", "reset", "reset", "answered", "answered", "answered",
                                                 "reset"]
    assert log[7]["status"] == 503


def test_goaway_and_close():
    with target() as running:
        with Calls(running.port) as wire:
            slow = wire.unary(delay="200ms")
            assert wire.status(wire.unary())[0] == "0"
            wire.unary(fault=GOAWAY, error_code=11)
            wire.read_to_end()
            assert wire.goaways == [(3, 11)] and wire.status(slow)[0] == "0"
        with Calls(running.port) as wire:
            slow = wire.unary(delay="200ms")
            assert wire.status(wire.unary(close=True))[0] == "0"
            assert wire.status(slow)[0] == "0"
            wire.read_to_end()
            assert wire.goaways == [(3, 0)]
        with Calls(running.port) as wire:
            wire.unary(reset=True)
            wire.read_to_end()
        log = counts_match_log(running.stop())
    assert [line["outcome"] for line in log].count("reset") == 2 and running.counts()["malformed"] == 0


def test_requests_that_break_rules():
    good = ask(tag="x")
    bomb = gzip.compress(bytes(7 << 20))
    encoding = [("grpc-encoding", "gzip")]
    cases = [
        ("12", dict(method="/squall.demo.Demo/Nope", body=b"")),
        ("12", dict(method="/" + "x" * 9000, body=b"")),
        ("12", dict(body=framed(good), fields=[("grpc-encoding", "zstd")])),
        ("12", dict(body=b"")),
        ("12", dict(body=framed(good) * 2)),
        ("13", dict(body=framed(good)[:-1])),
        ("13", dict(body=framed(good) + b"\0\0")),
        ("13", dict(body=b"\2" + framed(good)[1:])),
        ("13", dict(body=framed(good, 1))),
        ("13", dict(body=framed(good, 1), fields=encoding)),
        ("13", dict(body=framed(gzip.compress(good)[:-3], 1), fields=encoding)),
        ("13", dict(body=framed(b"\x12\x05ab"))),
        ("13", dict(body=framed(b"\x0b\x0c"))),
        ("13", dict(body=framed(good), fields=[("grpc-timeout", "soon")])),
        ("13", dict(method="/grpc.health.v1.Health/Check", body=framed(b"\xff"))),
        ("13", dict(method="/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", body=framed(b"\xff"))),
        ("8", dict(method="/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", body=framed(b"\x22" + varint(5000) + b"x" * 5000))),
        ("8", dict(body=framed(bomb, 1), fields=encoding)),
        ("8", dict(body=b"\0\xff\xff\xff\xff")),
        ("8", dict(body=framed(good), fields=[("x-long", "v" * 3000)] * 25)),
        ("4", dict(body=framed(ask(delay="30s")), fields=[("grpc-timeout", "50m")])),
        ("0", dict(body=framed(gzip.compress(good), 1), fields=encoding)),
        ("0", dict(body=framed(good), fields=encoding)),
        ("0", dict(body=framed(good) , kind="application/grpc+proto")),
        ("0", dict(body=framed(good + b"\xa0\x06\x01\xa5\x06aaaa"))),
    ]
    with target() as running, Calls(running.port) as wire:
        for expected, options in cases:
            stream = wire.call(options.pop("method", "Unary"), **options)
            assert wire.status(stream)[0] == expected, (expected, options, wire.streams[stream].blocks)
        for status, options in ((415, {"kind": "application/grpcx"}), (415, {"kind": "text/plain"}), (405, {"http": "GET"})):
            assert wire.answer(wire.call("Unary", good, **options)).status == status
        log = counts_match_log(running.stop())
    assert [str(line["status"]) for line in log] == [expected for expected, _ in cases] + ["415", "415", "405"]


def test_refused_before_the_request_ends():
    with target() as running, Calls(running.port) as wire:
        stream = wire.call("Upload", body=b"\7", end=False)
        assert wire.status(stream)[0] == "13"
        wire.until(lambda: wire.streams[stream].reset is not None)  # the rest is not wanted
        assert wire.streams[stream].reset == 0
        assert wire.status(wire.unary())[0] == "0"
        assert len(counts_match_log(running.stop())) == 2


def test_every_split_gives_the_same():
    with target("--size", "5") as running, Calls(running.port) as first:
        head = first.head(DEMO + "Chat", method="POST", end=False, stream=1, fields=[("content-type", "application/grpc")])
        body = framed(ask(tag="a")) + framed(ask(tag="b", parts=part(2)))
        text = PREFACE + b"".join(frame.serialize() for frame in (
            hf.SettingsFrame(0), head, hf.DataFrame(1, data=body[:9]), hf.DataFrame(1, data=body[9:], flags=["END_STREAM"])))
        whole = None
        for cut in range(1, len(text), 5):
            with Calls(running.port, preface=False) as wire:
                wire.send(text[:cut])
                wire.send(text[cut:])
                assert wire.status(1) == ("0", "")
                whole = whole or bytes(wire.answer(1).body)
                assert bytes(wire.answer(1).body) == whole and whole.count(b"xxxxx") == 3, cut
        counts_match_log(running.stop())


def memory_of(pid):
    """Its resident memory, in MiB."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as text:
        return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def test_clients_that_never_read():
    """Answers without end on as many streams as there may be: what the target holds does not grow by them."""
    with target() as running:
        with Calls(running.port, settings={WINDOW: 1000}, automatic=False) as wire:
            assert wire.status(wire.unary())[0] == "0"
            before = memory_of(running.pid)
            streams = [wire.call("Download", ask(size="1MiB", parts=part(1 << 30))) for _ in range(200)]
            late = wire.call("Download", ask(size="1MiB"), fields=[("grpc-timeout", "100m")])
            assert wire.answer(late).reset == 8 and len(wire.answer(late).body) <= 1000
            assert all(len(wire.streams[stream].body) <= 1000 for stream in streams)
            assert memory_of(running.pid) - before < 8
        log = counts_match_log(running.stop())
    assert [line["outcome"] for line in log].count("aborted") == 200


def test_clients_that_send_without_end():
    with target() as running, Calls(running.port) as wire:
        assert wire.status(wire.unary())[0] == "0"
        before = memory_of(running.pid)
        # Chat: messages behind one that takes long are not read, and no window opens for more of them.
        stream = wire.call("Chat", ask(), ask(delay="30s"), end=False)
        wire.until(lambda: len(wire.streams[stream].body) > 0)
        window = 65535 - 2 * 5 - len(ask(delay="30s"))
        flood = framed(b"") * (window // 5)
        for at in range(0, len(flood), 16380):
            wire.send(hf.DataFrame(stream, data=flood[at:at + 16380]))
        assert wire.status(wire.unary())[0] == "0"
        opened = sum(frame.window_increment for frame in wire.seen
                     if isinstance(frame, hf.WindowUpdateFrame) and frame.stream_id == stream)
        assert opened == 0, opened
        # Messages that never end, on many streams: 16 MiB of them are held, and not more.
        ends = []
        for _ in range(6):
            upload = wire.call("Upload", body=b"\0" + (4 << 20).to_bytes(4, "big"), end=False)
            wire.body(upload, bytes((4 << 20) - 1), end=False)
            ends.append(upload)
        assert wire.status(ends[-1])[0] == "8" and not wire.streams[ends[0]].ended
        assert memory_of(running.pid) - before < 64
        counts_match_log(running.stop())


def test_more_calls_than_allowed_are_refused():
    with target("--streams", "5") as running, Calls(running.port, automatic=False) as wire:
        calls = [wire.unary(delay="2s") for _ in range(7)]
        assert [wire.answer(call).reset for call in calls[5:]] == [7, 7]
        assert all(wire.status(call)[0] == "0" for call in calls[:5])
        counts_match_log(running.stop())


def test_what_is_not_http2():
    with target() as running:
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, PREFACE[:-1] + b"x"):
            with Calls(running.port, preface=False) as wire:
                wire.send(text)
                wire.read_to_end()
        running.stop()
    assert running.counts()["malformed"] == 3


main(globals())
