"""The stall oracle: what coordinated omission would hide must show.

200 journeys a second for T = 10 s, 64 open connections, the server frozen once for S = 3 s. Who came d after the start of
the freeze waited S - d, so that over all 2,000 arrivals the mean latency is S^2 / 2T and p(q) is S - (1 - q) T. S is the
freeze as it really was, by this test's own clock around the two signals.
"""
import time

from harness import Nginx, Target, free_port, main, wait_until
from proof import MS, SECOND, Noise, Run, nginx_lines, only, quantile

RATE, LENGTH_S, FREEZE_S, CONNECTIONS = 200, 10, 3, 64
DUE = RATE * LENGTH_S
LOAD = ("-r", RATE, "-d", f"{LENGTH_S}s", "-c", CONNECTIONS)


def judge(process, freeze_ns, slack_ns):
    """freeze_ns: what S is known to lie between; slack_ns: how long the machine itself stood still."""
    summary = process.summary()
    only(summary, ok=DUE)
    assert summary["journeys"]["completed"] == DUE
    step, = summary["steps"]
    latency, service = step["latency_ns"], step["service_ns"]
    shortest, longest = freeze_ns
    span = LENGTH_S * SECOND

    def mean(s):
        return s * s // (2 * span)
    assert mean(shortest) * 0.95 - slack_ns <= latency["mean"] <= mean(longest) * 1.05 + slack_ns, (latency, freeze_ns, slack_ns)
    for key, share in (("p90", span // 10), ("p99", span // 100)):
        assert shortest - share - 50 * MS - slack_ns <= latency[key] <= longest - share + 50 * MS + slack_ns, \
            (key, latency, freeze_ns, slack_ns)
    assert latency["p50"] < 50 * MS + slack_ns, latency
    assert longest + 50 * MS + slack_ns >= latency["max"] >= shortest - SECOND // RATE - 50 * MS - slack_ns, latency

    # Service time sees only what was under way: one exchange a connection. The other 536 waited here, not there.
    assert service["count"] == DUE and service["p90"] < latency["p90"] / 4, (service, latency)
    long_service = sum(line["done_ns"] - line["sent_ns"] > SECOND for line in process.raw())
    assert long_service == CONNECTIONS, long_service
    waited = step["phases_ns"]["wait"]
    assert waited["p90"] > latency["p90"] / 2, waited


def test_nginx_frozen_by_a_signal():
    with Nginx() as nginx, Noise() as noise, Run(nginx.url(), *LOAD, raw=True) as process:
        wait_until(lambda: nginx_lines(nginx), "the first answer")
        time.sleep(3.5)
        freeze_ns = nginx.freeze(FREEZE_S)
        process.end()
        judge(process, freeze_ns, noise.worst_ns)
        assert len(nginx.stop().access()) == DUE


def test_one_connection_of_many_streams():
    """HTTP/2: as many slots as there were connections, all on one."""
    port = free_port()
    with Nginx(f"listen 127.0.0.1:{port} http2;") as nginx, Noise() as noise, \
            Run(f"http://127.0.0.1:{port}/", "--h2", "--streams", CONNECTIONS, *LOAD[:-1], 1, raw=True) as process:
        wait_until(lambda: nginx_lines(nginx), "the first answer")
        time.sleep(3.5)
        freeze_ns = nginx.freeze(FREEZE_S)
        process.end()
        judge(process, freeze_ns, noise.worst_ns)
        assert len(nginx.stop().access()) == DUE


def test_target_that_stalls():
    with Target("--stall", f"{FREEZE_S}s@4s") as target, Noise() as noise, Run(target.url(), *LOAD, raw=True) as process:
        process.end()
        judge(process, (FREEZE_S * SECOND, FREEZE_S * SECOND), noise.worst_ns)
        log = target.stop().log()
        assert len(log) == DUE
        held = sorted(line["answer_ns"] - line["arrival_ns"] for line in log)
        assert quantile(held, 1.0) > (FREEZE_S - 1) * SECOND


if __name__ == "__main__":
    main(globals())
