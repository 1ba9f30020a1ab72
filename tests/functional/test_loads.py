"""Loads side by side and their sharing over workers: totals are those of the scenario, however many workers there are."""
from harness import Nginx, Target, main, scratch
from proof import SECOND, only, run

HEAD = "squall: 1\ntargets: {{ api: {{ url: \"{url}\", connections: {connections} }} }}\n"


def scenario(url, text, connections=32):
    path = scratch(f"scenario-{abs(hash(text)) % 10 ** 9}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD.format(url=url, connections=connections) + text)
    return path


def requests(nginx, path):
    return sum(row["request"].startswith(f"GET {path} ") for row in nginx)


def test_shares_add_up():
    """Open (constant and poisson) and closed loads, one with fewer users than workers: 1, 2, 3 and 7 workers."""
    text = """
load:
  steady: [ { hold: 500/s, iterations: 701, users: 60 } ]
  strangers: { users: stranger, stages: [ { ramp: 100 -> 400/s, over: 2s, arrivals: poisson } ], iterations: 211 }
  few: { users: [patient], stages: [ { users: 2 } ], iterations: 101 }
  each: { users: patient, stages: [ { users: 9 } ], iterations-per-user: 5 }
users:
  buyer: { weight: 3, flow: [ { http: /buyer } ] }
  visitor: { flow: [ { http: /visitor } ] }
  stranger: { weight: 0.001, flow: [ { http: /stranger } ] }
  patient: { weight: 0.001, flow: [ { http: /patient } ] }
"""
    for workers in (1, 2, 3, 7):
        with Nginx() as nginx:
            summary, _ = run(scenario(nginx.url(""), text), "-w", workers)
            rows = nginx.stop().access()
        only(summary, ok=701 + 211 + 101 + 45)
        assert summary["generator"]["workers"] == workers, summary["generator"]
        counts = {path: requests(rows, path) for path in ("/buyer", "/visitor", "/stranger", "/patient")}
        # steady is walked by all classes: what it gives the light ones is an arrival or two.
        assert 0 <= counts["/patient"] - 146 <= 2 and 0 <= counts["/stranger"] - 211 <= 2, (workers, counts)
        assert abs(counts["/buyer"] - 701 * 3 / 4) <= 4 and abs(counts["/visitor"] - 701 / 4) <= 4, (workers, counts)


def test_same_arrivals():
    """Constant arrivals are the same times whoever has them; all are served by so many workers as there are."""
    seen = {}
    for workers in (1, 2, 3, 7):
        with Nginx() as nginx:
            _, process = run(nginx.url(), "-r", 700, "-d", "1s", "-c", 14, "-w", workers, raw=True)
        lines = process.raw()
        seen[workers] = sorted(line["intended_ns"] for line in lines)
        assert len({line["worker"] for line in lines}) == workers, workers
        assert len({line["user"] for line in lines}) <= 7000
    assert all(times == seen[1] for times in seen.values()), {workers: times[:5] for workers, times in seen.items()}
    assert seen[1][0] == 0 and seen[1][699] < SECOND and len(seen[1]) == 700


def test_pace():
    """Ten users, a journey each 200 ms: each tick has its journey or is counted as skipped, when answers are quick and when they
    take two ticks and a half."""
    users, pace, length = 10, SECOND // 5, 4 * SECOND
    ticks = users * length // pace
    text = """
load: { stages: [ { users: 10, for: 4s } ], pace: 200ms }
flow: [ { http: /paced } ]
"""
    for delay in (0, 500):
        with Target("--delay", f"{delay}ms") as target:
            summary, process = run(scenario(target.url(""), text, "per-user"), "-w", 2, raw=True)
        raw, skipped = process.raw(), summary["generator"]["skipped_ticks"]
        only(summary, ok=len(raw))
        on_a_tick = sum(line["intended_ns"] % pace == 0 for line in raw)
        longest = max(line["done_ns"] - line["intended_ns"] for line in raw)
        print(f"     {len(raw)} journeys, {on_a_tick} at a tick, {skipped} ticks skipped, the longest {longest / SECOND:.3f} s", flush=True)
        # What ends when the load is over skips no tick any more.
        assert ticks - users * (longest // pace) <= on_a_tick + skipped <= ticks, (on_a_tick, skipped, longest)
        assert skipped == 0 or longest > pace, (skipped, longest)
        assert len(raw) <= users * length // max(pace, delay * SECOND // 1000), len(raw)
        assert skipped > 0 or not delay, skipped


if __name__ == "__main__":
    main(globals())
