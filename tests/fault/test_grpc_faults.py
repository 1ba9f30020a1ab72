"""gRPC servers that misbehave: each kind of fault ends its calls in the outcome and the status that docs/grpc.md names, the
run goes on, and memory stays bounded; on both engines, where gRPC core lets it be told. Every byte of the server is the
test's (grpc_session.py)."""
import resource

from grpc_session import EMPTY, FINE, HEAD, Session, hf
from harness import main, scratch, squall, squall_run
from servers import Server
import grpc_servers


def run(script, count=4, connections=1, options=(), method="Empty", settings=None):
    """The step's part of the summary, for a server that runs script(session, stream) for each call."""
    def handler(peer):
        session = Session(peer, settings)
        for stream in session.calls():
            if script(session, stream) == "close":
                return

    with Server(handler) as server:
        summary = squall_run("--trust", "off", f"grpc://127.0.0.1:{server.port}/interop.Interop/{method}", "--proto", grpc_servers.PROTO, "-n", count,
                             "-r", "100/s", "-c", connections, "--drain", "30s", *options, expect=None)
    step, = summary["steps"]
    return step, summary


def ended(script, outcome, code=None, text=None, count=4, core="", **options):
    """core: what gRPC core says where that is another text, or (outcome, code); None: it does not let it be told."""
    wanted = {"own": (outcome, code, text)}
    if core is not None:
        wanted["core"] = (*core, None) if isinstance(core, tuple) else (outcome, code, core or text)
    for engine, (outcome, code, text) in wanted.items():
        step, summary = run(script, count, **options, options=["--engine", "core"] if engine == "core" else [])
        assert step[outcome] == count, (engine, outcome, step)
        assert step["codes"] == ({} if code is None else {str(code): count}), (engine, step["codes"])
        if text:
            assert any(text in error["text"] for error in summary["errors"]), (engine, summary["errors"])


def test_answers():
    ended(lambda s, i: s.answer(i), "ok", 0)
    # In pieces: byte by byte, and over two DATA frames with padding between.
    ended(lambda s, i: s.send(s.headers(i, HEAD), *(hf.DataFrame(i, data=EMPTY[n:n + 1]) for n in range(5)),
                              s.headers(i, FINE, end=True)), "ok", 0)


def test_trailers_only():
    fields = HEAD + [("grpc-status", "7"), ("grpc-message", "not%20for%20you")]
    ended(lambda s, i: s.send(s.headers(i, fields, end=True)), "rejected", 7, "not for you")


def test_no_status():
    ended(lambda s, i: s.answer(i, trailers=[("x", "y")]), "malformed", None, "no grpc-status")
    ended(lambda s, i: s.send(s.headers(i, HEAD), hf.DataFrame(i, data=EMPTY, flags=["END_STREAM"])), "malformed", None,
          "no grpc-status")
    ended(lambda s, i: s.send(s.headers(i, [(":status", "200"), ("content-type", "text/html")]),
                              hf.DataFrame(i, data=b"<html>", flags=["END_STREAM"])), "malformed", None, "not gRPC's", core="no grpc-status")
    ended(lambda s, i: s.answer(i, trailers=[("grpc-status", "fine")]), "malformed", None, "no number", core=("rejected", 2))


def test_http_status():
    for status, code in ((503, 14), (404, 12), (401, 16), (403, 7), (429, 14), (400, 13), (500, 2)):
        ended(lambda s, i, status=status: s.send(s.headers(i, [(":status", str(status)), ("content-type", "text/plain")], end=True)),
              "rejected", code, f"HTTP status {status}", count=2)


def test_framing():
    ended(lambda s, i: s.answer(i, data=b"\x05\0\0\0\0"), "malformed", None, "prefix", core="broken")
    ended(lambda s, i: s.answer(i, data=b"\0\0\0\0\x09abc"), "malformed", None, "within a message", core="broken")
    ended(lambda s, i: s.answer(i, data=b"\0\0"), "malformed", None, "within a message", core="broken")
    ended(lambda s, i: s.answer(i, data=b"\x01\0\0\0\x03abc"), "malformed", None, "compressed", core=None)
    ended(lambda s, i: s.answer(i, data=b""), "malformed", None, "without a message")
    ended(lambda s, i: s.answer(i, data=EMPTY * 2), "malformed", None, "more than one message", core=None)


def test_too_large():
    """What is announced as larger than max-receive is not waited for, and costs no memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    def script(session, stream):
        session.send(session.headers(stream, HEAD), hf.DataFrame(stream, data=b"\0\xff\xff\xff\xff" + b"x" * 10000))

    ended(script, "rejected", 8, "max-receive", core=None)  # core waits for the rest
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 1) + (256 << 10)


def test_resets():
    for error, code in ((8, 1), (2, 13), (11, 8), (12, 7)):
        ended(lambda s, i, error=error: s.send(hf.RstStreamFrame(i, error_code=error)), "disconnected", code, count=2)
    ended(lambda s, i: s.send(s.headers(i, HEAD), hf.RstStreamFrame(i, error_code=8)), "disconnected", 1)
    ended(lambda s, i: s.send(s.headers(i, HEAD), hf.DataFrame(i, data=EMPTY), hf.RstStreamFrame(i, error_code=8)),
          "disconnected", 1)
    ended(lambda s, i: s.send(hf.RstStreamFrame(i, error_code=7)), "rejected", 14)  # REFUSED_STREAM


def again(option, outcome):
    """The first connection answers with GOAWAY and leaves the call out; others answer."""
    def handler(peer):
        session = Session(peer)
        for stream in session.calls():
            if peer.number == 1:
                session.send(hf.GoAwayFrame(0, last_stream_id=0, error_code=0))
                return
            session.answer(stream)

    path = scratch("again.yaml")
    with Server(handler) as server:
        with open(path, "w", encoding="utf-8") as text, open(grpc_servers.PROTO, encoding="utf-8") as proto:
            with open(scratch("interop.proto"), "w", encoding="utf-8") as copy:
                copy.write(proto.read())
            text.write(f'squall: 1\ntargets: {{ s: {{ url: "grpc://127.0.0.1:{server.port}", proto: interop.proto, connections: 1 }} }}\n'
                       f"load: [ {{ hold: 50/s, for: 200ms }} ]\nflow: [ {{ grpc: interop.Interop/Empty{option} }} ]\n")
        step, = squall_run("--trust", "off", path, "--drain", "30s", expect=None)["steps"]
    assert step["count"] == 10 and step["ok"] == (10 if outcome == "ok" else 9), step
    if outcome != "ok":
        assert step[outcome] == 1 and step["codes"]["14"] == 1, step


def test_goaway():
    again(", wait-for-ready: true", "ok")
    again("", "rejected")


def test_connection_lost():
    """In the midst of an answer: the call has no status, and the next one has another connection."""
    def script(session, stream):
        session.send(session.headers(stream, HEAD))
        session.peer.reset()
        return "close"

    for options in ((), ("--engine", "core")):
        step, _ = run(script, count=3, options=options)
        assert step["disconnected"] + step["unreachable"] == 3 and step["disconnected"] >= 1, (options, step)


def test_max_streams():
    """The server allows two at once: never more are open, and the others wait their turn."""
    most, held = [0], []

    def script(session, stream):
        held.append(stream)
        most[0] = max(most[0], len(held))
        if len(held) == 2 or stream >= 39:
            for one in list(held):
                held.remove(one)
                session.answer(one)

    for options in ((), ("--engine", "core")):
        most[0] = 0
        step, _ = run(script, count=20, settings={hf.SettingsFrame.MAX_CONCURRENT_STREAMS: 2}, options=options)
        assert step["ok"] == 20 and most[0] == 2, (options, step, most)


def test_reflection_that_lies():
    """Answers to reflection that are none: the run does not start, and says why."""
    cut = b"\x07"  # a prefix that is none: core waits for more until the connect time-out
    answers = (b"\0\0\0\0\x03abc", cut, EMPTY, b"\0\0\0\0\x04\x22\x02\x0a\x05", b"\0\0\0\0\x05\x22\x03\x0a\x01\xff")
    for data in answers:
        def handler(peer, data=data):
            session, asked = Session(peer), set()
            session.exactly(24)
            while True:
                head = session.exactly(9)
                if not head:
                    return
                body = session.exactly(int.from_bytes(head[:3], "big"))
                stream = int.from_bytes(head[5:], "big")
                if head[3] == 0 and body and stream not in asked:
                    asked.add(stream)
                    session.send(session.headers(stream, HEAD), hf.DataFrame(stream, data=data))
                elif head[3] == 0 and body:
                    session.send(session.headers(stream, [("grpc-status", "2")], end=True))

        for options in ((),) if data == cut else ((), ("--engine", "core")):
            with Server(handler) as server:
                done = squall("run", f"grpc://127.0.0.1:{server.port}/a.B/C", "-r", "10/s", "-d", "1s", *options)
            assert done.returncode == 2, (options, data, done.returncode, done.err)
            assert "reflection" in done.err or "no service" in done.err, (options, data, done.err)


if __name__ == "__main__":
    main(globals())
