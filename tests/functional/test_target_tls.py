"""squall target over TLS: its certificate, what it agrees on by ALPN, and the same answers and log as without."""
import socket
import ssl
import time

from certificates import Authority
from frames import Frames
from harness import WAIT_S, Target, Wire, counts_match_log, main, squall


def trusting(pem=None, alpn=()):
    """A client's context that trusts this certificate alone, or any."""
    context = ssl.create_default_context(cadata=pem) if pem else ssl._create_unverified_context()  # pylint: disable=protected-access
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def wire(target, context, name="localhost"):
    one = Wire(target.port)
    one.socket = context.wrap_socket(one.socket, server_hostname=name)
    return one


def frames(target):
    return Frames(target.port, wrap=trusting(alpn=["h2"]).wrap_socket)


def test_a_certificate_of_its_own_making():
    with Target("--tls") as target:
        pem = ssl.get_server_certificate(("127.0.0.1", target.port))
        for name in ("localhost", "127.0.0.1"):
            with wire(target, trusting(pem), name) as one:
                assert one.get("/?size=5")[2] == b"xxxxx"
        counts_match_log(target.stop())


def test_certificates_from_files():
    farm = Authority()
    farm.issue("server")
    with open(farm.path("root.pem"), encoding="ascii") as root:
        pem = root.read()
    for flags in (("--cert", farm.path("server.pem")), ("--cert", farm.path("server.crt"), "--key", farm.path("server.key"))):
        with Target(*flags) as target, wire(target, trusting(pem)) as one:
            assert one.get("/")[0] == 200
            counts_match_log(target.stop())
    for flags, words in ((("--cert", "/nowhere.pem"), "--cert /nowhere.pem: holds no certificate"),
                         (("--cert", farm.path("server.crt")), "holds no private key"),
                         (("--key", farm.path("server.key")), "without a certificate")):
        refused = squall("target", "--listen", "127.0.0.1:0", *flags)
        assert refused.returncode == 2 and words in refused.err, (refused.returncode, refused.err)


def test_alpn():
    """(--alpn, what the client offers, what is agreed on; "refused": the handshake fails)"""
    rows = ((None, ["h2", "http/1.1"], "h2"), (None, ["http/1.1", "h2"], "h2"), (None, ["http/1.1"], "http/1.1"), (None, [], None),
            (None, ["spdy/3"], "refused"), ("http/1.1", ["h2", "http/1.1"], "http/1.1"), ("http/1.1", ["h2"], "refused"),
            ("h2", ["http/1.1"], "refused"), ("", ["h2", "http/1.1"], None))
    for flag, offered, agreed in rows:
        with Target("--tls", *(("--alpn", flag) if flag is not None else ())) as target:
            try:
                with socket.create_connection(("127.0.0.1", target.port), timeout=WAIT_S) as plain:
                    result = trusting(alpn=offered).wrap_socket(plain).selected_alpn_protocol()
            except ssl.SSLError as problem:
                assert "no application protocol" in str(problem), problem
                result = "refused"
            assert result == agreed, (flag, offered, result)
            target.stop()
            assert target.counts()["malformed"] == (agreed == "refused"), target.out


def test_both_versions():
    big = bytes(range(256)) * 4096
    with Target("--tls") as target:
        with wire(target, trusting()) as one, frames(target) as two:
            assert len(one.get("/?size=5MiB")[2]) == 5 << 20
            one.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {len(big)}\r\n\r\n").send(big)
            assert one.answer()[2] == big
            assert len(two.get("/?size=5MiB").body) == 5 << 20
            assert two.get("/echo", big, method="POST").body == big
            assert one.get("/?close=1")[0] == 200 and one.at_end()
            assert two.get("/?close=1").status == 200
            two.read_to_end()
        with frames(target) as two:
            two.request("/?reset=1")
            two.read_to_end()
        # Agreed on nothing, it may still speak either: the first bytes tell.
        with Frames(target.port, wrap=trusting().wrap_socket) as two:
            assert two.get("/").status == 200
        log = counts_match_log(target.stop())
    assert [line["outcome"] for line in log].count("reset") == 1 and len(log) == 8


def test_many_requests_in_one_record():
    with Target("--tls") as target, wire(target, trusting()) as one:
        one.send("GET / HTTP/1.1\r\nHost:\r\n\r\n" * 20000)
        for _ in range(20000):
            assert one.answer()[0] == 200
        counts_match_log(target.stop())


def test_clients_that_never_finish_a_handshake():
    with Target("--tls") as target:
        silent = socket.create_connection(("127.0.0.1", target.port))
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 70000):
            with Wire(target.port) as plain:
                plain.send(text)
                try:
                    while plain.socket.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        with frames(target) as two:
            assert two.get("/").status == 200
        silent.close()
        target.stop()
    counts = target.counts()
    assert (counts["connections"], counts["arrived"], counts["malformed"]) == (4, 1, 2), counts


def test_a_stall_holds_handshakes_too():
    with Target("--tls") as target:
        with wire(target, trusting()) as one:
            one.send("GET /?stall=500ms HTTP/1.1\r\nHost: a\r\n\r\n")
            began = time.monotonic()
            with wire(target, trusting()) as late:
                # The other one's request may not have been read yet, so only a bound from one side is sure.
                assert late.get("/")[0] == 200
            assert one.answer()[0] == 200
            assert time.monotonic() - began >= 0.45
        log = counts_match_log(target.stop())
    stalled, late = sorted(log, key=lambda line: "stall" not in line["label"])
    assert late["arrival_ns"] < stalled["arrival_ns"] or late["arrival_ns"] - stalled["arrival_ns"] >= 500_000_000, log


main(globals())
