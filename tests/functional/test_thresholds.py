"""Thresholds over windows and those that end a run, against a target that fails or stalls at a known time."""
from harness import Target, main, scratch
from proof import SECOND, counted, run


def scenario(target, thresholds, load="[ { hold: 200/s, for: 6s } ]"):
    path = scratch(f"thresholds-{target.port}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{target.url('')}\", connections: 32 }} }}\nload: {load}\n"
                  f"flow: [ {{ http: /, name: front }} ]\nthresholds:\n{thresholds}")
    return path


def test_windows_find_a_stall():
    """Frozen for one second of six: over the whole run a sixth waits; in its own second everything does."""
    with Target("--stall", "1s@3s") as target:
        summary, process = run(scenario(target, """
  - p75(latency) < 200ms
  - p75(latency) < 200ms over any 2s
  - "front": p90(latency) < 5s over any 1s
  - rate(exchanges) > 250/s over any 2s
  - { when: p99(latency) > 10s over any 3s, abort: true }
"""), "-w", 2, expect=99, quiet=False)
    whole, window, step, rate, when = summary["thresholds"]
    assert whole["pass"] and "window_ns" not in whole, whole
    assert step["pass"] and step["window_end_ns"] - step["window_start_ns"] == SECOND == step["window_ns"], step
    assert when["pass"] and when["aborted"] is False, when
    assert not rate["pass"] and rate["actual"] < 250, rate
    assert window["window_ns"] == 2 * SECOND
    # Of the 400 that end in the two seconds around its end, 160 have waited above 200 ms.
    assert not window["pass"] and window["actual"] >= 200_000_000, window
    assert window["window_start_ns"] <= 5 * SECOND, window  # the target began before the run
    assert " at " in process.out and "over any 2s" in process.out, process.out
    assert "aborted" not in summary, summary["aborted"]


SCOPES = """squall: 1
targets: {{ api: {{ url: "{url}", connections: 8 }} }}
load: [ {{ users: 2, iterations: {journeys}, pace: 40ms }} ]
flow:
  - {{ http: "GET /list?delay=1ms", name: list, tags: {{ kind: read }}, check: {{ is fine: status == 200 }} }}
  - {{ http: "GET /show?delay=60ms", name: show, tags: {{ kind: read, tier: gold }}, check: {{ is fine: status == 200 }} }}
  - transaction: buy
    flow:
      - {{ http: "POST /buy?delay=100ms&status=503", name: buy it, tags: {{ kind: write }}, check: {{ is bought: status == 200 }} }}
thresholds:
"""


def judged(text, journeys=40, **options):
    with Target() as target:
        path = scratch(f"scopes-{target.port}.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(SCOPES.format(url=target.url(""), journeys=journeys) + text)
        return run(path, "-w", 2, expect=99, **options)


def test_scopes():
    """By tag, by several tags, by transaction and by check, over the whole run and over windows; every figure is known."""
    summary, process = judged("""
  - tag(kind=read): min(latency) < 60ms
  - tag(kind=read, tier=gold): min(latency) >= 60ms over any 1s
  - tag(kind=write): rate(failed) > 99% over any 2s
  - tag(kind=read): count(exchanges) == 80
  - buy: min(duration) >= 100ms
  - transaction(buy): rate(failed) < 50% over any 1s
  - transaction(buy): count(transactions) == 40
  - check(is fine): rate(passed) > 99% over any 1s
  - is bought: rate(failed) < 1%
  - step(buy it): count(rejected) == 40
  - check(is fine): count(checks) == 80
""", quiet=False)
    rows = {row["expression"]: row for row in summary["thresholds"]}
    failed = {text for text, row in rows.items() if not row["pass"]}
    assert failed == {"transaction(buy): rate(failed) < 50% over any 1s", "is bought: rate(failed) < 1%"}, rows
    assert rows["tag(kind=read): min(latency) < 60ms"]["actual"] >= 1_000_000
    assert rows["transaction(buy): rate(failed) < 50% over any 1s"]["actual"] == 1.0
    assert rows["transaction(buy): rate(failed) < 50% over any 1s"]["window_ns"] == SECOND
    for row in rows:
        assert row in process.out, (row, process.out)


def test_abort_by_transaction():
    summary, _ = judged("  - transaction(buy): { when: count(failed) > 5, abort: true }\n", journeys=100000)
    assert summary["thresholds"][0]["aborted"] and "transaction(buy)" in summary["aborted"], summary["aborted"]
    assert summary["journeys"]["due"] < 1000


def test_abort():
    """Everything fails from the start: the grace holds the end off, and what was begun is counted."""
    with Target("--status", "503") as target:
        path = scenario(target, "  - { when: rate(failed) > 20% over any 1s, abort: true, grace: 2s }\n", "[ { hold: 200/s, for: 60s } ]")
        summary, process = run(path, "-w", 2, expect=99)
        log = target.stop().log()
    threshold, = summary["thresholds"]
    assert threshold["aborted"] and not threshold["pass"] and threshold["actual"] == 1.0, threshold
    assert threshold["window_start_ns"] >= 2 * SECOND, threshold
    assert 2.5 * SECOND < summary["duration_ns"] < 20 * SECOND, summary["duration_ns"]
    assert "rate(failed) > 20% over any 1s" in summary["aborted"] and "100%" in summary["aborted"], summary["aborted"]
    assert not summary["interrupted"] and summary["exit_code"] == 99
    assert counted(summary) == counted(summary, "rejected") == len(log)
    assert "ended after" in process.err, process.err


if __name__ == "__main__":
    main(globals())
