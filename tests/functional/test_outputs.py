"""Recomputation: every number of the summary that the raw log of the same run can give, computed again from it.

Percentiles are compared exactly: nearest rank over the raw times, put into the slot of the histogram that would hold it
(1,024 slots a power of two above 2,048 ns), whose highest value is what the summary must say.
"""
import time

from harness import Target, main, scratch
from proof import OUTCOMES, Run, quantile, run

PERCENTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}


def slot_high(value):
    bucket = max(0, value.bit_length() - 11)
    return (((value >> bucket) + 1) << bucket) - 1


def same_distribution(name, distribution, values):
    values = sorted(values)
    assert distribution["count"] == len(values), (name, distribution, len(values))
    if not values:
        assert "p50" not in distribution and "mean" not in distribution, (name, distribution)
        return
    assert distribution["min"] == values[0] and distribution["max"] == values[-1], (name, distribution)
    assert abs(distribution["mean"] - sum(values) / len(values)) <= 1, (name, distribution)
    for key, q in PERCENTILES.items():
        wanted = min(slot_high(quantile(values, q)), values[-1])
        assert distribution[key] == wanted, (name, key, distribution[key], wanted)
        true = quantile(values, q)
        assert true <= distribution[key] <= true + true // 1024, (name, key)
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    assert abs(distribution["stddev"] - spread) <= 0.01 * spread + values[-1] / 1024, (name, distribution, spread)


def by_outcome(lines):
    return {word: sum(line["outcome"] == word for line in lines) for word in OUTCOMES}


def same_step(step, lines):
    name = step["name"]
    assert {word: step[word] for word in OUTCOMES} == by_outcome(lines), (name, step)
    codes = {}
    for line in lines:
        if line["code"]:
            codes[str(line["code"])] = codes.get(str(line["code"]), 0) + 1
    assert step["codes"] == codes, (name, step["codes"], codes)
    for key in ("bytes_in", "bytes_out"):
        assert step[key] == sum(line[key] for line in lines), (name, key)
    latency = {id(line): line["done_ns"] - line["intended_ns"] for line in lines}
    same_distribution(name + " latency", step["latency_ns"], latency.values())
    same_distribution(name + " latency_ok", step["latency_ok_ns"], [latency[id(line)] for line in lines if line["outcome"] == "ok"])
    bounds = [latency[id(line)] for line in lines if line["outcome"] in ("timed_out", "unfinished")]
    assert step["latency_ns"]["lower_bounds"] == len(bounds), name
    assert step["latency_ns"].get("lower_bound_min") == min(bounds, default=None), name
    same_distribution(name + " service", step["service_ns"], [
        line["done_ns"] - line["sent_ns"] for line in lines
        if "sent_ns" in line and line["outcome"] not in ("timed_out", "unfinished")])


def same_run(summary, raw):
    begun = summary["totals"]["begun"] + summary["warmup"]["totals"]["begun"]
    assert len(raw) == begun and len({line["id"] for line in raw}) == begun, (len(raw), begun)
    measured = [line for line in raw if line["block"] == "measured"]
    for block, lines in ((summary, measured), (summary["warmup"], [line for line in raw if line["block"] == "warmup"])):
        totals = block["totals"]
        assert {word: totals[word] for word in OUTCOMES} == by_outcome(lines), (totals, by_outcome(lines))
        for key in ("bytes_in", "bytes_out"):
            assert totals[key] == sum(line[key] for line in lines), (key, totals)
    assert {step["name"] for step in summary["steps"]} == {line["step"] for line in raw}
    for step in summary["steps"]:
        same_step(step, [line for line in measured if line["step"] == step["name"]])
    for line in raw:
        assert line["intended_ns"] <= line["done_ns"] and line.get("sent_ns", 0) <= line["done_ns"], line
    ended = sum(summary["totals"][word] for word in OUTCOMES if word != "unfinished")
    rate = ended * 1e9 / summary["measured_ns"]
    assert abs(summary["totals"]["rate_per_s"] - rate) <= 1e-6 * rate, (summary["totals"], rate)


def keys_and_types(value, path=""):
    """Durations are whole nanoseconds, counts are no negative numbers, and nothing is null."""
    assert value is not None, path
    if isinstance(value, dict):
        for key, inner in value.items():
            assert key == key.lower() or ".codes" in path, (path, key)
            keys_and_types(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            keys_and_types(inner, path + "[]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        assert value >= 0 and (isinstance(value, int) or path.endswith(("rate_per_s", ".actual"))), (path, value)


MIXED = """squall: 1
name: mixed "names" \\ and Ümläute
targets: {{ api: {{ url: "{url}", timeout: 250ms, connections: 40 }} }}
load: [ {{ hold: 150/s, for: {length}, arrivals: poisson }} ]
warmup: 500ms
drain: 5s
flow:
  - {{ http: GET /a, name: 'first "quoted"', check: {{ fine: status == 200 }} }}
  - {{ http: "GET /b?delay=exponential(2ms)&status=404", name: "häßlich, 語" }}
  - {{ http: "GET /c?delay=uniform(1ms,5ms)&size=uniform(1,9000)", expect: 500 }}
  - {{ http: "GET /d?close=1", name: last }}
"""


GROUPED = """squall: 1
targets:
  shop: {{ url: "{url}", connections: 20, timeout: 250ms, tags: {{ service: shop }} }}
  desk: {{ url: "{url}", connections: 20, timeout: 250ms }}
load: [ {{ hold: 100/s, for: 2s }} ]
warmup: 300ms
group-by: service
flow:
  - {{ http: "GET /a?delay=exponential(2ms)", target: shop, name: a, tags: {{ kind: read }} }}
  - {{ http: "GET /b?delay=uniform(20ms,60ms)", target: shop, name: b, tags: {{ kind: write }} }}
  - {{ http: "GET /c?status=503", target: desk, name: a, tags: {{ kind: write, service: desk }} }}
  - {{ http: "GET /d?delay=bimodal(1ms,2s,0.9)", target: desk, name: d }}
"""


def test_groups_recomputed():
    """What a group says is what the raw log gives for all exchanges with its value, percentiles included; groups of a tag add
    up to the whole; a group of one step says what the step says."""
    path = scratch("grouped.yaml")
    with Target(log=False) as target:
        with open(path, "w", encoding="utf-8") as out:
            out.write(GROUPED.format(url=target.url("")))
        summary, process = run(path, "-w", 2, "--group-by", "kind", "--group-by", "service", raw=True, quiet=False)
    raw = [line for line in process.raw() if line["block"] == "measured"]
    groups = summary["groups"]
    assert [(group["tag"], group.get("value"), group["steps"]) for group in groups] == [
        ("service", "shop", ["a", "b"]), ("service", "desk", ["a"]), ("service", None, ["d"]),
        ("kind", "read", ["a"]), ("kind", "write", ["b", "a"]), ("kind", None, ["d"])], groups
    for group in groups:
        own = [line for line in raw if line.get("tags", {}).get(group["tag"]) == group.get("value")]
        assert own and group["protocol"] == "http", group
        same_step({**group, "name": f"{group['tag']}={group.get('value')}"}, own)
    for tag in ("service", "kind"):
        rows = [group for group in groups if group["tag"] == tag]
        for key in ("count", "ok", "failed", "bytes_in", "timed_out"):
            assert sum(row[key] for row in rows) == sum(step[key] for step in summary["steps"]), (tag, key)
        assert sum(row["count"] for row in rows) == summary["totals"]["begun"], tag
    alone, step = groups[2], next(step for step in summary["steps"] if step["name"] == "d")
    assert {key: alone[key] for key in step if key in alone} == {key: step[key] for key in step if key not in ("name", "target", "tags")}
    for words in ("latency by service", "latency by kind", "(no service)", "(no kind)", "  desk "):
        assert words in process.out, (words, process.out)


def mixed(url, length):
    path = scratch(f"mixed-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(MIXED.format(url=url, length=length))
    return path


def test_every_outcome_recomputed():
    """Ok, rejected, reset, timed out; two workers append to one file; a warm-up."""
    flags = ("--delay", "bimodal(1ms,10s,0.97)", "--reset", "0.05", "--status", "200:0.8,503:0.2")
    with Target(*flags, log=False) as target:
        summary, process = run(mixed(target.url(""), "3s"), "-w", 2, raw=True)
    raw = process.raw()
    same_run(summary, raw)
    keys_and_types(summary)
    totals = summary["totals"]
    for word in ("ok", "rejected", "timed_out", "disconnected"):
        assert totals[word] > 0, totals
    assert summary["warmup"]["totals"]["begun"] > 0
    assert {line["worker"] for line in raw} == {0, 1}
    assert summary["scenario"] == 'mixed "names" \\ and Ümläute', summary["scenario"]
    first = [line for line in raw if line["step"] == 'first "quoted"' and line["block"] == "measured"]
    check, = summary["checks"]
    assert check["passed"] == sum(line["code"] == 200 for line in first), check
    assert check["passed"] + check["failed"] == sum(line["outcome"] in ("ok", "rejected", "malformed") for line in first), check


def test_interrupted_run_recomputed():
    with Target("--delay", "bimodal(1ms,30s,0.9)", log=False) as target, \
            Run(target.url(), "-r", 200, "-d", "60s", "-c", 60, "-w", 2, "--warmup", "300ms", raw=True, quiet=False) as process:
        process.running()
        process.interrupt_at_once()
    summary = process.summary()
    same_run(summary, process.raw())
    assert summary["totals"]["unfinished"] > 0, summary["totals"]


def test_closed_load_recomputed():
    """Fast answers, where a slot of the histogram is a few nanoseconds wide."""
    with Target(log=False) as target:
        summary, process = run(target.url(), "-u", 8, "-n", 20000, "-w", 2, raw=True)
    same_run(summary, process.raw())
    assert summary["totals"]["ok"] == 20000


def test_protocol_without_times():
    """A protocol that moves its own bytes has no service time: the key is absent, never zero."""
    summary, process = run("null://x", "-u", 1, "-n", 100, raw=True)
    step, = summary["steps"]
    assert "service_ns" not in step and step["ok"] == 100, step
    assert len(process.raw()) == 100


def test_a_run_without_a_sample():
    """All of it warm-up but for the end: empty distributions have a count and nothing else."""
    with Target("--delay", "1500ms", log=False) as target:
        summary, process = run(target.url(), "-u", 1, "-d", "1s", "--warmup", "990ms", raw=True)
    same_run(summary, process.raw())
    assert summary["totals"]["begun"] == 0 and summary["warmup"]["totals"]["ok"] > 0, summary["totals"]
    assert summary["steps"][0]["latency_ns"] == {"count": 0, "lower_bounds": 0}, summary["steps"][0]


def test_the_raw_log_is_of_one_run():
    """A second run starts the file anew; --out twice gives both files."""
    path = scratch("twice.jsonl")
    with Target(log=False) as target:
        for _ in range(2):
            run(target.url(), "-n", 7, "--out", path)
            with open(path, encoding="utf-8") as lines:
                assert sum(1 for _ in lines) == 7


def test_same_seed_same_plan():
    """The arrivals of a poisson load are a function of the seed."""
    due = []
    with Target(log=False) as target:
        for seed in (5, 5, 6):
            _, process = run(target.url(), "-r", 300, "-n", 60, "--arrivals", "poisson", "--seed", seed, raw=True)
            due.append(sorted(line["intended_ns"] for line in process.raw()))
    assert due[0] == due[1] != due[2]


if __name__ == "__main__":
    main(globals())
