"""Networks that swallow, refuse and run out: black holes, missing routes, a backlog that overflows, no local port left.

In a network namespace of this program's own. A route to the loopback interface for an address that is not there is the black
hole: the kernel takes the packets and drops them without a word.
"""
import contextlib
import socket
import threading
import time

from harness import WAIT_S, main, scratch
from namespace import ip, own_network, setting
from proof import OUTCOMES, SECOND, Noise, Run, counted, errors, only, run
from servers import Server, answers

HOLE = "10.77.0.9"
_files = 0


def scenario(url, load, more="", timeout="20s"):
    global _files
    _files += 1
    path = scratch(f"network-{_files}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'squall: 1\ntargets:\n  api: {{ url: "{url}", timeout: {timeout}, connect-timeout: 1200ms{more} }}\n'
                  f"load: [ {load} ]\nflow: [ {{ http: GET / }} ]\n")
    return path


@contextlib.contextmanager
def route(words):
    ip(f"route add {words}")
    try:
        yield
    finally:
        ip(f"route del {words}")


def never(words, url, more=""):
    """No connection at all: exit 3 after the connect time-out and no load, and a text that says what to do."""
    began = time.monotonic()
    with Run(scenario(url, "{ users: 4, for: 2m }", more), "-w", 2) as process:
        process.end(3)
    assert time.monotonic() - began < WAIT_S
    for text in ("no connection to target api", url, *words):
        assert text in process.err, (text, process.err)


def test_black_hole_before_the_run():
    with route(f"{HOLE} dev lo"):
        for more in ("", ", connections: per-user"):
            never(["no answer to the connection request", "firewall", "backlog"], f"http://{HOLE}:81", more)


def test_black_hole_for_new_connections():
    """Open load goes on asking: each arrival is counted, as unreachable, after the connect time-out and no later."""
    with route(f"{HOLE} dev lo"):
        for load, count in (("{ hold: 50/s, for: 1s }", 50), ("{ users: 3, iterations: 6 }", 6)):
            with Noise() as noise:
                summary, process = run(scenario(f"http://{HOLE}:81", load, ", connections: new"), raw=True)
            only(summary, unreachable=count)
            assert "no answer to the connection request" in errors(summary), errors(summary)
            assert summary["generator"]["syn_retransmits"] >= count, summary["generator"]
            for line in process.raw():
                waited = line["done_ns"] - line["intended_ns"]
                # Its being asked for and its end may each be late.
                assert SECOND <= waited <= 2 * SECOND + 2 * noise.worst_ns and "sent_ns" not in line, (line, noise.worst_ns)


def test_black_hole_in_the_middle():
    """The server's address vanishes for a second, and comes back. What was asked meanwhile times out or finds nobody; nothing is
    lost from the counts, and afterwards all is well again."""
    for more in ("", ", connections: new"):
        ip(f"address add {HOLE}/32 dev lo")
        listener = socket.create_server((HOLE, 0), backlog=511)
        with Server(answers(), listener=listener) as server, \
                Run(scenario(f"http://{HOLE}:{server.port}", "{ hold: 100/s, for: 8s }", more, "500ms"), raw=True, quiet=False) as process:
            process.running()
            ip(f"address del {HOLE}/32 dev lo")
            with route(f"{HOLE} dev lo"):
                time.sleep(1)
            ip(f"address add {HOLE}/32 dev lo")
            process.end()
            summary = process.summary()
            totals, raw = summary["totals"], sorted(process.raw(), key=lambda line: line["intended_ns"])
            ends = {word: totals[word] for word in OUTCOMES if totals[word]}
            assert totals["begun"] == 800 == sum(ends.values()) and set(ends) <= {"ok", "timed_out", "unreachable", "disconnected"}, ends
            lost = 800 - totals["ok"]
            assert 20 <= lost <= 600, (ends, errors(summary))
            assert totals["timed_out" if not more else "unreachable"] > 0, (ends, errors(summary))
            assert sum(line["outcome"] == "ok" for line in raw[-50:]) > 25, "it came back"
        ip(f"address del {HOLE}/32 dev lo")


def test_no_route():
    """What the kernel itself knows better than to try."""
    never(["Network is unreachable", "no route there"], "http://10.88.0.1:81")
    with route("unreachable 10.88.0.0/24"):
        never(["No route to host", "routes"], "http://10.88.0.1:81")
    with route("prohibit 10.88.0.0/24"):
        never(["Permission denied", "firewall"], "http://10.88.0.1:81")
    never(["Connection refused", "does the server run"], "http://127.0.0.1:81")


def test_backlog_that_overflows_under_load():
    """A queue of 8 and a server that accepts one connection every 40 ms: 25 a second are all that it takes. More are asked for, so
    that connection requests are dropped and sent again; every one of them is counted, and what is late is not lost."""
    class Slow(Server):
        def _accept(self):
            while not self.over.is_set():
                time.sleep(0.04)
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

        def _answer(self, connection):
            with contextlib.suppress(OSError), connection:
                while connection.recv(4096):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Slow(None, listener=socket.create_server(("127.0.0.1", 0), backlog=8)) as server:
        summary, _ = run(scenario(server.url(""), "{ hold: 60/s, for: 2s }", ", connections: new", "500ms"))
    totals = summary["totals"]
    assert totals["begun"] == 120 == sum(totals[word] for word in ("ok", "unreachable", "timed_out", "disconnected")), totals
    assert totals["ok"] > 0 and totals["ok"] < 120, (totals, errors(summary))
    assert summary["generator"]["syn_retransmits"] > 0, summary["generator"]
    assert any("backlog was full" in note for note in summary["generator"]["notes"]), summary["generator"]["notes"]


@contextlib.contextmanager
def few_ports(first):
    """Twenty of them. A port that was used rests for a minute, so each time they are others."""
    old = setting("ip_local_port_range", f"{first}\t{first + 19}")
    try:
        yield
    finally:
        setting("ip_local_port_range", old)


def no_port(process, summary):
    """Told in the list of errors, in the verdict, and by the exit code."""
    assert "no local port is free: name more `source` addresses or widen" in errors(summary), errors(summary)
    assert summary["generator"]["ports_exhausted"] > 0, summary["generator"]
    reasons = summary["verdict"]["reasons"]
    assert any("ran out of local ports" in reason for reason in reasons), reasons
    assert process.child.returncode == 98 == summary["exit_code"], process.child.returncode


def ports_server():
    """On a port that is none of the few."""
    return Server(answers(), listener=socket.create_server(("127.0.0.1", 9000), backlog=511))


def test_a_connection_each_and_no_port_left():
    """Each exchange wants a new one, and a closed connection holds its port for a while: some find none."""
    with ports_server() as server, few_ports(40000):
        with Run(scenario("http://127.0.0.1:9000", "{ hold: 100/s, for: 1s }", ", connections: new"), trust="strict") as process:
            process.end(98)
        summary = process.summary()
        totals = summary["totals"]
        assert totals["begun"] == 100 == totals["ok"] + totals["unreachable"], (totals, errors(summary))
        assert 20 <= totals["ok"] < 100 and totals["ok"] == server.requests, (totals, server.requests)
        no_port(process, summary)


def test_pool_larger_than_ports():
    """Said before the run, which goes on with what it got; and what the text says to do helps."""
    pool = ("{ hold: 100/s, for: 1s, users: 50 }", ", connections: 30")
    with ports_server(), few_ports(41000):
        with Run(scenario("http://127.0.0.1:9000", *pool), trust="strict", quiet=False) as process:
            process.end(98)
        summary = process.summary()
        assert summary["totals"]["ok"] == 100 and summary["generator"]["connections_max"] <= 20, (summary["totals"], errors(summary))
        assert "30 connections, and 20 local ports towards one server" in process.err, process.err
        no_port(process, summary)
    with ports_server(), few_ports(42000):
        summary, _ = run(scenario("http://127.0.0.1:9000", pool[0], pool[1] + ", source: 127.0.0.2-127.0.0.4"))
        only(summary, ok=100)
        assert summary["generator"]["ports_exhausted"] == 0 and summary["generator"]["connections_max"] == 30, summary["generator"]


def test_counted():
    """Two workers towards nowhere and somewhere at once: the sums hold over both."""
    with Server(answers()) as server, route(f"{HOLE} dev lo"):
        path = scratch("both.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f'squall: 1\ntargets:\n  here: {{ url: "{server.url("")}" }}\n'
                      f'  hole: {{ url: "http://{HOLE}:81", connect-timeout: 600ms, connections: new }}\n'
                      "load: [ { users: 4, iterations: 8 } ]\nflow: [ { http: GET /, target: here }, { http: GET /, target: hole } ]\n")
        summary, _ = run(path, "-w", 2)
        only(summary, ok=8, unreachable=8)
        assert counted(summary) == 16 and server.requests == 8, (summary["totals"], server.requests)


if __name__ == "__main__":
    own_network()
    main(globals())
