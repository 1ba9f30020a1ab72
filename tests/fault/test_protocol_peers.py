"""Servers of gRPC and brokers of MQTT that reset at each state, trickle, lie about lengths and flood, on both engines of each: the run
ends by itself, each exchange in an outcome that says what happened, and a worker's memory stays within what its limits add up to.

A case is what happens instead of the good answer at one state. test_grpc_faults.py and functional/test_mqtt_hostile.py have what
is wrong in single frames and packets.
"""
from concurrent.futures import ThreadPoolExecutor

from grpc_session import EMPTY, FINE, HEAD, Session, hf
from harness import SQUALL, main, scratch
from mqtt_wire import CONNECT, PUBLISH, SUBSCRIBE, Packets, packet
from proof import OUTCOMES, Run, errors
from protocols import PINGREQ, PROTOCOLS, mqtt_answer, need_protocols
from servers import Server

USERS = 3
MIB = 1 << 20
# What is taken in for one connection before it is too much: a message of max-receive, or 1 MiB and a read; twice, as buffers grow.
ROOM = {"grpc": 2 * 4 * MIB, "mqtt": 2 * (MIB + 65536)}
SLACK = 8 * MIB  # of the allocator, against the same run with a good server
LIBRARY = 192 * MIB  # gRPC core and Paho queue by rules of their own; still, there is an end to it


# ---- what a peer does; each gives True when it is done with the connection ----

def reset(peer, _=b""):
    peer.reset()
    return True


def close(_, __=b""):
    return True


def half_reset(peer, good):
    peer.send(good[:-1])
    peer.reset()
    return True


def half_close(peer, good):
    peer.send(good[:-1])
    return True


def trickle(peer, good):
    for byte in good:
        peer.send(bytes([byte]))


def say(data):
    def do(peer, _=b""):
        peer.send(data)
        peer.drain()
        return True
    return do


def flood(block, first=b""):
    def do(peer, _=b""):
        peer.send(first)
        while not peer.server.over.is_set():
            peer.send(block)
        return True
    return do


def broker(connack=None, puback=None):
    """Good, but for what is done in place of CONNACK or of the answer to a PUBLISH."""
    def serve(peer):
        packets = Packets()
        while data := peer.socket.recv(65536):
            for kind, _, body, _ in packets.feed(data):
                bad = {CONNECT: connack, PUBLISH: puback}.get(kind)
                good = {CONNECT: packet(0x20, b"\0\0\0"), PINGREQ: packet(0xd0)}.get(kind, b"")
                good = mqtt_answer(kind, body) if kind in (PUBLISH, SUBSCRIBE) else good
                if bad is None:
                    peer.send(good)
                elif bad(peer, good):
                    return
    return serve


def server(bad):
    """bad(peer, the head, the message, the trailers)."""
    def serve(peer):
        session = Session(peer)
        peer.socket.settimeout(None)
        for stream in session.calls():
            parts = (session.headers(stream, HEAD), hf.DataFrame(stream, data=EMPTY), session.headers(stream, FINE, end=True))
            if bad(peer, *(part.serialize() for part in parts)):
                return
    return serve


def first(count, more=b"", end=reset):
    """So much of a good answer, whole frames, then a part of one; then the end."""
    def do(peer, *parts):
        peer.send(b"".join(parts[:count]) + more)
        return end(peer)
    return do


def endless(make, count=0):
    """The first so many frames, and then make(stream's number) without end."""
    def do(peer, *parts):
        return flood(make(int.from_bytes(parts[0][5:9], "big")), b"".join(parts[:count]))(peer)
    return do


def data_of(body):
    return lambda stream: hf.DataFrame(stream, data=body).serialize()


CLOSED, NONE = {"disconnected"}, None  # NONE: no connection ever stood, exit 3
# A channel may hear of its loss after all patience with a status that stands for it is over; and of a flood whichever end comes first.
CORE_CLOSED, CORE_FLOODED = {"disconnected", "rejected"}, {"disconnected", "rejected", "timed_out", "malformed"}
GRPC_CASES = [
    # (what, server, outcomes on our engine, on gRPC core)
    ("reset at once", reset, NONE, NONE),
    ("garbage at once", flood(b"\xa5" * 65536), NONE, NONE),
    ("reset in SETTINGS", lambda peer: (peer.send(b"\0\0\0\4"), peer.socket.recv(24), peer.reset()), NONE, NONE),
    ("reset", server(first(0)), CLOSED, CORE_CLOSED),
    ("closed", server(first(0, end=close)), CLOSED, CORE_CLOSED),
    ("reset in the head", server(first(0, b"\0\0\x30\1")), CLOSED, CORE_CLOSED),
    ("reset behind the head", server(first(1)), CLOSED, CORE_CLOSED),
    ("reset in a message", server(first(1, b"\0\0\7\0\0\0\0\0\1\0\0\0\0\5ab")), CLOSED, CORE_CLOSED),
    ("closed behind the message", server(first(2, end=close)), CLOSED, CORE_CLOSED),
    ("a byte at a time", server(lambda peer, *parts: trickle(peer, b"".join(parts))), {"ok"}, {"ok"}),
    ("messages without end", server(endless(data_of(EMPTY * 3000), 1)), {"timed_out", "malformed", "disconnected"}, CORE_FLOODED),
    ("a message of 4 GiB", server(endless(data_of(b"\0\xff\xff\xff\xff" + b"x" * 16000), 1)), {"rejected", "timed_out"}, CORE_FLOODED),
    ("messages of 4 MiB without end", server(endless(data_of(b"\0\0\x3f\xff\0" + b"x" * 16000), 1)),
     {"malformed", "rejected", "timed_out", "disconnected"}, CORE_FLOODED),
    ("a header block without end", server(endless(lambda stream: hf.ContinuationFrame(stream, data=b"\x00\x01a\x01b" * 3000).serialize())),
     CLOSED, CORE_FLOODED),
    ("PING without end", server(endless(lambda _: hf.PingFrame(0, b"12345678").serialize() * 3000)), CLOSED, CORE_FLOODED),
    ("SETTINGS without end", server(endless(lambda _: hf.SettingsFrame(0, settings={3: 100}).serialize() * 3000)), CLOSED, CORE_FLOODED),
    ("a frame longer than said", server(lambda peer, *_: flood(b"x" * 65536, b"\xff\xff\xff\0\0\0\0\0\1")(peer)), CLOSED, CORE_FLOODED),
]
MQTT_CASES = [
    ("reset at once", reset, NONE, NONE),
    ("garbage at once", flood(b"\xa5" * 65536), NONE, NONE),
    ("reset for CONNACK", broker(reset), NONE, NONE),
    ("reset in CONNACK", broker(half_reset), NONE, NONE),
    ("a CONNACK of 256 MiB", broker(flood(b"x" * 65536, b"\x20\xff\xff\xff\x7f")), NONE, None),
    ("a CONNACK byte by byte", broker(trickle), {"ok"}, {"ok"}),
    ("reset for PUBACK", broker(None, reset), CLOSED, CLOSED),
    ("closed for PUBACK", broker(None, close), CLOSED, CLOSED),
    ("reset in PUBACK", broker(None, half_reset), CLOSED, CLOSED),
    ("closed in PUBACK", broker(None, half_close), CLOSED, CLOSED),
    ("a PUBACK byte by byte", broker(None, trickle), {"ok"}, {"ok"}),
    ("messages without end", broker(None, flood(packet(0x30, b"\0\1a\0" + b"x" * 1000) * 60)), {"timed_out"}, {"timed_out"}),
    ("messages of QoS 1 without end", broker(None, flood(packet(0x32, b"\0\1a\0\1\0" + b"x" * 100) * 600)), {"timed_out"}, {"timed_out"}),
    # The largest that is taken, one upon the other: a read may hold the end of one and much of the next.
    ("large messages without end", broker(None, flood(packet(0x30, b"\0\1a\0" + b"x" * 999000))), {"timed_out"}, {"timed_out"}),
    ("PINGRESP without end", broker(None, flood(packet(0xd0) * 30000)), {"malformed"}, {"timed_out", "disconnected"}),
    ("a length of 256 MiB", broker(None, say(b"\x30\xff\xff\xff\x7f\0\1a")), {"malformed"}, {"timed_out"}),
    ("a length of five bytes", broker(None, say(b"\x30\xff\xff\xff\xff\xff\xff")), {"malformed"}, CLOSED),
    ("a topic longer than its packet", broker(None, say(packet(0x30, b"\xff\xff" + b"a" * 100))), {"malformed"}, CLOSED),
    ("properties longer than their packet", broker(None, say(packet(0x30, b"\0\1a\xff\xff\xff\x7f"))), {"malformed"}, CLOSED),
]


def sanitized():
    with open(SQUALL, "rb") as program:
        return b"__asan_init" in program.read()


def walk(protocol, name, handler, wanted):
    """(finished run, its summary or None). Only what ends by a time-out has a short one, so that no slow machine ends what does not."""
    more = f"timeout: {'400ms' if wanted and 'timed_out' in wanted else '50s'}, connect-timeout: {'50s' if wanted else '700ms'}"
    more += "" if protocol.name.startswith("mqtt") else f", connections: {USERS}"
    rest = f"load: [ {{ users: {USERS}, iterations: {2 * USERS} }} ]\ndrain: 50s\nflow: [ {{ STEP }} ]\n"
    with Server(handler) as peer, Run(protocol.scenario(peer.port, rest, more), suffix=f"-{protocol.name}-{name.replace(' ', '-')}") as run:
        run.end(None)
        return run, run.summary() if run.child.returncode == 0 else None


def judge(protocol, room, limit, case):
    name, handler, *outcomes = case
    own = protocol.name in ("grpc", "mqtt")
    wanted = outcomes[0 if own else 1]
    run, summary = walk(protocol, name, handler, wanted)
    if wanted is NONE:
        assert run.child.returncode == 3 and "no connection to target it" in run.err, (run.child.returncode, run.err)
        return
    assert summary is not None, (run.child.returncode, run.err)
    totals = summary["totals"]
    assert totals["begun"] == 2 * USERS == sum(totals[word] for word in wanted), ({word: totals[word] for word in OUTCOMES}, errors(summary))
    assert wanted == {"ok"} or errors(summary), "why is told"
    most = summary["generator"]["rss_bytes_max"]
    assert sanitized() or most < limit + (USERS * room + SLACK if own else LIBRARY), (most, limit)


def each_case(names, cases, good):
    jobs = []
    for protocol in PROTOCOLS:
        if protocol.name in names:
            _, summary = walk(protocol, "good", good, {"ok"})
            base = summary["generator"]["rss_bytes_max"]
            jobs += [(protocol, ROOM[names[0]], base, case) for case in cases]
    failures = []

    def one(job):
        try:
            judge(*job)
        except Exception as problem:  # pylint: disable=broad-except
            failures.append(f"{job[0].name}: {job[3][0]}: {problem!r}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, jobs))
    assert not failures, "\n".join(failures)


def test_grpc():
    each_case(("grpc", "grpc-core"), GRPC_CASES, PROTOCOLS[1].handler(lambda _: True))


def test_mqtt():
    each_case(("mqtt", "mqtt-paho"), MQTT_CASES, PROTOCOLS[3].handler(lambda _: True))


if __name__ == "__main__":
    need_protocols()
    scratch()
    main(globals())
