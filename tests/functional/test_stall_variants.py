"""The stall oracle's variants: two stalls, one during a ramp, over TLS, from a pool and with a connection a user; and what
closed load says of a stall.

What must come out is worked out from the schedule itself: who was due at d, in a stall that ended at e, waited e - d; all others
waited next to nothing. For a constant rate that is the formula of docs/measurement.md, which each such case checks on the way.
The cases sleep for the most part, so all of them run at once.
"""
import math
import time
from concurrent.futures import ThreadPoolExecutor

from certificates import Authority
from harness import Nginx, Target, main, scratch, wait_until
from proof import MS, SECOND, Noise, Run, nginx_lines, only, quantile

RATE, LENGTH_S, CONNECTIONS = 200, 6, 64
LOAD = ("-r", RATE, "-d", f"{LENGTH_S}s")
QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
TOLERANCE_NS = 50 * MS  # two wake-ups and the work-off of what had queued up; what the machine stood still for is added
EVEN = [round(k * SECOND / RATE) for k in range(RATE * LENGTH_S)]


def waits(due, freezes):
    """Sorted: what each arrival waits for, in ns; freezes: (start, end) in the schedule's time."""
    return sorted(max([0, *(end - d for start, end in freezes if start <= d < end)]) for d in due)


def formula(lengths):
    """The mean over even arrivals, by the sum of S^2 / 2T."""
    return sum(length * length for length in lengths) / (2 * LENGTH_S * SECOND)


def judge(step, expected, slack_ns):
    """The whole distribution of latency, within the tolerance; and a mean of no less and no more."""
    latency = step["latency_ns"]
    assert latency["count"] == len(expected), (latency["count"], len(expected))
    tolerance = TOLERANCE_NS + slack_ns
    for key, q in QUANTILES.items():
        assert abs(latency[key] - quantile(expected, q)) <= tolerance, (key, latency[key], quantile(expected, q), tolerance)
    mean = sum(expected) / len(expected)
    assert 0.95 * mean - slack_ns <= latency["mean"] <= 1.05 * mean + tolerance / 10 + slack_ns, (latency["mean"], mean, slack_ns)
    return mean


def stalled_target(stalls, due, load, noise):
    """A run against `squall target --stall`; where the schedule began is taken from the target's log, on the same clock."""
    flags = [text for length_s, start_s in stalls for text in ("--stall", f"{round(1000 * length_s)}ms@{round(1000 * start_s)}ms")]
    with Target(*flags) as target, Run(target.url(), *load, raw=True) as process:
        process.end()
        log = target.stop().log()
    summary, raw = process.summary(), process.raw()
    only(summary, ok=len(due))
    assert sorted(line["intended_ns"] for line in raw) == due
    arrived, sent = sorted(line["arrival_ns"] for line in log), sorted(line["sent_ns"] for line in raw)
    zero = min(a - s for a, s in zip(arrived, sent))
    freezes = []
    for end in sorted(line["answer_ns"] - zero for line in log if line["answer_ns"] - line["arrival_ns"] > 200 * MS):
        if not freezes or end - freezes[-1][1] > 200 * MS:
            freezes.append((end - round(stalls[len(freezes)][0] * SECOND), end))
    assert len(freezes) == len(stalls), freezes
    step, = summary["steps"]
    judge(step, waits(due, freezes), noise.worst_ns)
    return freezes, step, raw


def close_to_formula(freezes):
    mean = sum(waits(EVEN, freezes)) / len(EVEN)
    assert abs(mean / formula([end - start for start, end in freezes]) - 1) < 0.02, mean


def two_stalls(noise):
    freezes, *_ = stalled_target([(1.2, 1.5), (0.8, 4.0)], EVEN, (*LOAD, "-c", CONNECTIONS), noise)
    close_to_formula(freezes)


def stall_during_a_ramp(noise):
    """0 to 400/s over four seconds, and on for two: arrival k of the ramp is due at the root of k over half its steepness."""
    due = [round(math.sqrt(k / 50) * SECOND) for k in range(800)] + [4 * SECOND + round(k * SECOND / 400) for k in range(800)]
    stalled_target([(1.5, 2.0)], due, ("-r", 400, "--ramp", "4s", "-d", "6s", "-c", CONNECTIONS), noise)


def connection_of_each_user(noise):
    """All that is left to wait for is an idle user: the same latency, and no wait for a connection."""
    freezes, step, raw = stalled_target([(1.5, 2.0)], EVEN, (*LOAD, "-c", "per-user", "-u", CONNECTIONS), noise)
    close_to_formula(freezes)
    assert step["phases_ns"]["wait"]["p99"] < TOLERANCE_NS + noise.worst_ns, step["phases_ns"]["wait"]
    assert sum(line["done_ns"] - line["sent_ns"] > SECOND // 2 for line in raw) == CONNECTIONS


def pool(noise):
    """Users are plenty, connections few: the wait for one shows as that."""
    freezes, step, raw = stalled_target([(1.5, 2.0)], EVEN, (*LOAD, "-c", 8), noise)
    close_to_formula(freezes)
    assert step["phases_ns"]["wait"]["p90"] > step["latency_ns"]["p90"] / 2, step["phases_ns"]["wait"]
    assert sum(line["done_ns"] - line["sent_ns"] > SECOND // 2 for line in raw) == 8


def tls(connections, noise):
    """nginx, held by a signal: at an even rate it does not matter when."""
    farm = Authority(f"stall-{connections}")
    farm.issue("good")
    with Nginx(tls=farm.path("good.pem")) as nginx, \
            Run(nginx.url(), *LOAD, "-k", "-c", connections, "-u", CONNECTIONS, raw=True) as process:
        wait_until(lambda: nginx_lines(nginx), "the first answer")
        time.sleep(1.5)
        earliest, latest = nginx.freeze(1.5)
        process.end()
        assert len(nginx.stop().access()) == len(EVEN)
    only(process.summary(), ok=len(EVEN))
    step, = process.summary()["steps"]
    assert step["phases_ns"]["tls"]["count"] == CONNECTIONS, step["phases_ns"]
    freezes = [(2 * SECOND, 2 * SECOND + (earliest + latest) // 2)]
    judge(step, waits(EVEN, freezes), noise.worst_ns + latest - earliest)
    close_to_formula(freezes)
    assert sum(line["done_ns"] - line["sent_ns"] > SECOND // 2 for line in process.raw()) == CONNECTIONS


def tls_pool(noise):
    tls(CONNECTIONS, noise)


def tls_connection_of_each_user(noise):
    tls("per-user", noise)


def closed_load(noise):
    """Eight users ask nothing while they wait: eight slow samples among thousands, which only the maximum knows."""
    users, freeze = 8, 1500 * MS
    with Target("--delay", "5ms", "--stall", "1500ms@2s") as target, Run(target.url(), "-u", users, "-d", "6s", raw=True) as process:
        process.end()
    step, = process.summary()["steps"]
    latency, service, raw = step["latency_ns"], step["service_ns"], process.raw()
    assert sum(line["done_ns"] - line["intended_ns"] > freeze // 2 for line in raw) == users
    tolerance = TOLERANCE_NS + noise.worst_ns
    for times in (latency, service):
        assert abs(times["max"] - freeze) <= tolerance, (times, tolerance)
        assert times["p99"] < 5 * MS + tolerance, times
    # Nothing waited but what was under way: latency is service time.
    assert latency["mean"] - service["mean"] < tolerance / 10, (latency, service)
    done = sorted(line["done_ns"] for line in raw)
    assert max(b - a for a, b in zip(done, done[1:])) > freeze - tolerance


def closed_load_with_a_pace(noise):
    """The ticks that a user could not take are counted, so that a stall is seen by how much was not asked."""
    users, pace, freeze = 8, 50 * MS, 1500 * MS
    with Target("--stall", "1500ms@2s") as target:
        path = scratch("paced.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{target.url('')}\" }} }}\n"
                      f"load: [ {{ users: {users}, for: 6s, pace: 50ms }} ]\nflow: [ {{ http: GET / }} ]\n")
        with Run(path) as process:
            process.end()
    summary = process.summary()
    skipped, due = summary["generator"]["skipped_ticks"], summary["journeys"]["due"]
    late = users * (1 + noise.worst_ns // pace)
    assert abs(skipped - users * freeze // pace) <= late + users, (skipped, late)
    assert abs(due + skipped - users * 6 * SECOND // pace) <= late + users, (due, skipped)


CASES = (two_stalls, stall_during_a_ramp, connection_of_each_user, pool, tls_pool, tls_connection_of_each_user, closed_load,
         closed_load_with_a_pace)


def test_variants():
    scratch()
    failures = []
    with Noise() as noise, ThreadPoolExecutor(len(CASES)) as threads:
        for case, ended in [(case, threads.submit(case, noise)) for case in CASES]:
            failure = ended.exception()
            print(f"     {case.__name__}: {f'{failure!r}' if failure else 'as worked out'}", flush=True)
            failures += [f"{case.__name__}: {failure!r}"] if failure else []
    assert not failures, "\n".join(failures)


def test_the_formula():
    """What the cases compare with, against docs/measurement.md's figures."""
    even = [round(k * SECOND / 200) for k in range(2000)]
    expected = waits(even, [(4 * SECOND, 7 * SECOND)])
    assert abs(sum(expected) / len(expected) - 450 * MS) < 2 * MS
    for q, wanted in ((0.5, 0), (0.9, 2000), (0.99, 2900)):
        assert abs(quantile(expected, q) - wanted * MS) <= 10 * MS, q


if __name__ == "__main__":
    main(globals())
