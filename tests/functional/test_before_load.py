"""What comes before the clock starts: the run's setup, whose values reach all workers, and users that must be ready."""
import os
import time

from harness import Target, main, scratch, squall
from proof import Run, identities, run

HEAD = "squall: 1\ntargets: {{ api: {{ url: \"{url}\", connections: {connections} }} }}\n"


def scenario(url, text, connections=8):
    path = scratch(f"before-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD.format(url=url, connections=connections) + text)
    return path


def path_of(row):
    return row["label"].split(" ")[1].split("?")[0]


def test_all_ready_before_the_clock():
    """Each login takes 300 ms: no journey of any worker is asked for before the last user's has been answered."""
    text = """
ready-before-load: true
load:
  open: [ { hold: 50/s, for: 1s, users: 7 } ]
  closed: { users: buyer, stages: [ { users: 1 -> 5, over: 1s } ], pace: 100ms }
users:
  buyer:
    setup: [ { http: "GET /login?delay=300ms" }, { http: GET /subscribe } ]
    flow: [ { http: GET /walk } ]
    teardown: [ { http: GET /logout } ]
"""
    for workers in (1, 3):
        with Target() as target:
            summary, _ = run(scenario(target.url(""), text, "per-user"), "-w", workers, raw=True)
            rows = target.stop().log()
        paths = {path: [row for row in rows if path_of(row) == path] for path in ("/login", "/subscribe", "/walk", "/logout")}
        # Every user of both loads, the ramp's later ones too; and each that was set up is torn down.
        assert len(paths["/login"]) == len(paths["/subscribe"]) == len(paths["/logout"]) == 12, {k: len(v) for k, v in paths.items()}
        assert summary["generator"]["workers"] == workers
        last = max(row["answer_ns"] for row in paths["/subscribe"])
        assert all(row["arrival_ns"] > last for row in paths["/walk"]), workers
        assert summary["warmup"]["totals"]["begun"] == 36 and len(paths["/walk"]) == summary["totals"]["ok"], summary["totals"]
        assert summary["journeys"]["due"] - summary["journeys"]["dropped"] == len(paths["/walk"]), summary["journeys"]


def test_without_it_journeys_do_not_wait():
    text = """
load: [ { hold: 50/s, for: 1s, users: 8 } ]
users:
  slow: { weight: 0.1, setup: [ { http: "GET /login?delay=1500ms" } ], flow: [ { http: GET /slow } ] }
  quick: { flow: [ { http: GET /quick } ] }
"""
    with Target() as target:
        run(scenario(target.url(""), text), "-w", 1)
        rows = target.stop().log()
    logins = [row for row in rows if path_of(row) == "/login"]
    quick = [row for row in rows if path_of(row) == "/quick"]
    assert quick[0]["arrival_ns"] < min(row["answer_ns"] for row in logins)


def test_null_protocol():
    """The mechanism is the engine's: a protocol without a peer has it too. A think time stands for what its setup takes."""
    path = scratch("null.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("""squall: 1
ready-before-load: 30s
targets: { none: { url: "null://here", connections: per-user } }
load: [ { hold: 300/s, for: 1s, users: 300 } ]
users:
  one:
    setup: [ { null: }, { think: 1500ms }, { null: } ]
    flow: [ { null: } ]
""")
    for workers in (1, 3):
        summary, _ = run(path, "-w", workers)
        identities(summary)
        assert summary["totals"]["ok"] == 300 and summary["warmup"]["totals"]["ok"] == 600, summary["warmup"]
        # A user for each arrival, however many a slow machine has due at once: one waits only for a setup.
        assert summary["generator"]["waited_user"] == 0, summary["generator"]


def test_not_ready_in_time():
    """Exit 1, and who was not ready, doing what; with one worker and with three."""
    text = """
ready-before-load: 2s
load: [ { users: 6, for: 2s } ]
users:
  quick: { weight: 2, setup: [ { http: GET /quick } ], flow: [ { http: GET /walk } ] }
  slow: { setup: [ { http: GET /slow?delay=30s } ], flow: [ { http: GET /walk } ] }
"""
    for workers in (1, 3):
        with Target() as target, Run(scenario(target.url(""), text, "per-user"), "-w", workers, quiet=False) as process:
            process.end(1)
            rows = target.stop().log()
        assert all(path_of(row) != "/walk" for row in rows), rows
        assert "ready-before-load: after 2" in process.err and "had not ended their setup" in process.err, process.err
        assert '(slow), waits for the answer to "GET /slow?delay=30s"; nothing was started' in process.err, process.err
        assert ("2 of the 6 users" if workers == 1 else "of the 2 users") in process.err, process.err


def test_interrupted_while_users_get_ready():
    text = """
ready-before-load: 30s
load: [ { users: 3, for: 2s } ]
users: { slow: { setup: [ { http: GET /slow?delay=30s } ], flow: [ { http: GET /walk } ] } }
"""
    with Target() as target, Run(scenario(target.url(""), text, "per-user"), "-w", 3, quiet=False) as process:
        for line in process.child.stderr:
            if line.startswith("setting up: 3 users not ready"):
                break
        process.signal(2)
        assert process.end(130) < 25
        summary = process.summary()
    assert summary["interrupted"] and summary["journeys"]["due"] == 0, summary["journeys"]


def test_values_reach_every_worker():
    """A text, a number, a part of a JSON body, null, and bytes that are no text; in journeys and in users' setups."""
    text = r"""
ready-before-load: true
vars: { kind: none, missing: was, own: "u${user.id}" }
setup:
  - http: POST /echo
    body: '{"run": "r-7/ä", "cart": {"lines": [{"id": 41}]}, "secret": "${secret.SQUALL_TEST_KEY}"}'
    save: { run: body.run, cart: body.cart, missing: body.nothing, key: body.secret }
  - set: { count: 2 + 1, flag: count == 3, kind: "k${count}" }
load: [ { users: 9, iterations-per-user: 7, pace: 50ms } ]
users:
  buyer:
    setup: [ { http: "GET /setup/${url_encode(run)}" } ]
    flow:
      - http: "GET /walk/${url_encode(run)}/${cart.lines[0].id}/${count}/${flag}/${missing}-/${kind}/${sha256(key)}?own=${own}"
        check: { "a number": count + 1 == 4 }
"""
    for workers in (1, 3):
        with Target() as target:
            with Run(scenario(target.url(""), text), "-w", workers, "--log-level", "debug", quiet=False, raw=True,
                     env={**os.environ, "SQUALL_TEST_KEY": "dont-tell"}) as process:
                process.end(0)
                summary, raw = process.summary(), process.raw()
            rows = target.stop().log()
        assert {line["worker"] for line in raw if line["block"] == "measured"} == set(range(workers)), workers
        paths = {path_of(row) for row in rows}
        walks = [path for path in paths if path.startswith("/walk/")]
        assert len(walks) == 1 and walks[0].startswith("/walk/r-7%2F%C3%A4/41/3/true/-/k3/"), walks
        owners = {row["label"].split("own=")[1].split(" ")[0] for row in rows if path_of(row) == walks[0]}
        assert owners == {f"u{number}" for number in range(1, 10)}, owners
        assert sum(path_of(row) == "/setup/r-7%2F%C3%A4" for row in rows) == 9, paths
        assert sum(path_of(row) == "/echo" for row in rows) == 1
        checks = {check["name"]: check for check in summary["checks"]}
        assert checks["a number"]["failed"] == 0 and checks["a number"]["passed"] == 63, checks
        assert "dont-tell" not in process.out + process.err, process.err


def test_check_says_it():
    with Target() as target:
        done = squall("check", scenario(target.url(""), "ready-before-load: 5s\nload: [ { users: 1, for: 1s } ]\nflow: [ { http: / } ]\n"))
        assert done.returncode == 0 and "users end their setup before it, within 5s" in done.out, done.out
        done = squall("check", scenario(target.url(""), "ready-before-load: soon\nload: [ { users: 1, for: 1s } ]\nflow: [ { http: / } ]\n"))
        assert done.returncode == 2 and ":3:20: 'soon' is neither true, false nor a time" in done.err, done.err


if __name__ == "__main__":
    main(globals())
