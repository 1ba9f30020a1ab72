"""The stall oracle on gRPC: a server that is frozen once shows in full, on unary calls and on the messages of a ping-pong
stream that is paced. See test_stall_oracle.py for the sums: S is the freeze as it really was, by this test's own clock.
And the two engines' medians agree."""
import os
import signal
import time

from harness import main, squall_run
from proof import MS, SECOND, Noise, Run, only
import grpc_servers
from test_grpc import scenario
from test_grpc_engines import CORE, OWN

RATE, LENGTH_S, FREEZE_S = 100, 6, 2
SPAN = LENGTH_S * SECOND


def freeze(server):
    """Once the load runs: the shortest and the longest that it may have been."""
    time.sleep(1.5)
    stop = [time.monotonic_ns()]
    os.kill(server.pid, signal.SIGSTOP)
    stop.append(time.monotonic_ns())
    time.sleep(FREEZE_S)
    go_on = [time.monotonic_ns()]
    os.kill(server.pid, signal.SIGCONT)
    go_on.append(time.monotonic_ns())
    return go_on[0] - stop[1], go_on[1] - stop[0]


def judge(latency, frozen, slack_ns):
    """Who came d after the start of the freeze waited S - d, of all that were due in the span."""
    shortest, longest = frozen

    def mean(s):
        return s * s // (2 * SPAN)
    assert mean(shortest) * 0.95 - slack_ns <= latency["mean"] <= mean(longest) * 1.05 + slack_ns, (latency, frozen, slack_ns)
    for key, share in (("p90", SPAN // 10), ("p99", SPAN // 100)):
        assert shortest - share - 50 * MS - slack_ns <= latency[key] <= longest - share + 50 * MS + slack_ns, (key, latency, frozen)
    assert latency["p50"] < 50 * MS + slack_ns, latency


def test_unary():
    with grpc_servers.grpcpp() as server, Noise() as noise:
        with Run(server.url("/interop.Interop/Unary"), "-r", f"{RATE}/s", "-d", f"{LENGTH_S}s", "-c", 4, quiet=False) as process:
            process.running()
            frozen = freeze(server)
            process.end()
        summary = process.summary()
        only(summary, ok=RATE * LENGTH_S)
        judge(summary["steps"][0]["latency_ns"], frozen, noise.worst_ns)


def test_ping_pong_stream():
    """One stream of RATE messages a second: they fall due whatever the server does."""
    case = ("talk", "Duplex", f"ping-pong: true, every: {1000 // RATE}ms, repeat: {RATE * LENGTH_S}, "
            "send: [ { parts: [ { answer_bytes: 8 } ] } ]", "OK", {})
    with grpc_servers.grpcpp() as server, Noise() as noise:
        path = scenario(server.port, "proto: interop.proto", [case])
        with Run(path, "--drain", "20s", quiet=False) as process:
            process.running()
            frozen = freeze(server)
            process.end(expect=None)
        step = process.summary()["steps"][0]
        messages = step["messages"]
        print("    ", messages)
        assert messages["answered"] == RATE * LENGTH_S, messages
        judge(messages["latency_ns"], frozen, noise.worst_ns)


def test_times_agree():
    """At 500/s, on the same server: p50 within max(100 us, 15 %)."""
    case = ("unary", "Unary", "message: { answer_bytes: 100 }", "OK", {})
    p50 = {}
    with grpc_servers.grpcpp() as server, Noise() as noise:
        for name, source in (("own", OWN), ("core", CORE)):
            path = scenario(server.port, source, [case])
            with open(path, encoding="utf-8") as text:
                open_load = text.read().replace("load: [ { users: 1, for: 1s } ]", "load: [ { hold: 500/s, for: 2s } ]")
            with open(path, "w", encoding="utf-8") as text:
                text.write(open_load)
            summary = squall_run(path, "--trust", "off")
            step, = summary["steps"]
            assert step["ok"] == 1000 and step["codes"] == {"0": 1000}, step
            assert ("service_ns" in step) == (name == "own"), step.keys()
            p50[name] = step["latency_ns"]["p50"]
        server.stop()
        assert server.calls == 2000, server.calls
    print(f"     p50: {p50}", flush=True)
    # A machine that keeps a sleeper waiting does that to one engine's threads more than to the other's.
    assert abs(p50["own"] - p50["core"]) <= max(MS // 10, 0.15 * p50["own"]) + noise.worst_ns, (p50, noise.worst_ns)


if __name__ == "__main__":
    main(globals())
