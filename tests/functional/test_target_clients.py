"""squall target against clients that others have written: curl, nghttp, h2load and python3-h2, in the clear and over TLS. What
they say that they got is what the target's log says that it gave."""
import re
import socket
import ssl
import subprocess

from harness import Target, counts_match_log, main, missing, need

try:
    import h2.config
    import h2.connection
    import h2.events
except ImportError:
    missing("python3-h2")

COUNT = 3000


def tool(name, *arguments, data=None):
    done = subprocess.run([need(name), *arguments], input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def url(target, tls, path="/"):
    return f"{'https' if tls else 'http'}://127.0.0.1:{target.port}{path}"


def both(check):
    for tls in (False, True):
        with Target(*(["--tls"] if tls else [])) as target:
            check(target, tls)


def test_curl():
    def check(target, tls):
        version = ["--http2", "-k"] if tls else ["--http2-prior-knowledge"]
        common = ["-s", "-m", "30", *version, "-w", "\n%{http_version} %{http_code}"]
        for path, end in (("/?size=5", b"xxxxx\n2 200"), ("/?size=0&status=404", b"\n2 404"), ("/?hints=2&trailers=1&pad=7&size=3", b"xxx\n2 200")):
            assert tool("curl", *common, url(target, tls, path)) == end, path
        body = bytes(range(256)) * 3000
        assert tool("curl", *common, "--data-binary", "@-", url(target, tls, "/echo"), data=body) == body + b"\n2 200"
        assert len(tool("curl", *common, url(target, tls, "/?size=30MiB"))) == (30 << 20) + 6
        assert tool("curl", *common, "-I", url(target, tls, "/?size=9")).endswith(b"2 200")
        assert len(counts_match_log(target.stop())) == 6
    both(check)


def test_nghttp():
    def check(target, tls):
        out = tool("nghttp", "-v", "-n", *(url(target, tls, path) for path in ("/?delay=60ms", "/?size=70k", "/?fields=20k&push=0"))).decode()
        assert out.count("[ERROR]") == 0 and len(re.findall(r"recv .*:status: 200", out)) == 3, out
        assert len(counts_match_log(target.stop())) == 3
    both(check)


def test_h2load():
    def check(target, tls):
        out = tool("h2load", "-n", str(COUNT), "-c", "7", "-m", "20", url(target, tls, "/?delay=uniform(0,3ms)")).decode()
        assert f"{COUNT} succeeded, 0 failed, 0 errored, 0 timeout" in out and f"status codes: {COUNT} 2xx" in out, out
        log = counts_match_log(target.stop())
        assert len(log) == COUNT and {line["outcome"] for line in log} == {"answered"}
    both(check)


def test_python_h2():
    """A library that checks all that a server may not do."""
    def check(target, tls):
        wire = socket.create_connection(("127.0.0.1", target.port), timeout=20)
        if tls:
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
            context.set_alpn_protocols(["h2"])
            wire = context.wrap_socket(wire)
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        client.initiate_connection()
        wire.sendall(client.data_to_send())
        queries = ["/", "/?size=200k", "/?hints=2&trailers=3&pad=50", "/?fields=30k", "/?pace=1k@1ms&size=5k", "/?settings=3:50,4:100000",
                   "/?status=204", "/?delay=20ms"]
        for i, query in enumerate(queries):
            client.send_headers(2 * i + 1, [(":method", "GET"), (":path", query), (":scheme", "http"), (":authority", "a")], end_stream=True)
        ended = 0
        while ended < len(queries):
            wire.sendall(client.data_to_send())
            for event in client.receive_data(wire.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
                ended += isinstance(event, h2.events.StreamEnded)
        wire.close()
        log = counts_match_log(target.stop())
        assert [line["outcome"] for line in log] == ["answered"] * len(queries)
    both(check)


main(globals())
