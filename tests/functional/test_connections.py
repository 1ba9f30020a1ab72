"""Where connections lead and come from: source addresses, unix sockets, connect-to, new ones, how fast."""
from collections import Counter
import socket
import time

from harness import free_port, main, scratch, squall
from proof import SECOND, Noise, errors, run
from servers import Server, answers

_files = 0


def scenario(target, load="{ users: 4, iterations: 40 }", step="GET /"):
    """The path of a scenario with one target, written as the text of a flow map."""
    global _files
    _files += 1
    path = scratch(f"scenario-{_files}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets:\n  api: {target}\nload:\n  - {load}\nflow:\n  - http: {step}\n")
    return path


def test_sources_in_turn():
    with Server(answers()) as server:
        run(scenario(f'{{ url: "{server.url()[:-1]}", connections: 12, source: [127.0.0.2-127.0.0.4, 127.0.1.0/30, 127.0.2.9] }}',
                     "{ users: 12, iterations: 120 }"), "-w", 1)
        assert Counter(server.addresses) == {address: 2 for address in
                                             ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.1.1", "127.0.1.2", "127.0.2.9")}, server.addresses


def test_source_that_is_not_ours():
    with Server(answers()) as server:
        process = squall("run", scenario(f'{{ url: "{server.url()[:-1]}", connect-timeout: 300ms, source: 192.0.2.1 }}'))
        assert process.returncode == 3 and "not an address of this machine" in process.err, process.err
        process = squall("run", scenario(f'{{ url: "{server.url()[:-1]}", connect-timeout: 300ms, source: "2001:db8::1" }}'))
        assert process.returncode == 3 and "no `source` is of the target's kind" in process.err, process.err


def test_unix_socket():
    path = scratch("service.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    with Server(answers(), listener=listener) as server:
        summary, _ = run(scenario(f'{{ url: "http://service.test", connect-to: "unix:{path}" }}'))
        assert summary["totals"]["ok"] == 40 == server.requests, summary["totals"]
    process = squall("run", scenario('{ url: "http://service.test", connect-timeout: 200ms, connect-to: unix:/nowhere/x.sock }'))
    assert process.returncode == 3 and "No such file" in process.err, process.err


def test_connect_to_keeps_the_host():
    heads = []

    def handler(peer):
        while (head := peer.request()) is not None:
            heads.append(head)
            peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    with Server(handler) as server:
        summary, _ = run(scenario(f'{{ url: "http://service.test:81", connect-to: 127.0.0.1:{server.port} }}'))
    assert summary["totals"]["ok"] == 40, errors(summary)
    assert all(b"Host: service.test:81\r\n" in head + b"\r\n" for head in heads), heads[:1]


def test_refused_with_a_place():
    for target, words in (("{ url: http://a, connect-to: somewhere }", "3:37: 'somewhere' is no place to connect to"),
                          ("{ url: http://a, connect-to: unix:x.sock }", "3:37: 'unix:x.sock' is not an absolute path"),
                          ("{ url: http://a, source: here }", "3:33: 'here' is no source address"),
                          ("{ url: http://a, source: [127.0.0.9-127.0.0.2] }", "3:34: '127.0.0.9-127.0.0.2' is no source"),
                          ("{ url: http://a, source: [10.0.0.0/8] }", "3:34: more than 65536 source addresses")):
        process = squall("check", scenario(target))
        assert process.returncode == 2 and words in process.err, (words, process.err)


def test_new_counts():
    """A connection for each exchange, whoever closes it, and whatever the answer was."""
    for handler, word in ((answers(), "ok"), (answers(close=True), "ok"), (answers(b"nonsense\r\n\r\n"), "malformed")):
        for load in ("{ users: 4, iterations: 60 }", "{ hold: 200/s, for: 10s, iterations: 60, users: 20 }"):
            with Server(handler) as server:
                summary, _ = run(scenario(f'{{ url: "{server.url()[:-1]}", connections: new }}', load))
                assert summary["totals"][word] == 60 == server.connections == server.requests, \
                    (word, server.connections, server.requests, errors(summary))


def test_new_to_nowhere():
    port = free_port()
    summary, _ = run(scenario(f'{{ url: "http://127.0.0.1:{port}", connections: new }}', "{ users: 2, iterations: 10 }"))
    assert summary["totals"]["unreachable"] == 10 and "Connection refused" in errors(summary), errors(summary)


def test_connect_rate():
    """20 connections at 20/s: 19 pauses of 50 ms, by the server's clock."""
    times = []

    def handler(peer):
        times.append(time.monotonic())
        answers()(peer)
    with Server(handler) as server:
        for workers in (1, 3):
            times.clear()
            with Noise() as noise:
                run(scenario(f'{{ url: "{server.url()[:-1]}", connections: 20, connect-rate: 20/s }}', "{ users: 20, iterations: 100 }"),
                    "-w", workers)
            assert len(times) == 20, times
            # Workers share the rate, each opening its first at once; the server's thread may see the first of all late.
            least = (20 / workers - 1 - 1) * workers / 20
            assert max(times) - min(times) >= least - 0.3 - noise.worst_ns / SECOND, (sorted(times), noise.worst_ns)


if __name__ == "__main__":
    main(globals())
