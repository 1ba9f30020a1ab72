"""The verdict: exit 98 is for a generator that could not keep up, and for nothing else."""
import os
import signal
import threading
import time

from harness import Target, main
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
    """A run that must not give 98. Where the machine kept another process too from waking in time, 98 is the truth."""
    with Target(*target) as server, Noise() as noise, Run(server.url(), *arguments, trust="strict") as process:
        process.end(None)
        code, summary = process.child.returncode, process.summary()
    if code == 98 and noise.late > 0.005:
        print(f"     {100 * noise.late:.1f} % of this machine's wake-ups came too late, at worst by {noise.worst_ns // MS} ms:"
              " not judged", flush=True)
        return
    assert code == 0 and summary["verdict"]["trusted"], (code, summary["verdict"], noise.late)
    notes = summary["generator"]["notes"]
    assert note is None or any(note in text for text in notes), notes


def test_saturated_server():
    """40 a second is all that four connections and 100 ms allow: that is the operator's limit, or the target's."""
    slow = ("--delay", "100ms")
    trusted("-r", 100, "-d", "2s", "-c", 4, "-u", 200, target=slow, note="a limit that you set was reached")
    trusted("-r", 100, "-d", "2s", "-c", 4, "-u", 4, target=slow, note="a limit that you set was reached")
    trusted("-u", 8, "-d", "2s", target=slow, note="limited by the target")
    trusted("-r", 100, "-d", "4s", target=("--stall", "1s@1500ms"))


def test_our_own_pool():
    """No connections were asked for, and the 64 of ours do not suffice: that is not the target's fault."""
    with Target("--delay", "1s") as target, Run(target.url(), "-r", 70, "-d", "6s", trust="strict") as process:
        process.end(98)
        reasons = process.summary()["verdict"]["reasons"]
        assert any("a pool that squall chose" in text for text in reasons), reasons
    for trust in ("warn", "off"):
        with Target("--delay", "1s") as target, Run(target.url(), "-r", 70, "-d", "6s", trust=trust) as process:
            process.end(0)
            assert not process.summary()["verdict"]["trusted"]


if __name__ == "__main__":
    main(globals())
