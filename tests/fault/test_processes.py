"""What happens to a run when a process of it is killed or stopped, and when disk or descriptors run out.

A loss is noticed long before the load would have ended, named, and never green; the counts that remain are true: recorded <=
logged <= recorded + what was in flight.
"""
import json
import os
import resource
import signal
import time

from harness import Nginx, Target, main, scratch, squall, wait_until
from proof import SECOND, Noise, Run, gone, nginx_lines
from servers import Server

NOTICED_S = 20.0  # some 3 s, and what a busy machine adds; the load would last a minute


def between(summary, logged):
    """recorded <= logged <= recorded + in flight."""
    totals = summary["totals"]
    recorded = totals["ok"] + totals["rejected"]
    assert recorded <= logged <= recorded + totals["unfinished"], (totals, logged)
    assert recorded > 0
    return totals


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def lose(load, workers, number, kill, words):
    with Nginx() as nginx, Noise() as noise, \
            Run(nginx.url(), *load, "-d", "60s", "-w", workers, preexec_fn=no_core) as process:
        wait_until(lambda: nginx_lines(nginx) > 500, "requests")
        pids = process.workers()
        assert len(pids) == workers, pids
        os.kill(pids[number], kill)
        seconds = process.end(97)
        assert seconds < NOTICED_S, seconds
        summary = process.summary()
        gone(pids)
        totals = between(summary, len(nginx.stop().access()))
        # And what had fallen due and waited, while the machine stood still.
        assert totals["unfinished"] <= 64 + 2 * 2000 * noise.worst_ns / SECOND, (totals, noise.worst_ns)
    verdict = summary["verdict"]
    assert not verdict["complete"] and any(words in reason for reason in verdict["reasons"]), verdict
    assert summary["generator"]["workers_lost"] == 1 and summary["exit_code"] == 97, summary["generator"]
    assert words in process.err, process.err
    # Which worker, how it ended, and how much of what was asked for there is: on stderr here, which has what the screen says.
    cut, = [reason for reason in verdict["reasons"] if reason.startswith("the load ended early")]
    assert f"worker {number} (of {workers})" in cut and " of a load of 1m" in cut and cut in process.err, cut
    assert ("and the others were told to stop" in cut) == (workers > 1), cut
    due = summary["journeys"]["due"]
    assert (f", and {due:,} of its 120,000 journeys" in cut) == ("-r" in load), (cut, due)


def test_killed_worker_of_two_in_closed_load():
    lose(("-u", 32), 2, 1, signal.SIGKILL, "killed by signal 9")


def test_killed_worker_of_two_in_open_load():
    lose(("-r", 2000, "-c", 32), 2, 0, signal.SIGKILL, "killed by signal 9")


def test_killed_only_worker():
    lose(("-u", 16), 1, 0, signal.SIGKILL, "killed by signal 9")


def test_killed_worker_with_answers_under_way():
    """A target that takes its time: what the lost worker had sent is unfinished, and in the target's log."""
    with Target("--delay", "uniform(1ms,1s)") as target, \
            Run(target.url(), "-r", 200, "-d", "60s", "-c", 400, "-w", 2, raw=True, quiet=False, preexec_fn=no_core) as process:
        process.running()
        os.kill(process.workers()[1], signal.SIGKILL)
        process.end(97)
        totals = between(process.summary(), len(target.stop().log()))
        assert totals["unfinished"] > 10, totals
        shown = " ".join(process.out.split())  # without the screen's line breaks
        assert "worker 1 died (killed by signal 9)" in shown and "the load ended early, since worker 1 (of 2) was gone" in shown, shown
        # Its raw log ends with its last whole second; what is there is whole lines.
        assert 0 < len(process.raw()) <= totals["ok"], totals


def test_killed_worker_when_the_load_is_over():
    """What was asked for has been sent: nothing of the load is missing, though an answer is."""
    with Target("--delay", "60s") as target, \
            Run(target.url(), "-u", 2, "-n", 2, "-w", 2, quiet=False, preexec_fn=no_core) as process:
        process.running()
        os.kill(process.workers()[0], signal.SIGKILL)
        process.end(97)
        reasons = process.summary()["verdict"]["reasons"]
    assert any("worker 0 died" in reason for reason in reasons) and not any("ended early" in reason for reason in reasons), reasons


def test_stopped_worker():
    lose(("-u", 16), 2, 0, signal.SIGSTOP, "stopped by a signal")


def test_worker_that_crashes():
    lose(("-u", 16), 2, 1, signal.SIGABRT, "killed by signal 6")


def test_worker_that_is_only_slow():
    """Stopped for less than the limit: late, but not lost."""
    with Nginx() as nginx, Run(nginx.url(), "-r", 200, "-d", "3s", "-c", 16) as process:
        wait_until(lambda: nginx_lines(nginx) > 50, "requests")
        worker, = process.workers()
        os.kill(worker, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(worker, signal.SIGCONT)
        process.end()
        summary = process.summary()
        assert len(nginx.stop().access()) == summary["totals"]["ok"] == 600
    assert summary["generator"]["longest_stall_ns"] > 600_000_000
    assert any("stood still" in note for note in summary["generator"]["notes"]), summary["generator"]["notes"]
    assert summary["steps"][0]["latency_ns"]["max"] > 600_000_000, "lateness of ours is latency too"


def silent(peer):
    peer.drain()


def connecting(server):
    """TLS with a server that says nothing keeps the run connecting."""
    return Run(scenario(f"https://127.0.0.1:{server.port}", connect="60s"), "-u", 2, "-d", "5s")


def test_killed_worker_before_the_start():
    with Server(silent) as server, connecting(server) as process:
        wait_until(lambda: server.connections, "connections")
        os.kill(process.workers()[0], signal.SIGKILL)
        process.end(97)
        assert "before the start" in process.err, process.err


def test_interrupted_before_the_start():
    with Server(silent) as server, connecting(server) as process:
        wait_until(lambda: server.connections, "connections")
        pids = process.workers()
        process.signal(signal.SIGINT)
        process.end(130)
        gone(pids)


def test_killed_controller():
    """Workers do not outlive it."""
    with Nginx() as nginx, Run(nginx.url(), "-u", 8, "-d", "60s", "-w", 2) as process:
        wait_until(lambda: nginx_lines(nginx) > 500, "requests")
        pids = process.workers()
        process.signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        gone(pids, NOTICED_S)


def test_terminated_controller():
    """SIGTERM is a Ctrl-C: what was measured is written."""
    with Nginx() as nginx, Run(nginx.url(), "-u", 8, "-d", "60s", "-w", 2) as process:
        wait_until(lambda: nginx_lines(nginx) > 500, "requests")
        pids = process.workers()
        process.signal(signal.SIGTERM)
        process.end(130)
        gone(pids)
        summary = process.summary()
        assert summary["interrupted"] and len(nginx.stop().access()) == summary["totals"]["ok"] > 500


def full(suffix):
    path = scratch(f"full-{time.monotonic_ns()}{suffix}")
    os.symlink("/dev/full", path)
    return path


def test_disk_full_for_the_raw_log():
    with Nginx() as nginx, Run(nginx.url(), "-n", 200, "-u", 2, "--out", full(".jsonl")) as process:
        process.end(1)
        assert "200 exchanges could not be written" in process.err and "full" in process.err, process.err
        summary = process.summary()
        assert summary["totals"]["ok"] == 200 and summary["generator"]["raw_records_lost"] == 200, summary["generator"]


def test_disk_full_for_the_summary():
    with Nginx() as nginx:
        path = full(".json")
        ended = squall("run", nginx.url(), "-n", 20, "-u", 2, "--out", path)
        assert ended.returncode == 1, (ended.returncode, ended.err)
        assert "No space left on device" in ended.err and path in ended.err, ended.err
        assert "20 begun" in ended.out, "the screen is there all the same"


def test_folder_that_is_missing():
    """Found before the run, not after it."""
    with Nginx() as nginx:
        for name in ("missing/x.json", "missing/x.jsonl"):
            ended = squall("run", nginx.url(), "-n", 20, "--out", scratch(name))
            assert ended.returncode in (1, 2) and "missing/x" in ended.err, (ended.returncode, ended.err)
        assert len(nginx.stop().access()) == 0


def limited(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def scenario(url, connect="700ms"):
    path = scratch(f"scenario-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets:\n  api: {{ url: \"{url}\", connections: 64, connect-timeout: {connect} }}\n"
                  "flow: [ { http: GET / } ]\n")
    return path


def test_descriptors_run_out():
    """Some forty descriptors for 64 connections, the others being taken by files that squall inherits: the run goes on
    with what it got, and does not claim to be trusted."""
    holding = ("bash", "-c", 'for fd in {20..119}; do eval "exec $fd</dev/null"; done; exec "$@"', "-")
    with Nginx() as nginx, Run(scenario(nginx.url("")), "-r", 200, "-n", 100, trust="strict", prefix=holding,
                               preexec_fn=limited(150)) as process:
        process.end(98)
        summary = process.summary()
        assert summary["totals"]["ok"] == 100, (summary["totals"], summary["errors"])
        generator = summary["generator"]
        assert generator["descriptors_exhausted"] > 0 and 0 < generator["connections_max"] < 50, generator
        assert any("ulimit -n" in reason for reason in summary["verdict"]["reasons"]), summary["verdict"]


def test_hardly_any_descriptors():
    """From too few to start to just enough: an exit code and a text, never a hang or a crash."""
    seen = set()
    with Nginx() as nginx:
        for count in (4, 8, 16, 40, 64, 65):
            ended = squall("run", scenario(nginx.url("")), "-u", 1, "-n", 5, "--quiet", preexec_fn=limited(count))
            assert ended.returncode in (0, 1, 2, 3, 98, 127), (count, ended.returncode, ended.err)
            assert ended.returncode == 0 or ended.err, count
            seen.add(ended.returncode)
    assert 0 in seen and len(seen) > 1, seen


def test_summary_stays_whole_when_killed():
    """A reader of the old summary never sees half of a new one."""
    path = scratch("kept.json")
    with Nginx() as nginx:
        assert squall("run", nginx.url(), "-n", 5, "--quiet", "--out", path).returncode in (0, 98)
        with Run(nginx.url(), "-u", 4, "-d", "60s", "--out", path) as process:
            before = nginx_lines(nginx)
            wait_until(lambda: nginx_lines(nginx) > before + 100, "requests")
            process.signal(signal.SIGKILL)
            process.wait()
        with open(path, encoding="utf-8") as text:
            assert json.load(text)["totals"]["ok"] == 5


if __name__ == "__main__":
    main(globals())
