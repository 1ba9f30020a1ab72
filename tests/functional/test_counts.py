"""Counts: what squall says it did, against the server's own log. By every end that a run can have, to the last request."""
import os
import signal
import time

from harness import Nginx, Target, free_port, main, squall, wait_until
from proof import Run, counted, errors, lines_in, nginx_lines, only, run
from servers import Server, answers


def test_exact_number_of_journeys():
    """-n by closed and open load, pooled and per user, with more workers than the load divides by: 1001 is 7 * 11 * 13."""
    cases = [(load, workers) for workers in (1, 2, 3) for load in (
        ("-u", 7, "-c", "per-user"), ("-u", 7, "-c", 5), ("-r", 2000, "-c", 16), ("-r", 2000, "-c", 16, "--arrivals", "poisson"))]
    cases += [(("-u", 40, "-c", 3), 2), (("-r", 5000, "-u", 4, "-c", 4), 2)]
    with Nginx() as nginx:
        for i, (load, workers) in enumerate(cases):
            summary, _ = run(nginx.url(f"/case-{i}"), *load, "-n", 1001, "-w", workers)
            only(summary, ok=1001)
            assert summary["journeys"]["completed"] == 1001, (load, workers)
            assert summary["generator"]["workers"] == workers, (load, workers, summary["generator"])
        requests = [row["request"] for row in nginx.stop().access()]
    for i, case in enumerate(cases):
        assert requests.count(f"GET /case-{i} HTTP/1.1") == 1001, case
    assert len(requests) == 1001 * len(cases)


def test_fewer_journeys_than_users_or_workers():
    with Nginx() as nginx:
        summary, _ = run(nginx.url(), "-u", 9, "-n", 2, "-w", 3)
        only(summary, ok=2)
        summary, _ = run(nginx.url(), "-r", 100, "-n", 1, "-w", 2)
        only(summary, ok=1)
        assert len(nginx.stop().access()) == 3


def test_warmup_and_measured_part_add_up():
    with Nginx() as nginx:
        summary, _ = run(nginx.url("/open"), "-r", 500, "-d", "2s", "--warmup", "500ms", "-c", 16)
        assert summary["totals"]["ok"] == 750 and summary["warmup"]["totals"]["ok"] == 250, summary["totals"]
        assert summary["steps"][0]["count"] == 750
        closed, _ = run(nginx.url("/closed"), "-u", 3, "-d", "1s", "--warmup", "400ms", "-w", 2)
        rows = [row["request"] for row in nginx.stop().access()]
    assert rows.count("GET /open HTTP/1.1") == 1000
    assert closed["warmup"]["totals"]["ok"] > 0 and closed["totals"]["ok"] > 0
    assert rows.count("GET /closed HTTP/1.1") == counted(closed) == counted(closed, "ok")


def test_interrupted_once():
    """What is in flight may end: all that was begun is in the log, and all has an answer."""
    with Nginx() as nginx, Run(nginx.url(), "-r", 1000, "-d", "60s", "-w", 2) as process:
        wait_until(lambda: nginx_lines(nginx) > 300, "requests")
        process.signal(signal.SIGINT)
        assert process.end(130) < 40
        summary = process.summary()
        assert summary["interrupted"] and summary["totals"]["unfinished"] == 0, summary["totals"]
        assert len(nginx.stop().access()) == summary["totals"]["ok"] == summary["totals"]["begun"] > 300
        assert summary["journeys"]["due"] < 60000


def test_interrupted_once_with_slow_answers():
    with Target("--delay", "700ms") as target, Run(target.url(), "-r", 100, "-d", "60s", "-c", 200, quiet=False) as process:
        process.running()
        process.signal(signal.SIGINT)
        assert process.end(130) < 40
        summary = process.summary()
        only(summary, ok=summary["totals"]["begun"])
        assert summary["totals"]["ok"] > 0
        assert len(target.stop().log()) == summary["totals"]["ok"]


def test_interrupted_twice():
    """It ends at once; what was in flight is unfinished, and the server has no more than that."""
    with Target("--delay", "30s") as target, Run(target.url(), "-r", 100, "-d", "60s", "-c", 50, quiet=False) as process:
        process.running()
        process.interrupt_at_once()
        summary = process.summary()
        only(summary, unfinished=summary["totals"]["begun"])
        assert summary["journeys"]["unfinished"] == summary["journeys"]["due"] >= summary["totals"]["begun"] >= 50
        assert len(target.stop().log()) == 50  # a connection each; the others waited for one


def test_interrupted_with_mixed_answers():
    """Some answered, some under way: recorded <= logged <= recorded + unfinished."""
    with Target("--delay", "bimodal(1ms,30s,0.9)") as target, \
            Run(target.url(), "-r", 300, "-d", "60s", "-c", 400, "-w", 2, quiet=False) as process:
        process.running()
        process.interrupt_at_once()
        totals = process.summary()["totals"]
        logged = len(target.stop().log())
        assert totals["ok"] <= logged <= totals["ok"] + totals["unfinished"], (totals, logged)
        assert totals["ok"] > 0 and totals["unfinished"] > 0, totals


def test_time_outs():
    """nginx before a target that is slow once in five: nginx logs 499 for each client that gave up."""
    with Target("--delay", "bimodal(0ms,20s,0.8)", log=False) as target, \
            Nginx(locations=f"location /slow {{ proxy_pass {target.url('')}; proxy_http_version 1.1; }}") as nginx:
        summary, _ = run(nginx.url("/slow"), "-r", 200, "-n", 300, "-c", 300, "--timeout", "3s", "-w", 2)
        totals = summary["totals"]
        only(summary, ok=totals["ok"], timed_out=300 - totals["ok"])
        assert 20 < totals["timed_out"] < 120, totals
        latency = summary["steps"][0]["latency_ns"]
        assert latency["lower_bounds"] == totals["timed_out"] and latency["lower_bound_min"] >= 3_000_000_000, latency
        assert summary["steps"][0]["service_ns"]["count"] == totals["ok"]
        statuses = [row["status"] for row in nginx.stop().access()]
    assert (statuses.count(200), statuses.count(499)) == (totals["ok"], totals["timed_out"]) and len(statuses) == 300


def test_server_reloads_in_mid_run():
    """Old workers end their connections in order. A request that crosses such an end may be lost, and is then counted as that."""
    with Nginx() as nginx, Run(nginx.url(), "-r", 500, "-d", "2s", "-c", 32) as process:
        wait_until(lambda: nginx_lines(nginx) > 200, "requests")
        nginx.signal(signal.SIGHUP)
        process.end()
        totals = process.summary()["totals"]
        logged = len(nginx.stop().access())
        assert totals["begun"] == 1000 and totals["ok"] <= logged <= totals["ok"] + totals["disconnected"], (totals, logged)
        assert totals["ok"] + totals["disconnected"] == 1000 and totals["disconnected"] <= 64, (totals, errors(process.summary()))


def test_server_stops_and_starts_again():
    port = free_port()
    with Nginx(port=port) as first, Run(first.url(), "-r", 300, "-d", "6s", "-c", 16, raw=True) as process:
        wait_until(lambda: nginx_lines(first) > 150, "requests")
        first.signal(signal.SIGTERM)
        first.wait()
        time.sleep(1)
        with Nginx(port=port) as second:
            back_ns = nginx_lines(second)
            wait_until(lambda: nginx_lines(second) > back_ns + 100, "requests after the restart")
            process.end()
            summary = process.summary()
            logged = len(first.access()) + len(second.stop().access())
        totals = summary["totals"]
        assert totals["begun"] == 1800 and totals["ok"] <= logged <= totals["ok"] + totals["disconnected"], (totals, logged)
        assert totals["unreachable"] > 0 and totals["ok"] >= 250, (totals, errors(summary))
        assert lines_in(process.raw_path) == 1800


def test_connections_of_ten_requests():
    """Announced by the server, so nothing is lost; each connection carries no more than its ten."""
    with Nginx(locations="keepalive_requests 10;") as nginx:
        for load in (("-u", 4), ("-u", 8, "-c", 3), ("-r", 1500, "-c", 8)):
            summary, _ = run(nginx.url(), *load, "-n", 500)
            only(summary, ok=500)
        rows = nginx.stop().access()
    carried = {}
    for row in rows:
        carried[row["connection"]] = carried.get(row["connection"], 0) + 1
    assert len(rows) == 1500 and max(carried.values()) == 10 and len(carried) >= 150, carried


def test_connections_of_one_request():
    with Target() as target:
        for load in (("-u", 4), ("-r", 400, "-c", 8)):
            summary, _ = run(target.url("/?close=1"), *load, "-n", 200)
            only(summary, ok=200)
        log = target.stop().log()
        assert len(log) == 400 == len({line["conn"] for line in log})


def test_http_1_0():
    """No length, no keep-alive: the close is the end of the answer."""
    with Server(answers(b"HTTP/1.0 200 OK\r\n\r\nto the close", close=True)) as server:
        summary, _ = run(server.url(), "-u", 3, "-n", 100)
        only(summary, ok=100)
        assert server.requests == 100
    with Server(answers(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")) as server:
        summary, _ = run(server.url(), "-u", 3, "-n", 100)
        only(summary, ok=100)
        assert (server.requests, server.connections) == (100, 3)


def test_close_without_notice():
    """A server that closes after each fifth answer and does not say so: what crossed it is disconnected, never ok, never lost."""
    def five(peer):
        for _ in range(5):
            if peer.request() is None:
                return
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Server(five) as server:
        summary, _ = run(server.url(), "-r", 200, "-n", 200, "-c", 4)
        totals = summary["totals"]
        assert totals["ok"] + totals["disconnected"] == 200 and totals["ok"] <= server.requests <= 200, (totals, server.requests)
        assert totals["ok"] == server.requests  # the server answers whatever it reads


def test_log_lines_of_a_rejecting_server():
    with Nginx(locations="location /no { return 503; } location /yes { return 204; }") as nginx:
        summary, _ = run(nginx.url("/no"), "-u", 2, "-n", 50)
        only(summary, rejected=50)
        assert summary["steps"][0]["codes"] == {"503": 50} and summary["journeys"]["failed"] == 50
        summary, _ = run(nginx.url("/yes"), "-u", 2, "-n", 50)
        only(summary, ok=50)
        assert [row["status"] for row in nginx.stop().access()] == [503] * 50 + [204] * 50


def test_try_sends_one():
    with Nginx() as nginx:
        assert squall("try", nginx.url("/one")).returncode == 0
        assert len(nginx.stop().access()) == 1 and os.path.exists(nginx.folder)


if __name__ == "__main__":
    main(globals())
