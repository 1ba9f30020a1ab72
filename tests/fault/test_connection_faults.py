"""Connections that fail at each of their stages, over TCP and TLS; and what this machine runs out of."""
import resource
import socket
import time

from certificates import Authority
from harness import WAIT_S, main
from proof import Run, counted, errors, only, run
from servers import OK, Server, answers

farm = Authority("faults")
farm.issue("good")
_files = 0


def scenario(server, load="{ users: 4, iterations: 20 }", more="", secure=False, connect="20s", timeout="20s", then=""):
    """Its time-outs are short only where one is waited for: a machine that stands still must not end what would have gone well."""
    global _files
    _files += 1
    url = f"http{'s' if secure else ''}://127.0.0.1:{server.port}"
    tls = ", tls: { ca: root.pem }" if secure else ""
    return farm.write(f"scenario-{_files}.yaml",
                      f'squall: 1\ndrain: 20s\ntargets:\n  api: {{ url: "{url}", timeout: {timeout}, connect-timeout: {connect}{tls}{more} }}\n'
                      f"load: [ {load} ]\nflow: [ {{ http: GET / }}{then} ]\n")


def every_second(good, bad):
    """A handler that breaks every second connection: those between them must not suffer."""
    def handler(peer):
        (bad if peer.number % 2 == 0 else good)(peer)
    return handler


def reset(peer):
    peer.reset()


def half_hello(peer):
    """Ends in the middle of the TLS handshake."""
    peer.socket.recv(100)
    peer.reset()


def wrap(peer):
    peer.socket = farm.server("good").wrap_socket(peer.socket, server_side=True)


def reset_after_handshake(peer):
    wrap(peer)
    reset(peer)


def reset_in_head(peer):
    wrap(peer)
    peer.request()
    peer.send(OK[:20])
    reset(peer)


def reset_in_body(peer):
    wrap(peer)
    peer.request()
    peer.send(OK[:-1])
    reset(peer)


def close_in_body(peer):
    wrap(peer)
    peer.request()
    peer.send(OK[:-1])


def silent(peer):
    peer.drain()


def silent_after_handshake(peer):
    wrap(peer)
    peer.drain()


def half_close_after_request(peer):
    wrap(peer)
    peer.request()
    peer.socket.shutdown(socket.SHUT_WR)
    peer.drain()


def good_tls(peer):
    wrap(peer)
    answers()(peer)


def test_each_stage_over_tls():
    """A new connection for each exchange, half of which break: every exchange has its outcome, the good ones are ok."""
    for bad, word in ((reset, "unreachable"), (half_hello, "unreachable"), (silent, "unreachable"),
                      (reset_after_handshake, "disconnected"), (reset_in_head, "disconnected"),
                      (reset_in_body, "disconnected"), (close_in_body, "disconnected"),
                      (silent_after_handshake, "timed_out"), (half_close_after_request, "disconnected")):
        # Two users, four exchanges: each waits for at most one that says nothing, and the good ones may take as long.
        times, count = ({"connect": "2s", "timeout": "2s"}, 4) if bad in (silent, silent_after_handshake) else ({}, 12)
        with Server(every_second(good_tls, bad)) as server:
            summary, _ = run(scenario(server, f"{{ users: 2, iterations: {count} }}", ", connections: new", secure=True, **times), "-w", 1)
            totals = summary["totals"]
            assert totals["ok"] == totals[word] == count // 2, (bad, totals, errors(summary))


def test_each_stage_while_others_stand():
    """A pool whose connections break time and again still carries the load over the others."""
    for bad in (reset, half_hello, reset_after_handshake):
        with Server(every_second(good_tls, bad)) as server:
            summary, _ = run(scenario(server, "{ hold: 200/s, for: 1s, users: 50 }", ", connections: 8", secure=True), "-w", 1)
            assert counted(summary, "ok") + counted(summary, "disconnected") == 200, (summary["totals"], errors(summary))
            assert counted(summary, "ok") >= 150, (summary["totals"], errors(summary))


def test_end_between_exchanges():
    """While its user thinks, a connection ends in each way: nobody asked for anything, so nothing fails, and the next exchange gets
    a new one. Where the end crosses a request that is already out, that one is disconnected and no other."""
    def half_close(peer):
        peer.socket.shutdown(socket.SHUT_WR)
        peer.drain()

    for secure in (False, True):
        for end in (reset, lambda peer: peer.close(), half_close):
            def handler(peer, end=end, secure=secure):
                if secure:
                    wrap(peer)
                peer.request()
                peer.send(OK)
                end(peer)
            with Server(handler) as server:
                # Long thoughts: the end has come before them, though the machine stand still meanwhile.
                summary, _ = run(scenario(server, "{ users: 6, iterations: 12 }", secure=secure, then=", { think: 1s }"))
                only(summary, ok=12)
                assert server.requests == 12 <= server.connections, (server.requests, server.connections)
            with Server(handler) as server:
                summary, _ = run(scenario(server, "{ users: 4, iterations: 40 }", secure=secure))
                totals = summary["totals"]
                assert totals["begun"] == 40 == totals["ok"] + totals["disconnected"] and totals["ok"] > 0, (totals, errors(summary))
                assert totals["ok"] == server.requests, (totals, server.requests)


def full_listener():
    """Its queue is full and nobody accepts: further connection requests are dropped."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    time.sleep(0.1)
    return listener, fillers


def test_black_hole():
    """Connection requests without an answer: exchanges end in the connect time-out, and the kernel's retries are told."""
    listener, fillers = full_listener()

    class Hole:
        port = listener.getsockname()[1]
    began = time.monotonic()
    summary, _ = run(scenario(Hole, "{ users: 2, iterations: 2 }", ", connections: new", connect="1500ms"))
    assert time.monotonic() - began < WAIT_S
    assert summary["totals"]["unreachable"] == 2 and "no answer to the connection request" in errors(summary), errors(summary)
    assert summary["generator"]["syn_retransmits"] >= 2, summary["generator"]
    assert any("connection requests were sent again" in note for note in summary["generator"]["notes"]), summary["generator"]
    for filler in fillers:
        filler.close()
    listener.close()


def test_drain_waits_for_connections():
    """Without `drain`, what waits for a connection of its own gets the connect time-out too: none is cut off as unfinished."""
    listener, fillers = full_listener()
    path = farm.write("drain.yaml", f"""squall: 1
targets: {{ api: {{ url: "http://127.0.0.1:{listener.getsockname()[1]}", timeout: 100ms, connect-timeout: 1500ms, connections: new }} }}
load: [ {{ hold: 20/s, for: 500ms }} ]
flow: [ {{ http: GET / }} ]
""")
    summary, _ = run(path)
    assert summary["totals"]["unreachable"] == 10 and summary["totals"]["unfinished"] == 0, summary["totals"]
    for filler in fillers:
        filler.close()
    listener.close()


def test_backlog_that_is_slow():
    """A full queue that is emptied after a while costs a second, and nothing fails."""
    listener, fillers = full_listener()
    for filler in fillers:
        filler.close()

    class Late(Server):
        def _accept(self):
            time.sleep(0.3)
            super()._accept()
    with Late(answers(), listener=listener) as server:
        summary, _ = run(scenario(server, "{ users: 8, iterations: 80 }", ", connections: 8"))
        assert summary["totals"]["ok"] == 80, errors(summary)


def test_descriptors_told_before_the_run():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    with Server(answers()) as server:
        with Run(scenario(server, "{ users: 200, for: 1s }"), "-w", 1, preexec_fn=few) as process:
            process.end(2)
        assert "200 connections in one worker" in process.err and "raise it to 264" in process.err, process.err
        assert server.connections == 0
        with Run(scenario(server, "{ users: 30, for: 1s }"), "-w", 1, preexec_fn=few) as process:
            process.end(0)


if __name__ == "__main__":
    main(globals())
