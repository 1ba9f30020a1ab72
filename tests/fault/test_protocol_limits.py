"""What this machine runs out of while HTTP/2, gRPC and MQTT run, the last two on both engines: disk, the size of files,
descriptors, memory. Each is told with what to change, and the counts that are there are true; nothing crashes the controller.
"""
import os
import resource

from harness import SQUALL, main, scratch, squall
from proof import Run, errors
from protocols import PROTOCOLS, each, need_protocols

COUNT = 200
LOAD = ("-u", 8, "-n", COUNT, "--trust", "off")


def sanitized():
    with open(SQUALL, "rb") as program:
        return b"__asan_init" in program.read()


def limit(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def path_of(protocol, name):
    return scratch(f"{protocol.name}-{name}")


def test_disk_full():
    """The raw log's, and the summary's; each time the other one is whole, and the screen too."""
    def test(protocol):
        with protocol.server() as server:
            for full, whole in ((".jsonl", ".json"), (".json", ".jsonl")):
                path, other = path_of(protocol, "full" + full), path_of(protocol, "whole" + whole)
                os.symlink("/dev/full", path)
                ended = squall("run", *protocol.arguments(server.port), *LOAD, "--out", path, "--out", other)
                assert ended.returncode == 1 and path in ended.err, (ended.returncode, ended.err)
                assert ("200 exchanges could not be written" if full == ".jsonl" else "free some space") in ended.err, ended.err
                assert f"{COUNT} begun" in ended.out, ended.out
                with open(other, encoding="utf-8") as text:
                    assert len(text.readlines()) == COUNT if whole == ".jsonl" else '"raw_records_lost": 200' in text.read(), other
    each(test)


def test_files_that_may_not_grow():
    """`ulimit -f`: a raw log that reaches it is cut and told; a limit of nothing leaves no room for what workers count in."""
    def test(protocol):
        with protocol.server() as server:
            path = path_of(protocol, "cut.jsonl")
            ended = squall("run", *protocol.arguments(server.port), *LOAD, "--out", path, preexec_fn=limit(resource.RLIMIT_FSIZE, 20000))
            assert ended.returncode == 1 and "exchanges could not be written" in ended.err, (ended.returncode, ended.err)
            assert f"{COUNT} begun · {COUNT} ok" in ended.out and os.path.getsize(path) <= 20000, ended.out
            path = path_of(protocol, "none.json")
            ended = squall("run", *protocol.arguments(server.port), *LOAD, "--out", path, preexec_fn=limit(resource.RLIMIT_FSIZE, 0))
            assert ended.returncode == 1 and "ulimit -f" in ended.err, (ended.returncode, ended.err)
    each(test)


def test_summary_that_may_not_grow():
    protocol = PROTOCOLS[0]
    with protocol.server() as server:
        path = path_of(protocol, "short.json")
        ended = squall("run", *protocol.arguments(server.port), *LOAD, "--out", path, preexec_fn=limit(resource.RLIMIT_FSIZE, 4096))
    assert ended.returncode == 1 and path in ended.err and "ulimit -f" in ended.err, (ended.returncode, ended.err)
    assert not os.path.exists(path) and f"{COUNT} ok" in ended.out, ended.out


def test_descriptors_run_out():
    """Some forty for 64 connections, the others being taken by files that squall inherits. A pool goes on with what it got, once it
    has waited for the others as long as its connect time-out, which leaves a slow machine time for the first ones; of MQTT the
    devices without a connection fail with the reason. On no engine is such a run trusted."""
    holding = ("bash", "-c", 'for fd in {20..119}; do eval "exec $fd</dev/null"; done; exec "$@"', "-")

    def test(protocol):
        pool = "" if protocol.name.startswith("mqtt") else "connections: 64, "
        rest = "load: [ { users: 64, iterations: 200 } ]\nflow: [ { STEP } ]\n"
        with protocol.server() as server, \
                Run(protocol.scenario(server.port, rest, pool + "connect-timeout: 6s"), trust="strict", prefix=holding,
                    suffix="-" + protocol.name, preexec_fn=limit(resource.RLIMIT_NOFILE, 150)) as run:
            run.end(98)
            summary = run.summary()
        totals, generator = summary["totals"], summary["generator"]
        assert totals["begun"] == 200 == totals["ok"] + totals["unreachable"], (totals, errors(summary))
        assert totals["unreachable"] == 0 or not pool, totals
        assert generator["descriptors_exhausted"] > 0 and 0 < generator["connections_max"] < 50, generator
        assert "no file descriptor is free: raise the limit (ulimit -n)" in errors(summary), errors(summary)
        assert any("ulimit -n" in reason for reason in summary["verdict"]["reasons"]), summary["verdict"]
    each(test)


def test_hardly_any_descriptors():
    """From too few to start to just enough: an exit code and a text."""
    def test(protocol):
        seen = set()
        with protocol.server() as server:
            for count in (6, 9, 16, 71, 72):
                ended = squall("run", *protocol.arguments(server.port), *LOAD, "--quiet", preexec_fn=limit(resource.RLIMIT_NOFILE, count))
                assert ended.returncode in (0, 1, 2, 127), (count, ended.returncode, ended.err)
                assert ended.returncode == 0 or "ulimit -Hn" in ended.err or count < 8, (count, ended.err)
                seen.add(ended.returncode)
        assert {0, 2} <= seen, seen
    each(test)


def test_memory_runs_out():
    """From too little to enough, step by step: a worker that is refused memory says so, and the controller what it has. (What
    gRPC core and Paho do without memory for their threads is theirs.)"""
    if sanitized():
        print("SKIP: a sanitizer's shadow alone is more than any limit here")
        return

    def test(protocol):
        refused = 0
        with protocol.server() as server:
            for mebibytes in range(14, 80, 2):
                ended = squall("run", *protocol.arguments(server.port), *LOAD, preexec_fn=limit(resource.RLIMIT_AS, mebibytes << 20))
                assert ended.returncode in (0, 1, 2, 3, 97, 127), (mebibytes, ended.returncode, ended.err)
                # Enough for all but a session, which asks for more at a time: no connection comes about, for that reason.
                assert ended.returncode != 3 or "no memory for an HTTP/2 session" in ended.err, (mebibytes, ended.err)
                if ended.returncode == 97:
                    assert "out of memory" in ended.err and "ulimit -v" in ended.err and "killed by signal 6" in ended.out, (ended.err, ended.out)
                    refused += 1
                if ended.returncode == 0:
                    break
        assert ended.returncode == 0 and refused > 0, (ended.returncode, refused)
    each(test, "h2 grpc mqtt")


if __name__ == "__main__":
    need_protocols()
    main(globals())
