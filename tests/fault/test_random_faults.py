"""Servers that do what a seed says, for HTTP/2, gRPC and MQTT, the last two on both engines: whatever they do, the run ends within what
its time-outs add up to, its counts add up, nothing crashes, and a sanitizer finds nothing.

RANDOM_FAULTS="FIRST COUNT" in the environment tries other seeds than the ones below, and more of them.
"""
import os
from concurrent.futures import ThreadPoolExecutor

from harness import main, scratch
from proof import JOURNEYS, Run
from protocols import PROTOCOLS, need_protocols
from random_peer import RandomPeer
from servers import Server

FIRST, COUNT = map(int, os.environ.get("RANDOM_FAULTS", "1 20").split())
JOURNEYS_MAX, USERS = 12, 4
# What a user does, one of these for a seed.
FLOWS = {
    "h2": ("{ http: GET / }", "{ http: POST /, body: \"${random.string(60000)}\" }, { http: GET /two, check: { there: 'body != \"\"' } }",
           "{ http: GET /, compressed: true, save: { it: body } }"),
    "grpc": ("{ grpc: squall.demo.Demo/Unary }", "{ grpc: squall.demo.Demo/Download, check: { some: 'size(body) > 0' } }, { grpc: squall.demo.Demo/Unary, deadline: 200ms }",
             "{ grpc: squall.demo.Demo/Chat, send: [ { size: \"1\" }, { size: \"2\" } ], every: 10ms }",
             "{ grpc: squall.demo.Demo/Chat, send: [ { size: \"1\" } ], repeat: 3, ping-pong: true, wait-for-ready: true }"),
    "mqtt": ("{ mqtt: publish t, qos: 1 }", "{ mqtt: publish t, qos: 2, count: 3, track: true }", "{ mqtt: subscribe t }, { mqtt: await t, check: { hi: 'body == \"hi\"' } }",
             "{ mqtt: publish t }, { mqtt: publish t, qos: 1 }, { mqtt: subscribe t/#, qos: 1 }, { mqtt: unsubscribe t/# }"),
}
# Each user's journeys one after the other, each with a connection that first waits a connect time-out and a back-off of at most
# 1.125 s: some 60 s. Who is still there after that hangs.
BOUND_S = 110


def kind_of(protocol):
    return protocol.name.split("-")[0]


def try_seed(seed, protocol, peer):
    kind = kind_of(protocol)
    more = "timeout: 300ms, connect-timeout: 500ms" + ("" if kind == "mqtt" else ", connections: 2")
    if kind == "mqtt" and seed % 3 == 0:
        more += ", version: 3.1.1"
    rest = f"load: [ {{ users: {USERS}, iterations: {JOURNEYS_MAX} }} ]\ndrain: 20s\nflow: [ {FLOWS[kind][seed % len(FLOWS[kind])]} ]\n"
    with Server(peer) as server, Run(protocol.scenario(server.port, rest, more), suffix=f"-{protocol.name}-{seed}", quiet=seed % 2 == 0) as run:
        run.end(None, BOUND_S)
        code = run.child.returncode
        # 3: no connection of the first ones stood in time.
        assert code in (0, 3), (code, run.out, run.err)
        if code == 3:
            assert "no connection to target it" in run.err, run.err
            return
        summary = run.summary()
    assert summary["verdict"]["complete"] and summary["generator"]["workers_lost"] == 0, summary["verdict"]
    totals, journeys = summary["totals"], summary["journeys"]
    assert journeys["due"] == JOURNEYS_MAX == sum(journeys[word] for word in JOURNEYS), journeys
    assert totals["begun"] == sum(step["count"] for step in summary["steps"]) >= JOURNEYS_MAX and totals["unfinished"] == 0, totals
    assert totals["ok"] + totals["rejected"] == totals["begun"] or summary["errors"], "why is told"


def test_seeds():
    """Each seed on one protocol after the other, so that a few seeds meet all of them."""
    failures = []

    def one(seed):
        for protocol in PROTOCOLS:
            peer = RandomPeer(kind_of(protocol), seed)
            try:
                try_seed(seed, protocol, peer)
            except Exception as problem:  # pylint: disable=broad-except
                failures.append(f"seed {seed}, {protocol.name}: {problem!r}\nwhat the server did, by connection: {' '.join(peer.trace)}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(FIRST, FIRST + COUNT)))
    assert not failures, "\n".join(failures)


if __name__ == "__main__":
    need_protocols()
    scratch()
    main(globals())
