"""The same five steps in squall and in Locust: what a service is asked, and in which order, must be the same for both."""
import collections
import json
import os
import signal

from harness import Process, main, need, scratch, squall_run, wait_until
from rest_server import RestServer

HERE = os.path.dirname(os.path.abspath(__file__))
PEOPLE = 24


def people():
    with open(scratch("accounts.csv"), "w", encoding="utf-8") as out:
        out.write("name,password,city\n" + "".join(f'p{i},"secret, ""{i}""",x\n' for i in range(PEOPLE)))


def told(request):
    """Of a request, all that a service goes by: what a client adds of its own accord (user-agent, accept) it does not."""
    fields = request["fields"]
    return (request["method"], request["path"], json.loads(request["body"]) if request["body"] else None,
            fields.get("content-type", "").split(";")[0] if request["body"] else None, fields.get("cookie"), fields.get("authorization"))


def sessions(seen):
    """The requests of each person, in order; each person is one whole journey."""
    walks = collections.defaultdict(list)
    for request in seen:
        name = request["fields"].get("authorization", "").removeprefix("Bearer t-") or json.loads(request["body"])["name"]
        walks[name].append(told(request))
    return walks


def squall_walks(server, workers):
    server.clear()
    with open(os.path.join(HERE, "..", "..", "scenarios", "session.yaml"), encoding="utf-8") as text, \
            open(scratch("session.yaml"), "w", encoding="utf-8") as copy:
        copy.write(text.read().replace("p95(latency) < 500ms", "p95(latency) < 60s"))  # a busy machine is no failure here
    summary = squall_run(scratch("session.yaml"), "-w", workers, "--trust", "off", env={**os.environ, "SQUALL_TARGET": server.url("")})
    assert summary["journeys"]["completed"] == PEOPLE and summary["totals"]["ok"] == 5 * PEOPLE, (summary["journeys"], summary["errors"])
    assert summary["generator"]["workers"] == workers, summary["generator"]
    assert {check["name"]: (check["passed"], check["failed"]) for check in summary["checks"]} == dict.fromkeys(
        ("is logged in", "has items", "is the item", "has a price", "is ordered"), (PEOPLE, 0)), summary["checks"]
    return sessions(server.seen)


def locust_walks(server):
    locust = need("locust")
    server.clear()
    argv = [locust, "-f", os.path.join(HERE, "lib", "session_locust.py"), "--headless", "-u", "4", "-r", "4", "--host", server.url("")]
    with Process(argv, env={**os.environ, "SESSION_CSV": scratch("accounts.csv")}) as process:
        # It has no end of its own: its users stop when no row is left.
        wait_until(lambda: sum(request["path"] == "/logout" for request in server.seen) >= PEOPLE or process.child.poll() is not None,
                   "Locust to walk all journeys", 120)
        process.signal(signal.SIGTERM)
        process.wait()
    return sessions(server.seen), process.err


def test_the_same_as_locust():
    people()
    with RestServer() as server:
        ours = [squall_walks(server, workers) for workers in (1, 2)]
        theirs, said = locust_walks(server)
    assert len(theirs) == PEOPLE, (len(theirs), said[-2000:])
    for walks in ours:
        assert set(walks) == set(theirs), set(walks) ^ set(theirs)
        for name, walk in theirs.items():
            assert walks[name] == walk, (name, walks[name], walk)
    # And it is what was meant, by either.
    for name, walk in ours[0].items():
        item = walk[2][1].rsplit("/", 1)[1]
        assert [step[:2] for step in walk] == [("POST", "/login"), ("GET", "/catalog?page=1"), ("GET", f"/items/{item}"), ("POST", "/orders"),
                                               ("POST", "/logout")], walk
        assert walk[0][2] == {"name": name, "password": f'secret, "{name[1:]}"'} and walk[0][4:] == (None, None), walk[0]
        assert all(step[4:] == (f"session=s-{name}", f"Bearer t-{name}") for step in walk[1:]), walk
        assert walk[3][2] == {"item": int(item), "price": 5 + int(item) % 7 + 0.25, "buyer": name}, walk[3]
    assert len({walk[2][1] for walk in ours[0].values()}) > 1  # the item comes from the answer


if __name__ == "__main__":
    main(globals())
