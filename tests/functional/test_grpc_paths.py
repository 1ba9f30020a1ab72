"""gRPC by other ways than straight to the server: through nginx and haproxy as gRPC proxies, and over TLS, with a client's
certificate too. Counts agree with the server's, streams stay streams."""
import os
import signal

from certificates import Authority
from harness import Process, accepts, free_port, main, need, scratch, squall, squall_run, wait_until
import grpc_servers
from test_grpc import CASES, judge, scenario

# A proxy answers for a server that it does not reach, and ends a call in its own words when the client goes away.
THROUGH = [case for case in CASES if case[0] not in ("cancel_after_begin",)]

NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port} http2;
        client_max_body_size 16m;
        location / {{ grpc_pass grpc://127.0.0.1:{behind}; }}
    }}
}}
"""
HAPROXY = """defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port} proto h2
    default_backend back
backend back
    server one 127.0.0.1:{behind} proto h2
"""


def through(name, config, argv):
    folder = scratch(name)
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    path, port = os.path.join(folder, "conf"), free_port()
    with grpc_servers.grpcpp() as server:
        with open(path, "w", encoding="utf-8") as text:
            text.write(config.format(folder=folder, port=port, behind=server.port))
        with Process(argv(folder, path)) as proxy:
            try:
                wait_until(lambda: accepts(port) or proxy.child.poll() is not None, f"{name} to listen")
                for engine in ("", "engine: core, "):
                    judge(squall_run("--trust", "off", scenario(port, engine + "proto: interop.proto", THROUGH)), THROUGH)
                summary = squall_run("--trust", "off", f"grpc://127.0.0.1:{port}/interop.Interop/Unary", "-r", "200/s", "-n", 100, "-c", 2)
                assert summary["totals"]["ok"] == 100, summary["totals"]
            finally:  # nginx's master ends its workers, and nobody else does
                if proxy.child.poll() is None:
                    proxy.signal(signal.SIGTERM)
                proxy.wait()


def test_nginx():
    program = need("nginx")
    through("nginx", NGINX, lambda folder, path: [program, "-p", folder, "-c", path])


def test_haproxy():
    program = need("haproxy")
    through("haproxy", HAPROXY, lambda folder, path: [program, "-f", path])


def over_tls(authority, port, options, *flags, expect=0, host=None, command="run", patience="1s"):
    """By name, but on gRPC core by address: Debian's c-ares leaks ten bytes each time that it is asked for localhost."""
    host = host or ("127.0.0.1" if "core" in options else "localhost")
    options += "" if "connections" in options else ", connections: 4"
    patience = patience if expect else "20s"  # what is refused is asked for again until then
    path = authority.write("tls.yaml", f'squall: 1\ntargets: {{ s: {{ url: "grpcs://{host}:{port}", connect-timeout: {patience}{options} }} }}\n'
                           "load: [ { hold: 200/s, for: 100ms } ]\nflow: [ { grpc: interop.Interop/Unary } ]\n")
    done = squall(command, path, *flags, *(["--trust", "off"] if command == "run" else []))
    assert done.returncode == expect, (options, done.returncode, done.out, done.err)
    return done


def judge_tls(engine):
    """Whom to trust, what to show, which name: the same keys mean the same on both engines."""
    authority = Authority("grpc" + engine[-4:])
    server_pem = authority.issue("localhost")
    authority.issue("named", names="DNS:elsewhere.test")
    authority.issue("client")
    authority.issue("user1")
    with grpc_servers.grpcpp("--cert", server_pem, "--key", server_pem) as server:
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem }")
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem }", host="127.0.0.1")
        over_tls(authority, server.port, engine + ", tls: { ca: localhost.pem }")  # its own certificate
        over_tls(authority, server.port, engine + ", authority: other.test, tls: { ca: root.pem }")
        over_tls(authority, server.port, engine + ", tls: { insecure: true }")
        over_tls(authority, server.port, engine, "-k")
        assert "certificate" in over_tls(authority, server.port, engine, expect=3, patience="4s").err
        assert "not there" in over_tls(authority, server.port, engine + ", tls: { ca: none.pem }", expect=2).err
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem }", "--reflect", command="check")
        assert server.stop() == 120
    with grpc_servers.grpcpp("--cert", authority.path("named.pem"), "--key", authority.path("named.pem")) as server:
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem, server-name: elsewhere.test }")
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem }", expect=3)
        assert server.stop() == 20
    with grpc_servers.grpcpp("--cert", server_pem, "--key", server_pem, "--client-ca", authority.path("root.pem")) as server:
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem, cert: client.pem }")
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem, cert: client.crt, key: client.key }")
        per_user = over_tls(authority, server.port, engine + ', connections: per-user, tls: { ca: root.pem, cert: "user${user.id}.pem" }',
                            "--users", 1, "-n", 20)
        assert "20 ok" in per_user.out, per_user.out
        over_tls(authority, server.port, engine + ", tls: { ca: root.pem }", expect=3)
        assert server.stop() == 60


def test_tls():
    judge_tls("")


def test_tls_of_the_core_engine():
    judge_tls(", engine: core")
    authority = Authority("refused")
    authority.issue("any")
    for key in ("crl: any.pem", "min-version: 1.3", "session-reuse: true"):
        refused = over_tls(authority, 1, f", engine: core, tls: {{ {key} }}", expect=2, command="check")
        assert "not with engine: core" in refused.err, refused.err


if __name__ == "__main__":
    main(globals())
