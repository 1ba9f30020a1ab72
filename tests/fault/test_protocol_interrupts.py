"""Ctrl-C at each moment of a run of HTTP/2, gRPC and MQTT, the last two on both engines: once, and what is in flight gets its time;
twice, and the run ends at once. Always exit 130 with a summary that is whole, and no process is left.

The servers answer what a test lets them answer, so each moment is a state that the test waits for.
"""
import signal
import threading

from grpc_session import EMPTY, HEAD, Session, hf
from harness import main, scratch, wait_until
from mqtt_wire import CONNECT, Packets, packet
from proof import Run, errors, gone
from protocols import DEMO, each, need_protocols
from servers import Server

LONG = ("-d", "300s", "--timeout", "200s")
NEVER = ("--drain", "200s")  # none of these runs may wait for it


def never(_):
    return False


def stopping(run):
    """One Ctrl-C, and what the live view says of it: a second one on its heels would be the same signal to the kernel."""
    run.signal(signal.SIGINT)
    for line in run.child.stderr:
        run.err += line
        if "stopping" in line:
            return
    raise AssertionError(f"{run.argv}: not stopping: {run.err}")


def interrupted(run, times=1):
    """Sends so many; the summary. Its 20 s are far below every time-out and drain that a run could wait for by mistake."""
    pids = run.workers()
    if times == 2:
        stopping(run)
    run.signal(signal.SIGINT)
    run.end(130, 20)
    gone(pids)
    summary = run.summary()
    assert summary["interrupted"] and summary["exit_code"] == 130, summary["exit_code"]
    return summary


def named(protocol, *arguments, **options):
    return Run(*arguments, suffix="-" + protocol.name, quiet=False, **options)


def test_once():
    """What is in flight is waited for: its answers come after the Ctrl-C, and are ok."""
    def test(protocol):
        let = threading.Event()

        def answers(peer):
            let.wait(20)
            return True

        with Server(protocol.handler(answers)) as server, \
                named(protocol, *protocol.arguments(server.port), "-u", 4, *LONG, *NEVER) as run:
            wait_until(lambda: server.requests >= 4, "requests")
            stopping(run)
            let.set()
            run.end(130, 20)
            totals = run.summary()["totals"]
        assert totals["ok"] == totals["begun"] == server.requests >= 4, (totals, server.requests)
    each(test)


def test_twice():
    """Answers that never come: unfinished, all of them."""
    def test(protocol):
        with Server(protocol.handler(never)) as server, named(protocol, *protocol.arguments(server.port), "-r", 50, "-u", 20, *LONG, *NEVER) as run:
            wait_until(lambda: server.requests >= 20, "requests")
            totals = interrupted(run, 2)["totals"]
        assert totals["begun"] == totals["unfinished"] and server.requests == 20 <= totals["begun"], (totals, server.requests)
    each(test)


def test_while_connecting():
    """The peer takes the connection and says nothing."""
    def test(protocol):
        with Server(lambda peer: peer.drain()) as server, \
                named(protocol, protocol.scenario(server.port, "load: [ { users: 2, for: 60s } ]\nflow: [ { STEP } ]\n", "connect-timeout: 100s")) as run:
            wait_until(lambda: server.connections, "connections")
            summary = interrupted(run)
        assert summary["totals"]["begun"] == 0 and summary["journeys"]["due"] == 0, summary["totals"]
    each(test)


def test_while_users_get_ready():
    """Each user's setup waits for an answer that does not come: of MQTT a SUBACK."""
    def test(protocol):
        setup = "mqtt: subscribe t" if protocol.name.startswith("mqtt") else "STEP"
        rest = (f"ready-before-load: 100s\nload: [ {{ users: 3, for: 60s }} ]\ndrain: 100s\n"
                f"users: {{ one: {{ setup: [ {{ {setup} }} ], flow: [ {{ STEP }} ] }} }}\n")
        with Server(protocol.handler(never)) as server, \
                named(protocol, protocol.scenario(server.port, rest, "timeout: 100s")) as run:
            wait_until(lambda: server.requests == 3, "setups")
            summary = interrupted(run)
        assert summary["journeys"]["due"] == 0 and server.requests == 3, summary["journeys"]
    each(test)


def test_while_draining():
    """The load is over, with two exchanges in flight. Once: they go on; twice: they end."""
    def test(protocol):
        with Server(protocol.handler(never)) as server, \
                named(protocol, *protocol.arguments(server.port), "-u", 2, "-n", 2, *LONG, *NEVER) as run:
            wait_until(lambda: server.requests == 2, "requests")
            totals = interrupted(run, 2)["totals"]
        assert totals["begun"] == totals["unfinished"] == 2, totals
    each(test)


def test_drain_that_is_over():
    """Once: what does not end within the drain is unfinished, and the run does not wait for its time-out."""
    def test(protocol):
        with Server(protocol.handler(never)) as server, \
                named(protocol, *protocol.arguments(server.port), "-u", 2, *LONG, "--drain", "300ms") as run:
            wait_until(lambda: server.requests == 2, "requests")
            totals = interrupted(run)["totals"]
        assert totals["begun"] == totals["unfinished"] == 2, totals
    each(test)


# ---- in a long stream ----

def streaming(peer):
    """Answers each call with a message, and another for as long as the client is there."""
    session = Session(peer)
    for stream in session.calls():
        with peer.server.lock:
            peer.server.requests += 1
        session.send(session.headers(stream, HEAD))
        while not peer.server.over.wait(0.01):
            session.send(hf.DataFrame(stream, data=EMPTY))


def test_in_a_long_stream():
    for times in (1, 2):
        def test(protocol, times=times):
            with Server(streaming) as server, \
                    named(protocol, f"grpc://127.0.0.1:{server.port}/squall.demo.Demo/Download", "--proto", DEMO, *protocol.flags[2:], "-u", 2,
                          "-c", 2, *LONG, *(("--drain", "300ms") if times == 1 else NEVER)) as run:
                wait_until(lambda: server.requests == 2, "streams")
                totals = interrupted(run, times)["totals"]
            assert totals["begun"] == totals["unfinished"] == 2, totals
        each(test, "grpc grpc-core")


def delivering(peer):
    """Whoever has subscribed is sent messages without end."""
    packets = Packets()
    while data := peer.socket.recv(65536):
        for kind, _, body, _ in packets.feed(data):
            if kind == CONNECT:
                peer.send(packet(0x20, b"\0\0\0"))
            elif kind == 8:
                peer.send(packet(0x90, body[:2] + b"\0\0"))
                with peer.server.lock:
                    peer.server.requests += 1
                while not peer.server.over.wait(0.01):
                    peer.send(packet(0x30, b"\0\1t\0other") * 10)


def test_while_messages_pour_in():
    """None is the one that is awaited."""
    def test(protocol):
        rest = "load: [ { users: 2, for: 300s } ]\ndrain: 200s\nflow: [ { mqtt: subscribe t }, { mqtt: await t, contains: never } ]\n"
        with Server(delivering) as server, named(protocol, protocol.scenario(server.port, rest, "timeout: 200s")) as run:
            wait_until(lambda: server.requests == 2, "subscriptions")
            summary = interrupted(run, 2)
        totals = summary["totals"]
        # Each user is in its await step, or about to enter it.
        assert totals["ok"] <= 2 and totals["begun"] == totals["ok"] + totals["unfinished"] >= 2, (totals, errors(summary))
    each(test, "mqtt mqtt-paho")


if __name__ == "__main__":
    need_protocols()
    main(globals())
