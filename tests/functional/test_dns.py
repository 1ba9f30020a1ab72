"""Names: looked up by the workers, at the start and when their time to live has run out; and name servers that lie, say no,
or say nothing."""
import socket
import time

from harness import free_port, main, scratch, squall
from nameserver import NameServer
from proof import SECOND, errors, run
from servers import Server, answers

_files = 0


def scenario(url, names=None, load="{ users: 2, iterations: 20 }", more=""):
    global _files
    _files += 1
    path = scratch(f"scenario-{_files}.yaml")
    servers = f', name-servers: ["{names.address}"]' if names else ""
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'squall: 1\ntargets:\n  api: {{ url: "{url}"{servers}{more} }}\nload: [ {load} ]\nflow: [ {{ http: GET / }} ]\n')
    return path


def v4(*addresses, ttl=60):
    """Answers that name these; no IPv6."""
    return lambda name, kind: (list(addresses), ttl) if kind == "A" else ([], ttl)


def test_found():
    with Server(answers()) as server, NameServer(v4("127.0.0.1")) as names:
        summary, _ = run(scenario(f"http://service.test:{server.port}", names), "-w", 1)
        assert summary["totals"]["ok"] == 20, errors(summary)
        assert {name for name, _ in names.questions} == {"service.test"} and len(names.questions) == 2, names.questions
        phases = summary["steps"][0]["phases_ns"]
        # Both connections wait for the one look-up; each says for how long.
        assert phases["dns"]["count"] == phases["connect"]["count"] == server.connections == 2, phases


def test_numeric_and_local_names_ask_nobody():
    with Server(answers()) as server, NameServer(v4("127.0.0.1")) as names:
        for host in ("127.0.0.1", "localhost"):
            summary, _ = run(scenario(f"http://{host}:{server.port}", names))
            assert summary["totals"]["ok"] == 20, errors(summary)
        assert names.questions == [], names.questions


def test_next_address_when_one_is_dead():
    with Server(answers()) as server, NameServer(v4("127.0.0.9", "127.0.0.1")) as names:
        summary, _ = run(scenario(f"http://service.test:{server.port}", names))
        assert summary["totals"]["ok"] == 20, errors(summary)


def test_no_such_name():
    """It ends at once, long before the connect time-out."""
    for answer in (lambda name, kind: NameServer.NXDOMAIN, v4()):
        with NameServer(answer) as names:
            process = squall("run", scenario("http://nowhere.test:80", names, more=", connect-timeout: 30m"))
            assert process.returncode == 3 and "nowhere.test leads nowhere" in process.err, process.err


def test_silence_and_garbage_end_in_the_time_out():
    for said in (NameServer.SILENCE, NameServer.GARBAGE):
        with NameServer(lambda name, kind, said=said: said) as names:
            process = squall("run", scenario("http://service.test:80", names, more=", connect-timeout: 400ms"))
            words = ("name server", "looking up")
            assert process.returncode == 3 and any(word in process.err for word in words), process.err


def test_a_lie_leads_elsewhere():
    with NameServer(v4("127.0.0.9")) as names:
        process = squall("run", scenario(f"http://service.test:{free_port()}", names, more=", connect-timeout: 300ms"))
        assert process.returncode == 3 and "Connection refused" in process.err, process.err


def test_slow_answer_is_a_phase():
    """A look-up of a second holds nobody else up, and is told as what it is."""
    def slow(name, kind):
        if kind == "A":
            time.sleep(1)
        return v4("127.0.0.1")(name, kind)
    with Server(answers()) as server, NameServer(slow) as names:
        summary, _ = run(scenario(f"http://service.test:{server.port}", names, load="{ users: 1, iterations: 20 }"))
        phases = summary["steps"][0]["phases_ns"]
        assert phases["dns"]["min"] >= 1e9 > phases["connect"]["max"], phases


def test_time_to_live():
    """After a TTL of 1 s the name leads elsewhere: new connections go there, and questions are asked no oftener than that."""
    with Server(answers()) as first, Server(answers(), listener=socket.create_server(("127.0.0.2", first.port))) as second:
        def moves(_name, kind):
            return (["127.0.0.1" if first.connections < 100 else "127.0.0.2"] if kind == "A" else [], 1)
        with NameServer(moves) as names:
            summary, _ = run(scenario(f"http://service.test:{first.port}", names, "{ hold: 100/s, for: 5s, users: 50 }", ", connections: new"), "-w", 1)
        assert summary["totals"]["ok"] == 500 == first.connections + second.connections, errors(summary)
        assert first.connections >= 100 and second.connections >= 50, (first.connections, second.connections)
        asked = sum(kind == "A" for _, kind in names.questions)
        assert 2 <= asked <= 2 + summary["duration_ns"] / SECOND, (asked, summary["duration_ns"])


def test_refused_with_a_place():
    process = squall("check", scenario("http://a", more=", name-servers: [ns.test]"))
    assert process.returncode == 2 and ":3:42: 'ns.test' is no name server" in process.err, process.err


if __name__ == "__main__":
    main(globals())
