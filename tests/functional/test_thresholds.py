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
    assert 2 * SECOND <= window["window_start_ns"] <= 5 * SECOND, window
    assert " at " in process.out and "over any 2s" in process.out, process.out
    assert "aborted" not in summary, summary["aborted"]


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
