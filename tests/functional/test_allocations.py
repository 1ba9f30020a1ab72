"""No call to malloc for an exchange: twenty times the exchanges cost a worker no more calls.

A preloaded library counts them. A snapshot a second is packed into buffers and may allocate; an exchange may not. So the
calls of two runs are compared, with an allowance for each second by which the longer one was longer.
"""
import glob
import os
import sys
import time

from harness import Target, main, scratch
from proof import only, run

SHIM = os.environ.get("COUNT_MALLOC")
A_SECOND = 32   # calls that a snapshot and the second around it may make
CONSTANT = 32   # buffers and pools that grow to their size a little later in one run than in the other
FEW, MANY = 2000, 40000


def worker_calls(arguments, count, **options):
    """(calls, seconds) of the worker in a run of so many journeys."""
    stem = scratch(f"malloc-{time.monotonic_ns()}")
    env = {**os.environ, "LD_PRELOAD": SHIM, "COUNT_MALLOC_FILE": stem, **options}
    summary, _ = run(*arguments, "-n", count, "-w", 1, env=env)
    assert summary["journeys"]["completed"] == count, summary["journeys"]
    found = {}
    for path in glob.glob(stem + ".*"):
        with open(path, encoding="utf-8", errors="replace") as text:
            number, command = text.read().split(" ", 1)
        found["worker" if command.split("\0")[1] == "worker" else "controller"] = int(number)
    assert found.keys() == {"worker", "controller"}, found
    return found["worker"], summary["duration_ns"] / 1e9


def steady(name, arguments, **options):
    few, few_s = worker_calls(arguments, FEW, **options)
    many, many_s = worker_calls(arguments, MANY, **options)
    allowed = few + CONSTANT + A_SECOND * (int(many_s - few_s) + 1)
    assert few > 0, "nothing was counted"
    assert many <= allowed, f"{name}: {few} calls for {FEW} journeys, {many} for {MANY} in {many_s:.1f} s"
    print(f"     {name}: {few} calls for {FEW} journeys, {many} for {MANY} in {many_s:.1f} s", flush=True)


def scenario(url, flow, more="", options="connections: 8"):
    path = scratch(f"scenario-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{url}\", {options} }} }}\nload: [ {{ users: 8, for: 60s }} ]\n"
                  f"flow:\n{flow}{more}")
    return path


def test_null():
    steady("null", ("null://x", "-u", 8))


def test_null_open():
    steady("null, open", ("null://x", "-u", 64, "-r", 20000))


def test_http():
    with Target(log=False) as target:
        steady("http", (target.url(), "-u", 8))
        steady("http, a user's own connection", (target.url(), "-u", 8, "-c", "per-user"))


def test_http2():
    """nghttp2 takes its memory from lists of ours."""
    with Target(log=False) as target:
        steady("http/2", (target.url(), "--h2", "-u", 64, "-c", 4))
        steady("http/2, a user's own connection", (target.url(), "--h2", "-u", 8, "-c", "per-user"))
        flow = ('  - http: POST /${user.id}/${iteration}\n    name: all\n    headers: { X-Id: "${uuid()}" }\n    body: "hello ${random.string(20)}"\n'
                '    check: { ok: status == 200, long: size(body) > 5, type: header("content-length") != null }\n')
        steady("http/2 with everything", (scenario(target.url(""), flow, options="connections: 2, http: h2"),))


def test_http_with_everything():
    """Templates, header fields, a body, checks on all of the answer, and a raw log."""
    flow = ('  - http: POST /${user.id}/${iteration}\n    name: all\n    headers: { x-id: "${uuid()}", x-n: "${random.int(1, 99)}" }\n'
            '    body: "hello ${random.string(20)}"\n'
            '    check: { ok: status == 200, long: size(body) > 5, type: header("content-length") != null }\n')
    with Target(log=False) as target:
        steady("http with everything", (scenario(target.url(""), flow), "--out", scratch("all.jsonl")))


def test_http_rejected():
    with Target(log=False) as target:
        steady("http, rejected", (scenario(target.url(""), "  - http: GET /?status=204\n    expect: 204\n"),))


def test_the_shim_counts():
    """A run that must allocate more does show it: connections that are opened anew are not free."""
    with Target(log=False) as target:
        summary, _ = run(target.url("/?close=1"), "-u", 1, "-n", 1)
        only(summary, ok=1)
        few, _ = worker_calls((target.url(), "-u", 1, "-c", "per-user"), 5)
        many, _ = worker_calls((target.url(), "-u", 500, "-c", "per-user"), 500)
        assert many > few, (few, many)


if __name__ == "__main__":
    if not SHIM:
        print("SKIP: a sanitizer brings a malloc of its own, which cannot be counted")
        sys.exit(77)
    main(globals())
