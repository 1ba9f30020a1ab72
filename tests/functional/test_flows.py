"""Flows: branches, loops, conditions, parallel steps, transactions, setup and teardown, against the target's own log."""
import collections
import json
import os

from harness import Target, main, scratch, squall
from proof import Run


def rows(target):
    """The path of each request that the target has seen."""
    target.stop()
    with open(target.log_path, encoding="utf-8") as log:
        return [json.loads(line)["label"].split(" ")[1].split("?")[0] for line in log]


def walk(target, text, *flags, code=0):
    """Runs a scenario against the target; its summary."""
    path = scratch("flow.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("squall: 1\ntargets: { api: { url: \"" + target.url("") + "\" } }\n" + text)
    with Run(path, *flags) as process:
        assert process.end(code) < 60, process.err
        return process.summary()


def paths(target):
    return collections.Counter(rows(target))


def balanced(summary):
    """Begun is the sum of the outcomes in both ledgers."""
    for part in (summary, summary["warmup"]):
        totals = part["totals"]
        ended = sum(value for key, value in totals.items() if key not in ("begun", "bytes_in", "bytes_out", "rate_per_s"))
        assert totals["begun"] == ended, totals


def test_branches_and_loops():
    with Target() as target:
        summary = walk(target, """
load: [ { users: 4, iterations: 400 } ]
flow:
  - choose:
      - { weight: 3, flow: [ { http: GET /often } ] }
      - { weight: 1, flow: [ { http: GET /seldom } ] }
  - repeat: 3
    flow: [ { http: GET /thrice } ]
  - set: { round: 0 }
  - while: round < 2
    flow: [ { http: GET /twice }, { set: { round: round + 1 } } ]
  - while: round > 0
    at-most: 4
    flow: [ { http: GET /bound } ]
  - if: iteration % 2 == 0
    flow: [ { http: GET /even } ]
    else: [ { http: GET /odd } ]
  - if: missing != null
    flow: [ { http: GET /never, save: { missing: body } } ]
""", "-w", 2)
        seen = paths(target)
    balanced(summary)
    assert summary["journeys"]["completed"] == 400
    assert seen["/often"] + seen["/seldom"] == 400 and 240 < seen["/often"] < 360, seen
    assert seen["/thrice"] == 1200 and seen["/twice"] == 800 and seen["/bound"] == 1600, seen
    assert seen["/even"] + seen["/odd"] == 400 and seen["/even"] >= 200 and "/never" not in seen, seen
    steps = {step["name"]: step["count"] for step in summary["steps"]}
    assert all(steps["GET " + path] == count for path, count in seen.items()), (steps, seen)


def test_values_from_answers():
    """What the echo sends back is saved, read by later steps and checks, and kept from journey to journey."""
    with Target() as target:
        summary = walk(target, r"""
vars: { name: "u${user.id}", seen: 0 }
load: [ { users: 3, iterations: 60 } ]
flow:
  - http: POST /echo
    body: '{"token": "t-${name}", "items": [{"id": ${user.id}}, {"id": 7, "tag": "x\u0041"}]}'
    save: { token: body.token, last: 'body.items[-1].tag', count: size(body.items), gone: body.nothing, kind: header("content-length") }
    check:
      "token came": token == "t-u" + text
      "count": count == 2
      "escaped": last == "xA"
      "absent": gone == null
  - set: { seen: seen + 1, text: "${user.id}" }
  - http: GET /with/${token}/${seen}/${gone}end
""", "-w", 1)
        seen = paths(target)
    checks = {check["name"]: (check["passed"], check["failed"]) for check in summary["checks"]}
    assert checks["count"] == checks["escaped"] == checks["absent"] == (60, 0), checks
    assert checks["token came"] == (57, 3), checks  # `text` is unset in each user's first journey
    for user in (1, 2, 3):
        mine = [path for path in seen if path.startswith(f"/with/t-u{user}/")]
        assert sorted(int(path.split("/")[3]) for path in mine) == list(range(1, len(mine) + 1)), mine
        assert all(seen[path] == 1 and path.endswith("/end") for path in mine), mine


def test_unanswered_step_keeps_variables():
    with Target() as target:
        summary = walk(target, """
drain: 30s
vars: { kept: before }
load: [ { users: 1, iterations: 1 } ]
flow:
  - http: GET /slow?delay=30s
    save: { kept: body }
  - http: GET /after/${kept}
""", "--timeout", "2s")
        seen = paths(target)
    assert summary["totals"]["timed_out"] == 1 and summary["totals"]["ok"] == 1, summary["totals"]
    assert seen["/after/before"] == 1, seen


def test_parallel():
    for connections in ("per-user", "8"):
        with Target("--delay", "30ms") as target:
            summary = walk(target, """
load: [ { users: 4, iterations: 40 } ]
flow:
  - parallel: [ { http: GET /a }, { http: GET /b }, { http: GET /c } ]
  - http: GET /after
""", "-c", connections)
            seen = paths(target)
        balanced(summary)
        assert seen == {"/a": 40, "/b": 40, "/c": 40, "/after": 40}, seen
        assert summary["journeys"]["completed"] == 40
        assert summary["journeys"]["duration_ns"]["min"] >= 59_000_000  # both rounds, one after the other


def test_transactions():
    with Target() as target:
        summary = walk(target, """
load: [ { users: 2, iterations: 50 } ]
flow:
  - transaction: buy
    flow:
      - http: GET /one?delay=5ms
      - transaction: pay
        flow: [ { http: "GET /two?delay=5ms&status=${coalesce(bad, 200)}" } ]
      - set: { bad: 503 }
  - http: GET /outside?delay=20ms
""", "-w", 1)
        target.stop()
    found = {row["name"]: row for row in summary["transactions"]}
    assert set(found) == {"buy", "pay"}
    for row in found.values():
        assert row["count"] == row["duration_ns"]["count"] == 50 and row["failed"] == 48, row
    assert found["buy"]["duration_ns"]["min"] >= 10_000_000 and found["pay"]["duration_ns"]["min"] >= 5_000_000
    assert found["buy"]["duration_ns"]["p50"] < summary["journeys"]["duration_ns"]["p50"] - 15_000_000


def test_setup_and_teardown():
    """Once for each user that walks, once for the run; journeys only with what the setup has saved; open and closed load."""
    text = """
setup: [ { http: POST /echo, body: '{"run": "r1"}', save: { run: body.run } } ]
teardown: [ { http: "GET /run-end/${run}?delay=3s" } ]
users:
  buyer:
    setup: [ { http: POST /echo, body: '{"token": "t${user.id}"}', save: { token: body.token } } ]
    flow: [ { http: "GET /walk/${run}/${token}" } ]
    teardown: [ { http: "GET /bye/${token}" } ]
  guest:
    flow: [ { http: GET /guest } ]
"""
    for load in ("{ users: 6, for: 1s, pace: 20ms }", "{ hold: 200/s, for: 1s, users: 6 }"):
        with Target() as target:
            summary = walk(target, "load: [ " + load + " ]\n" + text, "-w", 1, "-c", "4")
            seen = paths(target)
        balanced(summary)
        assert summary["measured_ns"] < 2_500_000_000, summary["measured_ns"]  # the load's second, and no teardown
        byes = [path for path in seen if path.startswith("/bye/")]
        walks = [path for path in seen if path.startswith("/walk/")]
        assert len(byes) == 3 and all(seen[path] == 1 for path in byes), seen
        assert {path.split("/")[-1] for path in byes} == {path.split("/")[-1] for path in walks}, seen
        assert all(path.startswith("/walk/r1/t") for path in walks), walks
        assert seen["/echo"] == 1 + 3 and seen["/run-end/r1"] == 1, seen
        assert summary["warmup"]["totals"]["begun"] == 1 + 3 + 3 + 1, summary["warmup"]
        assert summary["totals"]["ok"] == seen["/guest"] + sum(seen[path] for path in walks)
        assert summary["journeys"]["due"] == summary["totals"]["ok"]


def test_setup_of_the_run_fails():
    with Target() as target:
        path = scratch("fails.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("squall: 1\ntargets: { api: \"" + target.url("") + "\" }\nload: [ { users: 1, for: 5s } ]\n"
                       "setup: [ { http: GET /x?status=503 } ]\nflow: [ { http: GET /never } ]\n")
        done = squall("run", path)
        assert done.returncode == 1 and "the setup of the run failed: GET /x?status=503: rejected: 503" in done.err, done.err
        assert rows(target) == ["/x"]


def test_checkout_scenario():
    """The scenario that the page and the quick start may point at holds its own thresholds."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scenarios", "checkout.yaml")
    with Target() as target:
        with Run(folder, "-w", 1, env={**os.environ, "SQUALL_TARGET": target.url("")}) as process:
            process.end(None)
            summary = process.summary()
        target.stop()
    steps = {step["name"]: step for step in summary["steps"]}
    bought, dropped = steps["place order"], steps["drop basket"]
    spans = summary["transactions"][0]
    assert spans["name"] == "checkout" and spans["count"] > 200 and spans["failed"] == 0, spans
    assert abs(bought["count"] + dropped["count"] - spans["count"]) <= 2 and bought["count"] > dropped["count"] > 0
    assert abs(steps["receipt"]["count"] - steps["offers"]["count"]) <= 1
    assert bought["tags"] == {"service": "shop", "page": "order"}, bought["tags"]
    pages = [(group["tag"], group.get("value"), group["count"]) for group in summary["groups"]]
    others = summary["totals"]["begun"] - steps["list products"]["count"] - bought["count"]
    assert sorted(pages, key=str) == sorted([("page", "list", steps["list products"]["count"]), ("page", "order", bought["count"]),
                                             ("page", None, others)], key=str), pages
    assert all(check["failed"] == 0 for check in summary["checks"]), summary["checks"]


if __name__ == "__main__":
    main(globals())
