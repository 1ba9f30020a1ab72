"""Two engines for gRPC: the plugin's own HTTP/2, and gRPC core. The same scenario gives the same counts and codes, the medians
agree, and a number of connections is that number."""
from harness import main, squall, squall_run
from proof import MS, Noise
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


def test_times_agree():
    """At 500/s, on the same server: p50 within max(100 us, 15 %)."""
    case = ("unary", "Unary", "message: { answer_bytes: 100 }", "OK", {})
    p50 = {}
    with grpc_servers.grpcpp() as server, Noise() as noise:
        for name, source in (("own", OWN), ("core", CORE)):
            path = scenario(server.port, source, [case])
            with open(path, encoding="utf-8") as text:
                open_load = text.read().replace("load: [ { users: 1, for: 1s } ]", "load: [ { hold: 500/s, for: 2s } ]")
            with open(path, "w", encoding="utf-8") as text:
                text.write(open_load)
            summary = squall_run(path, "--trust", "off")
            step, = summary["steps"]
            assert step["ok"] == 1000 and step["codes"] == {"0": 1000}, step
            assert ("service_ns" in step) == (name == "own"), step.keys()
            p50[name] = step["latency_ns"]["p50"]
        server.stop()
        assert server.calls == 2000, server.calls
    print(f"     p50: {p50}", flush=True)
    # A machine that keeps a sleeper waiting does that to one engine's threads more than to the other's.
    assert abs(p50["own"] - p50["core"]) <= max(MS // 10, 0.15 * p50["own"]) + noise.worst_ns, (p50, noise.worst_ns)


if __name__ == "__main__":
    main(globals())
