"""What the proofs share: runs in the background, a summary's identities, the raw log, and the machine's own noise.

Tolerances of the proofs are derived: what the machine itself stood still for while a test ran is measured (Noise) and
added to them, so that a busy machine widens a tolerance instead of failing a test.
"""
import json
import os
import re
import signal
import threading
import time

from harness import SQUALL, WAIT_S, Process, scratch, wait_until

SECOND = 1_000_000_000
MS = 1_000_000
OUTCOMES = ("ok", "rejected", "malformed", "timed_out", "unreachable", "disconnected", "unsent", "unfinished")
JOURNEYS = ("completed", "failed", "dropped", "unfinished")


class Watch:
    """A thread that sleeps and wakes, on one processor only, and what it has seen."""

    STEP_S = 0.002

    def __init__(self, processor, over):
        self.processor, self.over = processor, over
        self.worst_ns = self.sleeps = self.late_sleeps = 0
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        os.sched_setaffinity(0, {self.processor})
        while not self.over.is_set():
            before = time.monotonic_ns()
            time.sleep(self.STEP_S)
            late = time.monotonic_ns() - before - int(self.STEP_S * SECOND)
            self.worst_ns = max(self.worst_ns, late)
            self.sleeps += 1
            self.late_sleeps += late > MS


class Noise:
    """Measures how long a sleeping process is kept from the processor while the block runs: `worst_ns`, and in which share of
    the sleeps for more than a millisecond: `late`. On each processor, since a virtual machine may be robbed of one alone."""

    def __enter__(self):
        self._over = threading.Event()
        self._watches = [Watch(processor, self._over) for processor in sorted(os.sched_getaffinity(0))]
        return self

    @property
    def worst_ns(self):
        return max(watch.worst_ns for watch in self._watches)

    @property
    def late(self):
        return max(watch.late_sleeps / max(1, watch.sleeps) for watch in self._watches)

    def __exit__(self, *_):
        self._over.set()
        for watch in self._watches:
            watch.thread.join()


class Run(Process):
    """`squall run` in the background; end() gives its exit code, summary() and raw() what it left behind.

    --trust off, since whether the generator was fast enough for this machine is not what a proof of counts asks.
    """

    def __init__(self, *arguments, raw=False, trust="off", quiet=True, prefix=(), suffix="", env=None, **options):
        stem = scratch(f"run-{time.monotonic_ns()}{suffix}")
        self.summary_path, self.raw_path = stem + ".json", stem + ".jsonl" if raw else None
        argv = [*prefix, SQUALL, "run", *map(str, arguments), "--trust", trust, "--out", self.summary_path]
        argv += ["--out", self.raw_path] if raw else []
        argv += ["--quiet"] if quiet else []
        super().__init__(argv, env=env, **options)

    def workers(self):
        """The pids of its workers, once there are any."""
        def children():
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as text:
                return [int(pid) for pid in text.read().split()]
        return wait_until(children, "workers")

    def running(self):
        """Waits until the load has run for a second, by what a run without --quiet says on stderr."""
        for line in self.child.stderr:
            self.err += line
            if re.match(r"\d+s ", line):
                return self
        raise AssertionError(f"{self.argv}: ended before it ran: {self.err}")

    def end(self, expect=0, seconds=120):
        """Waits for its end and checks the exit code (None: any); the seconds that it still took."""
        began = time.monotonic()
        code = self.wait(seconds)
        assert expect is None or code == expect, f"{self.argv}: exit {code}, wanted {expect}\n{self.out}{self.err}"
        return time.monotonic() - began

    def interrupt_at_once(self, expect=130):
        """Ctrl-C, and again until it has ended: two that a busy machine hands over together are one."""
        def interrupted():
            if self.child.poll() is None:
                self.signal(signal.SIGINT)
                time.sleep(0.1)
            return self.child.poll() is not None
        wait_until(interrupted, "the end")
        return self.end(expect)

    def summary(self):
        with open(self.summary_path, encoding="utf-8") as text:
            summary = json.load(text)
        identities(summary)
        return summary

    def raw(self):
        with open(self.raw_path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


def run(*arguments, expect=0, seconds=120, **options):
    """A whole run: (summary, finished Run)."""
    with Run(*arguments, **options) as process:
        process.end(expect, seconds)
    return process.summary(), process


def identities(summary):
    """The two identities, for the measured part, for the warm-up, and for each step."""
    for block in (summary, summary["warmup"]):
        totals, journeys = block["totals"], block["journeys"]
        assert totals["begun"] == sum(totals[word] for word in OUTCOMES), totals
        assert journeys["due"] == sum(journeys[word] for word in JOURNEYS), journeys
    for step in summary["steps"]:
        assert step["count"] == sum(step[word] for word in OUTCOMES), step
        assert step["failed"] == step["count"] - step["ok"], step
        assert step["latency_ns"]["count"] == step["count"], step
        assert step["latency_ok_ns"]["count"] == step["ok"], step


def counted(summary, *words):
    """The sum of some outcomes over both blocks; without words: begun."""
    return sum(block["totals"][word] for block in (summary, summary["warmup"]) for word in words or ("begun",))


def only(summary, **wanted):
    """Each outcome of the measured part is as given, and all others are 0."""
    totals = {word: summary["totals"][word] for word in OUTCOMES}
    assert totals == {word: wanted.get(word, 0) for word in OUTCOMES}, (totals, summary["errors"])


def errors(summary):
    return "\n".join(f"{error['count']} {error['text']}" for error in summary["errors"])


def quantile(values, q):
    """Nearest rank of sorted values."""
    return values[max(0, -int(-q * len(values) // 1) - 1)]


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
            return re.sub(r".*\) ", "", text.read())[0] not in "ZX"
    except OSError:
        return False


def gone(pids, seconds=WAIT_S):
    wait_until(lambda: not any(alive(pid) for pid in pids), f"{pids} to end", seconds)


def lines_in(path):
    """How many lines a file has by now; 0 when there is no file yet."""
    try:
        with open(path, "rb") as text:
            return sum(block.count(b"\n") for block in iter(lambda: text.read(1 << 16), b""))
    except FileNotFoundError:
        return 0


def nginx_lines(nginx):
    return lines_in(os.path.join(nginx.folder, "access.log"))
