"""Servers that break off, stay silent, lie and flood: each exchange ends in the right outcome, in time, in bounded memory.

One case a row: what the server does with a connection, and how all 20 exchanges of 4 users must end.
"""
import socket
import threading
import time

from harness import WAIT_S, Wire, free_port, main, scratch
from proof import OUTCOMES, SECOND, Noise, Run, errors, only, run
from servers import OK, Server, answers

COUNT, USERS = 20, 4
LOAD = ("-u", USERS, "-n", COUNT, "--drain", "30s")
PATIENCE = {True: "400ms", False: "30s"}  # whether the time-out is what is waited for
MEMORY_MAX = 256 << 20  # a sanitizer's own shadow included
HEAD = b"HTTP/1.1 200 OK\r\n"


def after_request(*parts, end="close", pause=0.0):
    """A handler that sends parts in answer to each request; then closes, resets, half-closes, or keeps on."""
    def handler(peer):
        while peer.request() is not None:
            for part in parts:
                peer.send(part)
                peer.sleep(pause)
            if end == "reset":
                peer.reset()
            elif end == "half":
                peer.socket.shutdown(socket.SHUT_WR)
                peer.drain()
            if end != "keep":
                return
    return handler


def reset_at_once(peer):
    peer.reset()


def silent(peer):
    peer.drain()


def flood(first, block):
    """Sends without end and reads nothing."""
    def handler(peer):
        peer.request()
        peer.send(first)
        while not peer.server.over.is_set():
            peer.send(block)
    return handler


def byte_at_a_time(peer):
    while peer.request() is not None:
        for byte in OK:
            peer.send(bytes([byte]))


def length(value, body=b"hello"):
    return HEAD + b"Content-Length: " + value + b"\r\n\r\n" + body


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CASES = [
    # breaking off
    ("reset at once", reset_at_once, {"disconnected", "unreachable"}, "reset|closed|Connection"),
    ("reset after the request", after_request(end="reset"), "disconnected", "reset"),
    ("reset in the head", after_request(HEAD + b"Content-", end="reset", pause=0.01), "disconnected", "reset"),
    ("reset in the body", after_request(length(b"10"), end="reset", pause=0.01), "disconnected", "reset"),
    ("reset in a chunk", after_request(CHUNKED + b"9\r\nhel", end="reset", pause=0.01), "disconnected", "reset"),
    ("closed after the request", after_request(), "disconnected", "clos"),
    ("closed in the head", after_request(HEAD + b"Content-"), {"malformed", "disconnected"}, "clos|head"),
    ("closed in the body", after_request(length(b"10")), {"malformed", "disconnected"}, "clos|body"),
    ("closed in a chunk", after_request(CHUNKED + b"9\r\nhel"), {"malformed", "disconnected"}, "clos|chunk"),
    ("half-closed without an answer", after_request(end="half"), "disconnected", "clos"),
    # Without notice in the answer, the next request may cross the close.
    ("half-closed after the answer", after_request(OK, end="half"), {"ok", "disconnected"}, "clos"),
    ("half-closed body to the close", after_request(HEAD + b"\r\nto the close", end="half"), "ok", ""),
    # staying silent
    ("silent", silent, "timed_out", "time-out"),
    ("silent after the head", after_request(length(b"10"), end="keep"), "timed_out", "time-out"),
    ("silent in the trailers", after_request(CHUNKED + b"0\r\n", end="keep"), "timed_out", "time-out"),
    # slow and odd, but right
    ("a byte at a time", byte_at_a_time, "ok", ""),
    ("interim answers first", after_request(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 5 + OK, end="keep"), "ok", ""),
    ("body to the close", after_request(HEAD + b"\r\nto the close"), "ok", ""),
    ("no body where there may be none", after_request(b"HTTP/1.1 204 No Content\r\n\r\n", end="keep"), "ok", ""),
    # lying
    ("garbage", after_request(b"\x00\xff\x80 garbage \r\n\r\n", end="keep"), "malformed", "status line|HTTP"),
    ("another protocol", after_request(b"SSH-2.0-OpenSSH_9.2\r\n", end="keep"), "malformed", ""),
    ("two lengths", after_request(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "malformed", "Content-Length"),
    ("negative length", after_request(length(b"-1"), end="keep"), "malformed", "Content-Length"),
    ("length past 64 bits", after_request(length(b"99999999999999999999"), end="keep"), "malformed", "Content-Length"),
    ("length and chunks", after_request(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "malformed", ""),
    ("chunk size of no number", after_request(CHUNKED + b"zz\r\n", end="keep"), "malformed", "chunk"),
    ("chunk longer than said", after_request(CHUNKED + b"2\r\nhello\r\n", end="keep"), "malformed", "chunk"),
    ("a larger length than ever comes", after_request(length(b"9223372036854775807"), end="keep"), "timed_out", "time-out"),
    ("a head of 1 MiB", after_request(HEAD + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n", end="keep"), "malformed", "head|64"),
    ("ten thousand fields", after_request(HEAD + b"X: y\r\n" * 10000 + b"\r\n", end="keep"), "malformed", "field"),
    ("interim answers without end", flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "malformed", "interim|1xx"),
    # flooding
    ("garbage without end", flood(b"", b"\xa5" * 65536), "malformed", ""),
    ("a head without end", flood(HEAD, b"X-Field: " + b"y" * 8192 + b"\r\n"), "malformed", ""),
    ("a body without end", flood(CHUNKED, b"ffff\r\n" + b"z" * 65535 + b"\r\n"), "timed_out", "time-out"),
    ("trailers without end", flood(CHUNKED + b"0\r\n", b"X-Field: " + b"y" * 8192 + b"\r\n"), "malformed", "trailer"),
]


def judge(name, summary, outcomes, words):
    outcomes = {outcomes} if isinstance(outcomes, str) else outcomes
    totals = summary["totals"]
    assert totals["begun"] == COUNT == sum(totals[word] for word in outcomes), (name, totals, errors(summary))
    assert any(word in errors(summary) for word in words.split("|")) or outcomes == {"ok"}, (name, errors(summary))
    assert summary["generator"]["rss_bytes_max"] < MEMORY_MAX, (name, summary["generator"]["rss_bytes_max"])


def test_every_case():
    failures = []
    for name, handler, outcomes, words in CASES:
        with Server(handler) as server:
            began = time.monotonic()
            try:
                summary, _ = run(server.url(), *LOAD, "--timeout", PATIENCE[outcomes == "timed_out"])
                judge(name, summary, outcomes, words)
            except AssertionError as failure:
                failures.append(f"{name}: {failure}")
            assert time.monotonic() - began < WAIT_S, name  # a connect time-out of 5 s, and five rounds at the longest back-off
    assert not failures, "\n".join(failures)


def test_last_ones_time_out_too():
    """The drain is as long as the time-out: what is begun in the turn that ends the load is not cut off before its own."""
    with Server(silent) as server:
        for load in (("-u", 4, "-n", 4), ("-r", 100, "-n", 10)):
            summary, _ = run(server.url(), *load, "--timeout", "500ms")
            only(summary, timed_out=summary["totals"]["begun"])
            assert summary["totals"]["begun"] == load[3]


def test_body_without_end_is_not_kept():
    """A check on the body has it kept, up to its limit."""
    path = scratch("body.yaml")
    with Server(flood(CHUNKED, b"ffff\r\n" + b"z" * 65535 + b"\r\n")) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{server.url('')}\", timeout: 1500ms }} }}\n"
                      f"load: [ {{ users: 4, iterations: 4 }} ]\nflow: [ {{ http: GET /, check: {{ big: size(body) > 0 }} }} ]\n")
        summary, _ = run(path)
        only(summary, timed_out=4)
        assert summary["generator"]["rss_bytes_max"] < MEMORY_MAX, summary["generator"]


def test_server_that_does_not_read():
    """A request that the kernel cannot take: it times out, unsent bytes and all."""
    def deaf(peer):
        peer.sleep(30)

    path = scratch("upload.yaml")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel would take it all
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    with Server(deaf, listener) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{server.url('')}\", timeout: 500ms }} }}\n"
                      f"load: [ {{ users: 2, iterations: 4 }} ]\ndrain: 10s\n"
                      f"flow: [ {{ http: POST /, body: \"{'a' * 3_000_000}\" }} ]\n")
        summary, process = run(path, raw=True)
        only(summary, timed_out=4)
        # Never sent: no time of it, rather than a zero.
        assert all("sent_ns" not in line for line in process.raw()) and summary["steps"][0]["service_ns"]["count"] == 0


def test_answer_that_nobody_asked_for():
    """It comes while the connection is idle: that connection is not used again, so no later exchange is given it."""
    def handler(peer):
        while peer.request() is not None:
            peer.send(OK)
            peer.sleep(0.02)
            peer.send(b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n")

    path = scratch("unasked.yaml")
    with Server(handler) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: \"{server.url('')}\" }}\nload: [ {{ users: 4, iterations: 8 }} ]\n"
                      "flow: [ { http: GET / }, { think: 1500ms } ]\n")
        summary, _ = run(path)
        only(summary, ok=8)
        assert server.connections == server.requests == 8, (server.connections, server.requests)


def test_second_answer_to_one_request():
    """In one packet: the first counts, and the connection is not used again."""
    with Server(after_request(OK + OK, end="keep")) as server:
        summary, _ = run(server.url(), *LOAD)
        only(summary, ok=COUNT)
        assert server.connections == COUNT, server.connections


def test_one_bad_answer_among_good_ones():
    """Connections that break do not take the others with them."""
    def handler(peer):
        text = b"nonsense\r\n\r\n" if peer.number % 4 == 0 else OK
        while peer.request() is not None:
            peer.send(text)

    with Server(handler) as server:
        summary, _ = run(server.url(), "-r", 200, "-n", 200, "-c", 8)
        totals = summary["totals"]
        assert totals["ok"] + totals["malformed"] == 200 and totals["ok"] > 100 and totals["malformed"] > 0, totals
        assert totals["ok"] + totals["malformed"] == server.requests


def test_connections_that_never_stay():
    """All but the first are reset at once, so the pool is never full: the run starts after the connect time-out all the same."""
    def handler(peer):
        if peer.number > 1:
            peer.reset()
            return
        answers()(peer)

    path = scratch("flapping.yaml")
    with Server(handler) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{server.url('')}\", connections: 16, connect-timeout: 500ms }} }}\n"
                      "load: [ { users: 16, iterations: 50 } ]\nflow: [ { http: GET / } ]\n")
        summary, _ = run(path)
        totals = summary["totals"]
        assert totals["begun"] == 50 == totals["ok"] + totals["disconnected"] + totals["unreachable"], (totals, errors(summary))
        assert totals["ok"] > 0, totals


def test_server_gone_for_two_seconds():
    """Gone, and back: unreachable or disconnected meanwhile, and reached again soon after."""
    port = free_port()

    def serve(stop):
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        server = Server(answers(), listener=listener)
        with server:
            stop.wait()

    def phase():
        stop = threading.Event()
        thread = threading.Thread(target=serve, args=(stop,), daemon=True)
        thread.start()
        return stop, thread

    stop, thread = phase()
    with Noise() as noise, Run(f"http://127.0.0.1:{port}/", "-r", 100, "-d", "8s", "-c", 8, raw=True, quiet=False) as process:
        process.running()
        stop.set()
        thread.join()
        gone = time.monotonic_ns()
        time.sleep(2)
        stop, thread = phase()
        outage = time.monotonic_ns() - gone
        process.end()
        stop.set()
        thread.join()
    summary = process.summary()
    totals = summary["totals"]
    assert totals["begun"] == 800 == totals["ok"] + totals["disconnected"] + totals["unreachable"], (totals, errors(summary))
    assert totals["unreachable"] > 100 and totals["disconnected"] <= 16, totals
    raw = sorted(process.raw(), key=lambda line: line["intended_ns"])
    # The longest stretch without an ok is the outage and one pause of the back-off, at most 1.125 s.
    good = sorted(line["done_ns"] for line in raw if line["outcome"] == "ok")
    gap = max(later - earlier for earlier, later in zip(good, good[1:]))
    assert 1.8 * SECOND < gap < outage + 3 * SECOND + 2 * noise.worst_ns, (gap, outage, noise.worst_ns)
    assert all(line["outcome"] == "ok" for line in raw[-50:]), "it came back"


# ---- nothing there ----

def scenario(targets, timeout="1s"):
    path = scratch(f"targets-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("squall: 1\ntargets:\n")
        for name, url in targets.items():
            out.write(f"  {name}: {{ url: \"{url}\", connect-timeout: {timeout} }}\n")
        out.write("load: [ { users: 2, iterations: 10 } ]\nflow:\n")
        for name in targets:
            out.write(f"  - {{ http: GET /, target: {name} }}\n")
    return path


def test_nothing_listens():
    port = free_port()
    began = time.monotonic()
    with Run(scenario({"api": f"http://127.0.0.1:{port}"})) as process:
        process.end(3)
    assert time.monotonic() - began < WAIT_S
    for words in ("no connection to target api", f"127.0.0.1:{port}", "1s", "refused"):
        assert words in process.err, (words, process.err)


def test_nothing_answers():
    """A listener whose queue is full: SYNs are dropped, so the time-out decides."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.2)
        began = time.monotonic()
        with Run(scenario({"api": f"http://127.0.0.1:{port}"})) as process:
            process.end(3)
        assert time.monotonic() - began < WAIT_S
        assert "time-out" in process.err, process.err
        for filler in fillers:
            filler.close()


def test_one_of_two_targets_is_missing():
    with Server(answers()) as server:
        with Run(scenario({"here": server.url(""), "gone": f"http://127.0.0.1:{free_port()}"})) as process:
            process.end(3)
        assert "target gone" in process.err and server.requests == 0, (process.err, server.requests)


def test_silent_tls():
    with Server(silent) as server, Run(scenario({"api": f"https://127.0.0.1:{server.port}"})) as process:
        process.end(3)
        assert "time-out" in process.err, process.err


def test_tls_to_a_plain_server():
    with Server(after_request(OK)) as server, Run(scenario({"api": f"https://127.0.0.1:{server.port}"})) as process:
        server.handler = lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        process.end(3)
        assert "TLS" in process.err or "SSL" in process.err or "ssl" in process.err, process.err


def test_the_server_library_serves():
    """The cases above would all pass against a server that never listens."""
    with Server(answers()) as server, Wire(server.port) as wire:
        assert wire.get("/")[2] == b"ok" and server.requests == 1
        assert len(OUTCOMES) == 8


if __name__ == "__main__":
    main(globals())
