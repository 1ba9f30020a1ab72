"""Processes that are killed, stopped and interrupted while HTTP/2, gRPC and MQTT run, the last two on both engines: the loss is
told, nothing that was counted is lost, and the run ends. test_processes.py does it for HTTP/1.1, with times.

Nothing here judges how long something took: a test waits until a state is there, and ends the run by Ctrl-C.
"""
import os
import resource
import signal
import time

from harness import main, wait_until
from proof import SECOND, Run, errors, gone
from protocols import each, need_protocols
from servers import Server

LONG = ("-d", "300s")  # each test ends the run itself
RATE = 200


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def always(_):
    return True


def named(protocol, *arguments, **options):
    return Run(*arguments, suffix="-" + protocol.name, preexec_fn=no_core, **options)


def stopped(pid):
    def state():
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
            return text.read().rpartition(") ")[2][0] == "T"
    os.kill(pid, signal.SIGSTOP)
    wait_until(state, f"{pid} to stop")
    return time.monotonic_ns()


def outcomes(run, words):
    """How many lines of its raw log have one of these outcomes by now."""
    try:
        with open(run.raw_path, encoding="utf-8") as text:
            return sum(f'"outcome":"{word}"' in line for line in text for word in words.split())
    except FileNotFoundError:
        return 0


def bad(run):
    return outcomes(run, "disconnected unreachable rejected timed_out malformed unsent")


# ---- workers ----

def lose(number, kill, words):
    """The run ends by itself, names the worker, and every answer of the others is in the totals."""
    def test(protocol):
        with Server(protocol.handler(always)) as server, \
                named(protocol, *protocol.arguments(server.port), "-r", RATE, "-u", 16, "-w", 2, *LONG, quiet=False) as run:
            run.running()
            pids = run.workers()
            assert len(pids) == 2, pids
            os.kill(pids[number], kill)
            run.end(97)
            gone(pids)
            summary = run.summary()
        totals = summary["totals"]
        answered = totals["ok"]
        assert 0 < answered <= server.requests <= answered + totals["unfinished"], (totals, server.requests)
        assert totals["begun"] == answered + totals["unfinished"], (totals, errors(summary))
        reasons = summary["verdict"]["reasons"]
        assert not summary["verdict"]["complete"] and summary["generator"]["workers_lost"] == 1, summary["verdict"]
        assert any(f"worker {number} " in reason and words in reason for reason in reasons), reasons
        assert any(reason.startswith(f"the load ended early, since worker {number} (of 2) was gone") for reason in reasons), reasons
        assert words in run.out, run.out
    return test


def test_killed_worker():
    each(lose(1, signal.SIGKILL, "killed by signal 9"))


def test_stopped_worker():
    each(lose(0, signal.SIGSTOP, "stopped by a signal"))


def test_killed_worker_before_the_start():
    """While it connects to a peer that says nothing: no load was begun, and the run says why."""
    def test(protocol):
        rest = "load: [ { users: 4, for: 300s } ]\nflow: [ { STEP } ]\n"
        with Server(lambda peer: peer.drain()) as server, \
                named(protocol, protocol.scenario(server.port, rest, "connect-timeout: 100s"), "-w", 2) as run:
            wait_until(lambda: server.connections >= 2, "connections")
            pids = run.workers()
            os.kill(pids[1], signal.SIGKILL)
            run.end(97)
            gone(pids)
        assert "worker 1 died before the start (killed by signal 9)" in run.err, run.err
    each(test)


def test_killed_controller():
    """Workers do not outlive it, whatever threads their engine has."""
    def test(protocol):
        with Server(protocol.handler(always)) as server, \
                named(protocol, *protocol.arguments(server.port), "-r", RATE, "-u", 16, "-w", 2, *LONG, quiet=False) as run:
            run.running()
            pids = run.workers()
            run.signal(signal.SIGKILL)
            assert run.wait() == -signal.SIGKILL
            gone(pids)
    each(test)


def stall(protocol, victim, held_s, told):
    """A run whose every answer is there in the end; what was due while it stood still waited until it went on."""
    with protocol.server() as server, \
            named(protocol, *protocol.arguments(server.port), "-r", RATE, "-u", 150, *LONG, quiet=False, raw=True) as run:
        run.running()
        before = outcomes(run, "ok")
        pid = victim(run, server)
        since_ns = stopped(pid)
        time.sleep(held_s)
        held_ns = time.monotonic_ns() - since_ns
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: outcomes(run, "ok") > before + RATE, "answers after the stall")
        run.signal(signal.SIGINT)
        run.end(130)
        summary, raw = run.summary(), run.raw()
    totals, step = summary["totals"], summary["steps"][0]
    assert totals["ok"] == totals["begun"] == len(raw) == step["latency_ns"]["count"], (totals, len(raw), errors(summary))
    # Due in the stall's first half, and so waiting through its second half; the arrival on each edge may lie outside.
    waiting = sum(line["done_ns"] - line["intended_ns"] >= held_ns // 2 for line in raw)
    assert waiting >= held_ns // 2 * RATE // SECOND - 2, (protocol.name, waiting, held_ns)
    assert step["latency_ns"]["max"] >= held_ns - 2 * SECOND // RATE, (step["latency_ns"], held_ns)
    assert told(summary["generator"], held_ns), summary["generator"]


def test_worker_stopped_and_continued():
    """Not for long enough to be given up: late, which is latency and a note, and nothing is missing."""
    each(lambda protocol: stall(protocol, lambda run, _: run.workers()[0], 0.5,
                                lambda generator, held_ns: generator["longest_stall_ns"] >= held_ns - 2 * SECOND // RATE))


def test_server_stopped_and_continued():
    each(lambda protocol: stall(protocol, lambda _, server: server.pid, 0.7, lambda generator, _: generator["workers_lost"] == 0))


# ---- servers ----

def restarted(protocol):
    """Killed, away until an exchange has failed by it, and back on the same port: connections come back by themselves."""
    with protocol.server() as server, \
            named(protocol, *protocol.arguments(server.port), "-r", RATE, "-u", 8, "--timeout", "3s", *LONG, quiet=False, raw=True) as run:
        run.running()
        server.signal(signal.SIGKILL)
        server.wait()
        wait_until(lambda: bad(run), "an exchange that fails")
        with protocol.server(server.port):
            good = outcomes(run, "ok")
            wait_until(lambda: outcomes(run, "ok") > good + 100, "answers of the new server")
            run.signal(signal.SIGINT)
            run.end(130)
    summary, raw = run.summary(), run.raw()
    totals = summary["totals"]
    assert totals["begun"] == len(raw) and totals["ok"] == sum(line["outcome"] == "ok" for line in raw), (totals, len(raw))
    assert totals["unfinished"] == 0 and totals["malformed"] == 0, (totals, errors(summary))
    assert summary["verdict"]["complete"] and summary["generator"]["connections_reopened"] > 0, summary["generator"]
    assert errors(summary), "why exchanges failed is told"


def test_server_killed_and_started_again():
    each(restarted)


if __name__ == "__main__":
    need_protocols()
    main(globals())
