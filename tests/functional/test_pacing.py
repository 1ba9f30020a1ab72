"""Pacing: arrivals against the schedule, from 10/s to 50,000/s.

What was due is in the raw log (intended_ns) and does not depend on the machine: constant arrivals must be the exact times,
poisson arrivals must pass Anderson-Darling, for one worker and for several (a fixed seed: what passes once passes always). What
came is in the target's log (arrival_ns, one clock on one machine): the same count, at the same rate to 0.1 %, and none late by
much; both are widened by what the machine itself stood still for. At 50,000/s the target would need more than is left of two
cores: there the null protocol stands in, and what came is when the engine started it.
"""
import math

from harness import Target, main
from proof import MS, SECOND, Noise, only, quantile, run

RATES = ((10, 4), (100, 3), (1000, 2), (5000, 1), (20000, 1), (50000, 1))
TARGET_MAX = 20000  # per second, of what the target is asked for
CRITICAL = 3.857  # of A^2 at 1 %, all parameters known (D'Agostino and Stephens, Goodness-of-Fit Techniques, table 4.2)


def anderson_darling(values):
    """A^2 of sorted values that should be uniform over 0..1."""
    n = len(values)
    values = [min(max(value, 1e-12), 1 - 1e-12) for value in values]
    return -n - sum((2 * i + 1) * (math.log(values[i]) + math.log(1 - values[n - 1 - i])) for i in range(n)) / n


def arrivals_of(rate, seconds, *more):
    """Sorted times that were due, and that came, in ns; whether the machine could carry the rate at all."""
    load = ("-r", rate, "-d", f"{seconds}s", "-c", 64, *more)
    with Noise() as noise:
        if rate <= TARGET_MAX:
            with Target() as target:
                summary, process = run(target.url(), *load, raw=True)
                came = sorted(line["arrival_ns"] for line in target.stop().log())
        else:
            summary, process = run("null://nowhere", *load, raw=True)
            came = sorted(line["done_ns"] for line in process.raw())
    due = sorted(line["intended_ns"] for line in process.raw())
    only(summary, ok=len(due))
    assert len(came) == len(due), (rate, len(came), len(due))
    carried = summary["generator"]["self_delay_ns"]["p99"] < MS
    return due, came, carried, noise.worst_ns


def near_schedule(words, due, came, carried, noise_ns):
    if not carried:
        print(f"     {words}: more than this machine carries at the moment; only what was due is judged", flush=True)
        return
    # By all arrivals (least squares), so that one which is late, the last say, does not stand for the rate.
    middle, mean = sum(due) / len(due), sum(came) / len(came)
    error = abs(sum((d - middle) * (c - mean) for d, c in zip(due, came)) / sum((d - middle) ** 2 for d in due) - 1)
    assert error <= 0.001 + noise_ns / (due[-1] - due[0]), (words, error, noise_ns)
    # The start of the run by the target's clock is not known: the quickest exchange stands for it.
    late = [c - d for c, d in zip(came, due)]
    late = sorted(value - min(late) for value in late)
    assert quantile(late, 0.9) <= 2 * MS + noise_ns, (words, quantile(late, 0.9), noise_ns)
    # Jitter: how far gaps between what came were from those between what was due.
    jitter = sorted(abs((c2 - c1) - (d2 - d1)) for c1, c2, d1, d2 in zip(came, came[1:], due, due[1:]))
    assert quantile(jitter, 0.5) <= 2 * MS + noise_ns, (words, quantile(jitter, 0.5), noise_ns)
    print(f"     {words}: rate error {100 * error:.4f} %, late p50 {quantile(late, 0.5) / 1000:.0f} us,"
          f" p99 {quantile(late, 0.99) / 1000:.0f} us, jitter p50 {quantile(jitter, 0.5) / 1000:.0f} us,"
          f" p99 {quantile(jitter, 0.99) / 1000:.0f} us", flush=True)


def test_constant():
    for rate, seconds in RATES:
        due, *rest = arrivals_of(rate, seconds)
        assert due == [round(k * SECOND / rate) for k in range(rate * seconds)], rate
        near_schedule(f"constant {rate}/s", due, *rest)


def test_poisson():
    for rate, seconds in RATES:
        for workers in (1, 3) if rate in (100, 1000, 50000) else (1,):
            due, *rest = arrivals_of(rate, seconds, "--arrivals", "poisson", "-w", workers, "--seed", 11)
            mean = rate * seconds
            assert abs(len(due) - mean) <= 4 * math.sqrt(mean), (rate, workers, len(due))
            # Given their number, the times are uniform; and the gaps are exponential.
            spread = anderson_darling([time / (seconds * SECOND) for time in due])
            gaps = sorted(1 - math.exp(-(b - a) * rate / SECOND) for a, b in zip([0] + due, due))
            gap = anderson_darling(gaps)
            assert spread < CRITICAL and gap < CRITICAL, (rate, workers, spread, gap)
            words = f"poisson {rate}/s, {workers} workers: A^2 {spread:.2f} of times, {gap:.2f} of gaps"
            near_schedule(words, due, *rest)


def test_ramp():
    """Twice as many in the second half as in the first third of it: k is due at the root of the cumulative rate."""
    due, *rest = arrivals_of(1000, 2, "--ramp", "2s")
    assert due == [round(math.sqrt(k / 250) * SECOND) for k in range(1000)], due[:5]
    near_schedule("ramp to 1000/s", due, *rest)


if __name__ == "__main__":
    main(globals())
