"""Every exit code that there is, on the command line; which one wins; and the text that goes with a 2."""
import os
import signal
import threading
import time

from harness import Nginx, Target, free_port, main, scratch, squall, wait_until
from proof import Run, nginx_lines, run

FAILS = "thresholds: [ p50(latency) < 1ns ]\n"


def scenario(url, load, more="", connect="30s"):
    path = scratch(f"scenario-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{url}\", connect-timeout: {connect} }} }}\nload: [ {{ {load} }} ]\n"
                  f"flow:\n  - {{ http: GET / }}\n{more}")
    return path


def full_disk():
    path = scratch(f"full-{time.monotonic_ns()}.json")
    os.symlink("/dev/full", path)
    return path


class Pulses:
    """Takes the processor away from a process for 300 ms of every half second, as a machine that is too busy would."""

    def __init__(self, pid):
        self.pid, self.over = pid, threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def _beat(self):
        try:
            while not self.over.wait(0.2):
                os.kill(self.pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # it has ended, and was not stopped then

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def throttled(path, trust, expect):
    with Nginx() as nginx, Run(path(nginx), trust=trust) as process:
        wait_until(lambda: nginx_lines(nginx) > 20, "requests")
        with Pulses(process.workers()[0]):
            process.end(expect)
        return process


def test_0_and_99():
    with Target(log=False) as target:
        held, _ = run(scenario(target.url(""), "users: 2, iterations: 20", "thresholds: [ rate(failed) < 1% ]\n"))
        assert held["exit_code"] == 0 and held["thresholds"][0]["pass"] is True
        failed, process = run(scenario(target.url(""), "users: 2, iterations: 20", FAILS), expect=99)
        assert failed["exit_code"] == 99 and failed["thresholds"][0]["pass"] is False
        assert failed["thresholds"][0]["actual"] == failed["steps"][0]["latency_ns"]["p50"]
        assert "threshold failed: p50(latency) < 1ns" in process.err, process.err
        # A service that fails is a result, not an error of ours, as long as no threshold judges it.
        rejected, process = run(target.url("/?status=500"), "-n", 5)
        assert rejected["totals"]["rejected"] == 5
        # It is said all the same, quiet or not: an exit code of 0 reads like a success.
        nothing = "none of 5 exchanges was ok, and no threshold judges this run"
        assert nothing in process.err and any(nothing in note for note in rejected["generator"]["notes"]), (process.err, rejected["generator"])
        judged, process = run(target.url("/?status=500"), "-n", 5, "--threshold", "rate(failed) < 1%", expect=99)
        assert not any("was ok" in note for note in judged["generator"]["notes"]) and "was ok" not in process.err
        partly, process = run(target.url("/?status=500"), "-n", 5, "--expect", "500")
        assert not any("was ok" in note for note in partly["generator"]["notes"])
        # Nor is a run in which every second exchange fails a success.
        half = scenario(target.url(""), "users: 1, iterations: 10", "  - { http: GET /?status=500 }\n")
        summary, _ = run(half)
        assert any("10 of 20 exchanges failed, and no threshold judges this run" in note for note in summary["generator"]["notes"]), summary


def test_1_wins_over_99():
    with Target(log=False) as target:
        _, process = run(scenario(target.url(""), "users: 2, iterations: 5", FAILS), "--out", full_disk(), expect=1)
        assert "No space left on device" in process.err, process.err
        # A file that was not written is not listed as one that was.
        good, bad = scratch("good.json"), full_disk()
        shown = squall("run", target.url(""), "-n", 5, "--trust", "off", "--out", bad, "--out", good)
        assert shown.returncode == 1 and good in shown.out and bad not in shown.out and bad in shown.err, (shown.out, shown.err)


def test_3():
    with Run(scenario(f"http://127.0.0.1:{free_port()}", "users: 1, iterations: 1", FAILS, "300ms")) as process:
        process.end(3)
        assert "no connection to target api" in process.err and "300ms" in process.err, process.err
        summary = process.summary()
        assert summary["exit_code"] == 3 and "no connection to target api" in summary["unreachable"], summary
    ended = squall("try", scenario(f"http://127.0.0.1:{free_port()}", "users: 1, iterations: 1", connect="300ms"))
    assert ended.returncode == 3 and "no connection to target api" in ended.err, ended.err


def test_97_wins_over_99():
    with Nginx() as nginx, Run(scenario(nginx.url(""), "users: 4, for: 60s", FAILS), "-w", 2) as process:
        wait_until(lambda: nginx_lines(nginx) > 20, "requests")
        os.kill(process.workers()[0], signal.SIGKILL)
        process.end(97)
        assert not process.summary()["verdict"]["complete"]


def test_98():
    process = throttled(lambda nginx: scenario(nginx.url(""), "hold: 200/s, for: 4s"), "strict", 98)
    verdict = process.summary()["verdict"]
    assert not verdict["trusted"] and verdict["complete"] and "self-delay" in verdict["reasons"][0], verdict
    assert "self-delay" in process.err, process.err


def test_98_wins_over_99():
    throttled(lambda nginx: scenario(nginx.url(""), "hold: 200/s, for: 3s", FAILS), "strict", 98)


def test_98_only_when_strict():
    process = throttled(lambda nginx: scenario(nginx.url(""), "hold: 200/s, for: 3s"), "warn", 0)
    assert not process.summary()["verdict"]["trusted"], "it still says so"
    throttled(lambda nginx: scenario(nginx.url(""), "hold: 200/s, for: 3s", FAILS), "off", 99)


def test_130_wins_over_98_and_99():
    with Nginx() as nginx, Run(scenario(nginx.url(""), "hold: 200/s, for: 60s", FAILS), trust="strict") as process:
        wait_until(lambda: nginx_lines(nginx) > 20, "requests")
        process.signal(signal.SIGINT)
        process.end(130)
        assert process.summary()["exit_code"] == 130


def test_97_wins_over_130():
    with Target("--delay", "20s", log=False) as target, \
            Run(target.url(), "-u", 4, "-d", "60s", "-w", 2, quiet=False) as process:
        process.running()
        pids = process.workers()
        process.signal(signal.SIGINT)
        time.sleep(0.2)
        os.kill(pids[0], signal.SIGKILL)
        process.signal(signal.SIGINT)
        process.end(97)
        assert process.summary()["interrupted"]


URL = f"http://127.0.0.1:{free_port()}/"  # nobody listens; nobody is asked
USAGE = [
    ((), "squall run"),
    (("rum", URL), "did you mean squall run?"),
    (("run",), "needs a scenario file or a URL"),
    (("run", "one.yaml", "two.yaml"), "one scenario or URL"),
    (("run", "no-such-file.yaml"), "no-such-file.yaml"),
    (("run", "gopher://127.0.0.1/"), "'gopher' is not known"),
    (("run", "htp://127.0.0.1/"), "did you mean 'http'?"),
    (("run", URL, "--itertions", "5"), "did you mean --iterations?"),
    (("run", URL, "--metod", "GET"), "did you mean --method?"),
    (("run", URL, "--xyzzy"), "unknown option --xyzzy"),
    (("run", URL, "--vus", "3"), "unknown option --vus; write --users"),
    (("run", URL, "--data", "x"), "unknown option --data; write --body"),
    (("run", URL, "--host=a"), "write the URL as it is"),
    (("run", URL, "-Z"), "unknown option -Z"),
    (("run", URL, "-u"), "-u needs a value"),
    (("run", URL, "--quiet=yes"), "takes no value"),
    (("run", URL, "-u", "many"), "many"),
    (("run", URL, "-r", "fast"), "200/s"),
    (("run", URL, "-d", "5 parsecs"), "5 parsecs"),
    (("run", URL, "-n", "0"), "out of range"),
    (("run", URL, "-w", "0"), "from 1 to 64"),
    (("run", URL, "--trust", "me"), "strict, warn or off"),
    (("run", URL, "--out", "x.pdf"), ".jsonl"),
    (("run", URL, "--log-level", "loud"), "debug"),
    (("run", URL, "-H", "no colon"), "Name: value"),
    (("run", URL, "-X", "get"), "case-sensitive"),
    (("run", URL, "--plugin-dir", "/no/such/folder"), "/no/such/folder"),
    (("run", URL, "--plugin", "relative.so"), "relative.so"),
    (("check",), "needs a scenario file or a URL"),
    (("plugin", "lst"), "did you mean list?"),
    (("plugin", "show", "htp"), "http"),
    (("target", "--lisen", "x"), "did you mean --listen?"),
    (("target", "--delay", "soon"), "soon"),
]


def test_2_on_the_command_line():
    for arguments, words in USAGE:
        ended = squall(*arguments)
        assert ended.returncode == 2 and words in ended.err + ended.out, (arguments, ended.returncode, ended.err)
        assert ended.err.count("\n") <= 3 or not arguments, (arguments, ended.err)


BEGIN = "squall: 1\ntargets: { api: \"http://127.0.0.1:1\" }\nload: [ { users: 1, for: 1s } ]\n"
SCENARIOS = [
    (BEGIN + "flow:\n  - htp: GET /\n", "5:5", "did you mean 'http'?"),
    (BEGIN + "flow:\n  - http: GET /\n    chek: status == 200\n", "6:5", "did you mean `check`?"),
    (BEGIN + "flow:\n  - http: GET /\n    check: { ok: stauts == 200 }\n", "6:18", "did you mean `status`?"),
    (BEGIN + "flow:\n  - http: GET /\n    headers: { x: \"${usr.id}\" }\n", "6:22", "did you mean `user.id`?"),
    (BEGIN.replace("users: 1", "hold: fast") + "flow: [ { http: GET / } ]\n", "3:17", "is not a rate"),
    (BEGIN + "thresholds: [ p99(latncy) < 1s ]\nflow: [ { http: GET / } ]\n", "4:19", "did you mean \"latency\"?"),
    (BEGIN + "flow: [ { http: GET / }\n", "5:1", "not YAML"),
    ("squall: 2\n", "1:9", "1"),
    ("", "1:1", ""),
]


def test_2_in_a_scenario():
    failures = []
    for case in enumerate(SCENARIOS):
        try:
            refused(*case)
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


def refused(i, case):
    """File, line and column, the cause, and what to write; the same from every command that reads one."""
    text, place, words = case
    path = scratch(f"wrong-{i}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    said = set()
    for command in ("check", "run", "try"):
        ended = squall(command, path)
        assert ended.returncode == 2, (command, text, ended.returncode, ended.err)
        assert f"{path}:{place}: " in ended.err and words in ended.err, (command, text, ended.err)
        said.add(ended.err)
    assert len(said) == 1, said


if __name__ == "__main__":
    main(globals())
