"""A broker that stands still shows in publish -> PUBACK and in publish -> delivered as long as it did, for all that was due."""
import os
import signal
import time

from brokers import Mosquitto
from harness import main
from proof import MS, SECOND, Noise, Run

RATE, LENGTH_S, FREEZE_S = 200, 5, 1.5


def mean_and_tail(name, distribution, freeze_ns, slack_ns):
    """The stall oracle: mean S^2 / 2T and p(q) = S - (1 - q) T over all that was due in T."""
    shortest, longest = freeze_ns
    span = LENGTH_S * SECOND

    def mean(s):
        return s * s // (2 * span)
    assert distribution["count"] == RATE * LENGTH_S, (name, distribution)
    assert mean(shortest) * 0.95 - slack_ns <= distribution["mean"] <= mean(longest) * 1.05 + slack_ns, \
        (name, distribution, freeze_ns)
    for key, share in (("p90", span // 10), ("p99", span // 100)):
        assert shortest - share - 50 * MS - slack_ns <= distribution[key] <= longest - share + 50 * MS + slack_ns, \
            (name, key, distribution, freeze_ns)
    assert distribution["p50"] < 50 * MS + slack_ns, (name, distribution)


def test_a_stall_shows():
    with Mosquitto() as broker, Noise() as noise:
        with Run(broker.url("t"), "-u", 500, "-r", f"{RATE}/s", "-d", f"{LENGTH_S}s", "--qos", 1, "--subscribers", 1,
                 quiet=False) as process:
            process.running()
            time.sleep(0.5)
            stop = [time.monotonic_ns()]
            os.kill(broker.pid, signal.SIGSTOP)
            stop.append(time.monotonic_ns())
            time.sleep(FREEZE_S)
            cont = [time.monotonic_ns()]
            os.kill(broker.pid, signal.SIGCONT)
            cont.append(time.monotonic_ns())
            process.end()
        freeze_ns = cont[0] - stop[1], cont[1] - stop[0]
        step, = process.summary()["steps"]
        mean_and_tail("latency", step["latency_ns"], freeze_ns, noise.worst_ns)
        mean_and_tail("delivery", step["metrics"]["delivery_ns"], freeze_ns, noise.worst_ns)
        assert step["deliveries"]["undelivered"] == 0


if __name__ == "__main__":
    main(globals())
