"""Two engines for gRPC: the plugin's own HTTP/2, and gRPC core. The same scenario gives the same counts and codes.
(That their medians agree is a matter of times: test_grpc_stall.py.)"""
from harness import main, squall, squall_run
import grpc_servers
from test_grpc import CASES, NOWHERE, judge, scenario

CORE = "engine: core, proto: [ interop.proto, nowhere.proto ]"
OWN = "proto: [ interop.proto, nowhere.proto ]"


def test_interop_cases():
    cases = CASES + [NOWHERE]
    for server in grpc_servers.IMPLEMENTATIONS.values():
        with server() as running:
            steps = judge(squall_run("--trust", "off", scenario(running.port, CORE, cases)), cases)
            talk = steps["ping_pong"]["messages"]
            assert talk["sent"] == talk["answered"] == 4 * steps["ping_pong"]["ok"], talk


def test_reflection():
    with grpc_servers.grpcpp() as server:
        judge(squall_run("--trust", "off", scenario(server.port, "engine: core")), CASES)
        wrong = squall("run", scenario(server.port, "engine: core", [("x", "Unry", "", "OK", {})]))
        assert wrong.returncode == 2 and "did you mean Unary?" in wrong.err, wrong.err


def test_engine_of_the_url_form():
    with grpc_servers.grpcpp() as server:
        url = server.url("/interop.Interop/Unary")
        for engine in ([], ["--engine", "core"]):
            step, = squall_run("--trust", "off", url, *engine, "-r", "200/s", "-n", 50, "-c", 2, "--data", "{answer_bytes: 7}")["steps"]
            assert step["ok"] == 50 and step["protocol"] == ("grpc-core" if engine else "grpc"), step
            assert ("service_ns" in step) == (not engine), step.keys()
        assert server.stop() == 100
    unknown = squall("run", url, "--engine", "cor", "-n", 1)
    assert unknown.returncode == 2 and "--engine: " in unknown.err and "grpc-core" in unknown.err, unknown.err
    file = squall("run", scenario(1, OWN), "--engine", "core")
    assert file.returncode == 2 and "belongs to the URL form" in file.err, file.err
    own = squall("check", scenario(1, CORE + ", connect-to: 127.0.0.1:2"))
    assert own.returncode == 2 and "`connect-to` is for squall's own connections" in own.err, own.err


def test_streams_that_are_paced_and_end():
    case = ("paced", "Duplex", "ping-pong: true, every: 20ms, for: 300ms, repeat: 0, send: [ { parts: [ { answer_bytes: 3 } ] } ]",
            "OK", {})
    with grpc_servers.grpcpp() as server:
        for source in (OWN, CORE):
            step = judge(squall_run("--trust", "off", scenario(server.port, source, [case])), [case])["paced"]
            talk = step["messages"]
            assert talk["unanswered"] == 0 and 14 * step["ok"] <= talk["answered"] <= 16 * (step["ok"] + 1), (source, talk, step)


if __name__ == "__main__":
    main(globals())
