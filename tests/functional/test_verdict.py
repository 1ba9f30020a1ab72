"""The verdict: exit 98 is for a generator that could not keep up, and for nothing else."""
import os
import signal
import threading
import time

from harness import Target, main, scratch
from proof import MS, Noise, Run, only

WINDOW_S = 0.1


class Throttle:
    """Gives a process a fifth of each tenth of a second, for as long as the block runs."""

    def __init__(self, pid):
        self.pid, self.over = pid, threading.Event()
        self.thread = threading.Thread(target=self._pulse, daemon=True)

    def _signal(self, number):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            self.over.set()

    def _pulse(self):
        while not self.over.is_set():
            self._signal(signal.SIGSTOP)
            self.over.wait(0.8 * WINDOW_S)
            self._signal(signal.SIGCONT)
            self.over.wait(0.2 * WINDOW_S)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self._signal(signal.SIGCONT)


def test_throttled_worker():
    for load in (("-r", 500), ("-r", 500, "--arrivals", "poisson", "-c", 8)):
        with Target() as target, Run(target.url(), *load, "-d", "4s", trust="strict", quiet=False) as process:
            process.running()
            worker, = process.workers()
            with Throttle(worker):
                time.sleep(2.5)
            process.end(98)
            summary = process.summary()
            only(summary, ok=2000) if "poisson" not in load else None
            assert not summary["verdict"]["trusted"] and "self-delay" in summary["verdict"]["reasons"][0], summary["verdict"]


def trusted(*arguments, target=(), note=None):
    """A run that must not give 98. Where the machine kept another process too from waking in time, a self-delay is the truth,
    and that alone: whatever else the verdict says is said of the pools, which no other process's noise fills up unless the
    target and the generator hardly get to run."""
    with Target(*map(str, target)) as server, Noise() as noise, Run(server.url(), *arguments, trust="strict") as process:
        process.end(None)
        code, summary = process.child.returncode, process.summary()
    reasons = summary["verdict"]["reasons"]
    if code == 98 and (noise.late > 0.005 and all("self-delay" in text for text in reasons) or noise.late > 0.05):
        print(f"     {100 * noise.late:.1f} % of this machine's wake-ups came too late, at worst by {noise.worst_ns // MS} ms:"
              " the verdict is not judged", flush=True)
        return
    assert code == 0 and summary["verdict"]["trusted"], (arguments, code, summary["verdict"], noise.late)
    notes = summary["generator"]["notes"]
    assert note is None or any(note in text for text in notes), (arguments, notes)


def test_saturated_server():
    """40 a second is all that four connections and 100 ms allow: that is the operator's limit, or the target's."""
    slow = ("--delay", "100ms")
    trusted("-r", 100, "-d", "2s", "-c", 4, "-u", 200, target=slow, note="a limit that you set was reached")
    trusted("-r", 100, "-d", "2s", "-c", 4, "-u", 4, target=slow, note="a limit that you set was reached")
    trusted("-u", 8, "-d", "2s", target=slow, note="limited by the target")
    trusted("-r", 100, "-d", "4s", target=("--stall", "1s@1500ms"))


def test_saturated_target_and_our_pool():
    """A target at its limit fills the pool that squall chose, and that is never 98: flat out, in a ramp, in bursts, behind a
    warm-up, with drains of any length, over several steps and workers, at its limit by one place or by fifty."""
    shapes = (
        (("-r", 1000, "-d", "2s", "--drain", "200ms"), ("--at-once", 4, "--delay", "10ms")),
        (("-r", 1000, "-d", "1s", "--drain", "6s"), ("--at-once", 4, "--delay", "10ms")),
        (("-r", 8000, "-d", "2s", "--drain", "200ms"), ("--at-once", 1, "--delay", "1ms")),  # out of users too
        (("-r", 1000, "-d", "2s", "--ramp", "1s", "--drain", "200ms"), ("--at-once", 4, "--delay", "exponential(10ms)")),
        (("-r", 900, "-d", "2s", "--warmup", "1s", "--drain", "200ms", "--arrivals", "poisson"), ("--at-once", 4, "--delay", "10ms")),
        (("-r", 1000, "-d", "2s", "--drain", "200ms", "-w", 3), ("--at-once", 50, "--delay", "100ms")),
        (("-r", 300, "-d", "2s", "--timeout", "500ms"), ("--delay", "30s")),  # says nothing at all
    )
    for load, target in shapes:
        trusted(*load, target=target, note="the target did not keep up")


def test_saturated_target_in_steps():
    """The mixture of steps with few in flight is not the one with many: the first step stands before the second."""
    with Target("--at-once", "4", "--delay", "10ms") as target:
        path = scratch("saturated.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""squall: 1
targets: {{ api: "{target.url('')}" }}
load: [ {{ hold: 300/s, for: 2s }} ]
drain: 200ms
flow:
  - http: GET /quick?delay=1ms
  - think: 5ms..20ms
  - http: GET /slow?delay=40ms
""")
        with Run(path, trust="strict") as process:
            process.end(None)
            summary = process.summary()
    assert all("self-delay" in text for text in summary["verdict"]["reasons"]), summary["verdict"]
    late = process.child.returncode == 98  # then the notes are silent on the target: nobody can tell
    assert late or any("did not keep up" in note for note in summary["generator"]["notes"]), summary["generator"]


def test_server_that_does_not_keep_connections():
    for load in (("-u", 4, "-n", 200), ("-r", 100, "-d", "1s", "-c", 4)):
        trusted(*load, target=("--close-after", 1), note="the server closes them after nearly every one (no keep-alive)")
    with Target("--close-after", "10") as target:
        with Run(target.url(), "-u", 4, "-n", 200) as process:
            process.end(0)
            generator = process.summary()["generator"]
    assert generator["connections_reopened"] >= 15 and not any("keep-alive" in note for note in generator["notes"]), generator


def test_our_own_pool():
    """No connections were asked for, and the 64 of ours do not suffice: that is not the target's fault."""
    with Target("--delay", "1s") as target, Run(target.url(), "-r", 90, "-d", "3s", trust="strict") as process:
        process.end(98)
        reasons = process.summary()["verdict"]["reasons"]
        assert any("a pool that squall chose" in text for text in reasons), reasons
    for trust in ("warn", "off"):
        with Target("--delay", "1s") as target, Run(target.url(), "-r", 90, "-d", "3s", trust=trust) as process:
            process.end(0)
            assert not process.summary()["verdict"]["trusted"]


if __name__ == "__main__":
    main(globals())
