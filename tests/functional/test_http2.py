"""HTTP/2 against real servers: what squall counts is what their logs hold; the version that TLS agrees on; long bodies
both ways in bounded memory; no stream of a connection starves."""
import collections
import json
import os
import re
import shutil
import socket
import sys
import threading
import time

from certificates import Authority
from harness import SQUALL, Nginx, Process, Target, accepts, free_port, main, missing, need, scratch, squall, wait_until
from proof import Run, errors, lines_in, only, run
from servers import Server, answers

JOURNEYS = 2000
LOAD = ("-u", 60, "-c", 3, "-n", JOURNEYS)
farm = Authority("h2-farm")
farm.issue("good")
PEM = farm.path("good.pem")


def folder(name):
    path = scratch(f"{name}-{time.monotonic_ns()}")
    os.mkdir(path)
    os.chmod(path, 0o777)
    return path


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Listening(Process):
    """A server in the foreground on a port, in a folder of its own."""

    def __init__(self, argv, port, where, **options):
        super().__init__(argv, cwd=where, **options)
        self.port, self.folder = port, where
        try:
            wait_until(lambda: accepts(port) or self.child.poll() is not None, f"{argv[0]} to listen")
            assert self.child.poll() is None, self.child.stderr.read()
        except BaseException:
            self.child.kill()
            raise

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
        self.wait()


def many(url, *more):
    """A run of JOURNEYS over a few connections; all is well, and HTTP/2."""
    summary, _ = run(url, "-k", *LOAD, *more) if url.startswith("https") else run(url, *LOAD, *more)
    only(summary, ok=JOURNEYS)
    step, = summary["steps"]
    assert step["codes"] == {"200": JOURNEYS}, step
    metrics = {name: value for name, value in step["metrics"].items() if value}
    assert metrics == {"exchanges_h2": JOURNEYS}, step["metrics"]


def nginx_h2(more=""):
    port, secure = free_port(), free_port()
    nginx = Nginx(f"listen 127.0.0.1:{port} http2; listen 127.0.0.1:{secure} ssl http2; ssl_certificate {PEM}; "
                  f"ssl_certificate_key {PEM}; {more}")
    return nginx, f"http://127.0.0.1:{port}/", f"https://127.0.0.1:{secure}/"


def test_nginx():
    nginx, plain, secure = nginx_h2()
    with nginx:
        many(plain, "--h2")
        many(secure)
        only(run(secure, "-k", "--h1", *LOAD)[0], ok=JOURNEYS)
        log = nginx.stop().access()
    requests = [row["request"] for row in log]
    assert requests.count("GET / HTTP/2.0") == 2 * JOURNEYS and requests.count("GET / HTTP/1.1") == JOURNEYS, collections.Counter(requests)


def test_nghttpd():
    where, port = folder("nghttpd"), free_port()
    write(os.path.join(where, "index.html"), "hello")
    with Listening([need("nghttpd"), "-v", "--no-tls", "-d", where, str(port)], port, where) as server:
        seen = [] # it says every frame on stdout, so somebody must read
        reader = threading.Thread(target=lambda: seen.extend(re.findall(r":method: (\w+)", server.child.stdout.read())), daemon=True)
        reader.start()
        many(f"http://127.0.0.1:{port}/", "--h2")
        server.child.terminate()
        reader.join(20)
    assert seen == ["GET"] * JOURNEYS, len(seen)


def test_h2o():
    where, port, secure = folder("h2o"), free_port(), free_port()
    write(os.path.join(where, "index.html"), "hello")
    config = write(os.path.join(where, "h2o.conf"), f"""
listen: {{ host: 127.0.0.1, port: {port} }}
listen: {{ host: 127.0.0.1, port: {secure}, ssl: {{ certificate-file: "{PEM}", key-file: "{PEM}" }} }}
access-log: {{ path: "{where}/access.log", format: "%H %s" }}
hosts: {{ default: {{ paths: {{ "/": {{ file.dir: "{where}" }} }} }} }}
num-threads: 1
""" + ("user: root\n" if os.geteuid() == 0 else ""))
    with Listening([need("h2o"), "-c", config], port, where):
        many(f"http://127.0.0.1:{port}/", "--h2")
        many(f"https://127.0.0.1:{secure}/")
    with open(os.path.join(where, "access.log"), encoding="utf-8") as log:
        assert log.read().split("\n") == ["HTTP/2 200"] * (2 * JOURNEYS) + [""]


def test_caddy():
    where, port, secure = folder("caddy"), free_port(), free_port()
    config = write(os.path.join(where, "Caddyfile"), f"""{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2 h2c
    }}
    log default {{
        output discard
    }}
}}
http://127.0.0.1:{port} {{
    log {{
        output file {where}/access.log
    }}
    respond "hello"
}}
https://127.0.0.1:{secure} {{
    tls {PEM} {PEM}
    log {{
        output file {where}/access.log
    }}
    respond "hello"
}}
""")
    environment = {**os.environ, "HOME": where, "XDG_DATA_HOME": where, "XDG_CONFIG_HOME": where}
    with Listening([need("caddy"), "run", "--config", config, "--adapter", "caddyfile"], port, where, env=environment):
        many(f"http://127.0.0.1:{port}/", "--h2")
        many(f"https://127.0.0.1:{secure}/")
    with open(os.path.join(where, "access.log"), encoding="utf-8") as log:
        versions = [json.loads(line)["request"]["proto"] for line in log]
    assert versions == ["HTTP/2.0"] * (2 * JOURNEYS), len(versions)


def test_haproxy():
    """In front of the target: both ends of the proxy count."""
    where, port, secure = folder("haproxy"), free_port(), free_port()
    with Target() as target:
        config = write(os.path.join(where, "haproxy.cfg"), f"""
global
    maxconn 200
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend plain
    bind 127.0.0.1:{port} proto h2
    default_backend target
frontend secure
    bind 127.0.0.1:{secure} ssl crt {PEM} alpn h2,http/1.1
    default_backend target
backend target
    server one 127.0.0.1:{target.port}
""")
        with Listening([need("haproxy"), "-db", "-f", config], port, where):
            many(f"http://127.0.0.1:{port}/", "--h2")
            many(f"https://127.0.0.1:{secure}/")
        assert len(target.stop().log()) == 2 * JOURNEYS


def test_hypercorn():
    where, port, secure = folder("hypercorn"), free_port(), free_port()
    write(os.path.join(where, "app.py"), """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
""")
    python = "/usr/bin/python3" if os.path.exists("/usr/lib/python3/dist-packages/hypercorn") else sys.executable
    if shutil.which(python) is None or os.system(f"{python} -c 'import hypercorn' 2>/dev/null") != 0:
        missing("hypercorn")
    argv = [python, "-m", "hypercorn", "app:app", "--insecure-bind", f"127.0.0.1:{port}", "--bind", f"127.0.0.1:{secure}",
            "--certfile", PEM, "--keyfile", PEM, "--access-logfile", f"{where}/access.log", "--access-logformat", "%(H)s %(s)s"]
    with Listening(argv, port, where):
        many(f"https://127.0.0.1:{secure}/")
        only(run(f"http://127.0.0.1:{port}/", "--h2", "-u", 20, "-c", 2, "-n", 500)[0], ok=500)
        wait_until(lambda: lines_in(f"{where}/access.log") >= JOURNEYS + 500, "the log")
    with open(os.path.join(where, "access.log"), encoding="utf-8") as log:
        lines = collections.Counter(line.split("] ")[-1] for line in log)
    assert lines == {"2 200\n": JOURNEYS + 500}, lines


def test_target():
    with Target() as target:
        many(target.url("/?delay=2ms"), "--h2")
        assert len(target.stop().log()) == JOURNEYS


# ---- which version ----

def test_spoken_to_in_another_way():
    """Plain HTTP/1.1 to a port of TLS, and to one of HTTP/2 alone: the error list says what to try."""
    def sends(bytes_of_the_answer):
        def handler(peer):
            peer.request()
            peer.send(bytes_of_the_answer)
            peer.drain()
        return Server(handler)

    nginx, _, secure = nginx_h2()
    with nginx, sends(b"\x15\x03\x03\x00\x02\x02\x46") as alert, sends(b"\0\0\0\4\0\0\0\0\0") as settings:
        for number, words in ((secure.split(":")[2].rstrip("/"), "rejected: 400 Bad Request, with a text that speaks of HTTPS; try https://"),
                              (alert.port, "malformed: not an HTTP/1.x answer: it begins like TLS; try https://"),
                              (settings.port, "malformed: not an HTTP/1.x answer: it begins like HTTP/2; try --h2")):
            summary, process = run(f"http://127.0.0.1:{number}/", "-u", 1, "-n", 3, quiet=False)
            text = "".join(error["text"] for error in summary["errors"])
            assert words in text and "".join(words.split()) in "".join(process.out.split()), (number, text, process.out)
            assert summary["totals"]["ok"] == 0, summary["totals"]


AGREED_LESS = "exchanges over HTTP/1.1, since the server did not agree to HTTP/2 (ALPN)"


def notes(summary):
    return [note for note in summary["generator"]["notes"] if "HTTP/" in note]


def said_on_screen(process, note):
    return "".join(note.split()) in "".join(process.out.split())


def relay(*ports):
    """A server whose connections go to these ports by turns."""
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one of both went away

    def handler(peer):
        with socket.create_connection(("127.0.0.1", ports[peer.number % len(ports)])) as other:
            back = threading.Thread(target=pump, args=(other, peer.socket), daemon=True)
            back.start()
            pump(peer.socket, other)
            back.join(60)
    return Server(handler)


def test_agreement_is_noted():
    """HTTP/2 was offered: a note says on how many exchanges it was not agreed to, and there is none where it was, or was
    not offered."""
    nginx, _, secure = nginx_h2()
    h2_port = int(secure.split(":")[2].rstrip("/"))
    with nginx, Server(answers(), tls=farm.server("good", alpn=["http/1.1"])) as h1:
        for url, flags, noted in ((secure, (), 0), (secure, ("--h1",), 0), (h1.url(), ("--h1",), 0), (h1.url(), (), 40)):
            summary, process = run(url, "-k", "-u", 4, "-c", 2, "-n", 40, *flags, quiet=False)
            only(summary, ok=40)
            said = notes(summary)
            assert said == ([f"target 127.0.0.1: {noted} of 40 {AGREED_LESS}"] if noted else []), (url, flags, said)
            assert all(said_on_screen(process, note) for note in said), process.out
        with relay(h2_port, h1.port) as both:
            summary, process = run(f"https://127.0.0.1:{both.port}/", "-k", "-u", 4, "-c", 2, "-n", 40, quiet=False)
            only(summary, ok=40)
            metrics = summary["steps"][0]["metrics"]
            assert metrics["exchanges_h1"] > 0 and metrics["exchanges_h2"] > 0, metrics
            assert metrics["exchanges_h1"] + metrics["exchanges_h2"] == 40, metrics
            note, = notes(summary)
            assert note == f"target 127.0.0.1: {metrics['exchanges_h1']} of 40 {AGREED_LESS}", note
            assert said_on_screen(process, note), process.out


def test_agreement():
    def tls(alpn):
        return farm.server("good", alpn=alpn)

    def exchanges(summary):
        return {name: value for name, value in summary["steps"][0]["metrics"].items() if value}
    with Server(answers(), tls=tls(["http/1.1"])) as server:
        summary, _ = run(server.url(), "-k", "-u", 2, "-n", 10)
        only(summary, ok=10)
        assert exchanges(summary) == {"exchanges_h1": 10}, summary["steps"]
        process = squall("run", server.url(), "-k", "--h2", "-u", 1, "-n", 1)
        assert process.returncode == 3 and "did not agree to HTTP/2 (ALPN)" in process.err, process.err
    with Server(answers(), tls=tls(None)) as server:
        only(run(server.url(), "-k", "-u", 2, "-n", 10)[0], ok=10)
        process = squall("run", server.url(), "-k", "--h2", "-u", 1, "-n", 1)
        assert process.returncode == 3 and "did not agree to HTTP/2 (ALPN)" in process.err, process.err
    with Server(answers()) as server: # prior knowledge that is wrong
        server.handler = lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").drain()
        process = squall("run", server.url(), "--h2", "-u", 1, "-n", 1)
        assert process.returncode == 3 and "it takes no HTTP/2 on this port" in process.err, process.err


def test_flags():
    with Target() as target:
        process = squall("run", target.url(), "--h1", "--h2", "-n", 1)
        assert process.returncode == 2 and "given twice" in process.err, process.err
        process = squall("run", target.url(), "--streams", 0, "-n", 1)
        assert process.returncode == 2 and "streams" in process.err, process.err
        shown = squall("run", target.url(), "--help").out
        assert "--h1" in shown and "--h2" in shown and "--streams N" in shown, shown


# ---- streams ----

def scenario(url, options, flow, load="{ users: 20, for: 60s }"):
    path = scratch(f"scenario-{time.monotonic_ns()}.yaml")
    return write(path, f"squall: 1\ntargets: {{ api: {{ url: \"{url}\", {options} }} }}\nload: [ {load} ]\ndrain: 30s\nflow:\n{flow}")


def test_capacity():
    """More users than streams: the rest waits for a slot, which is latency and the phase `wait`, and no service time."""
    with Target("--delay", "20ms") as target:
        summary, _ = run(target.url(), "--h2", "--streams", 5, "-c", 1, "-u", 20, "-n", 200)
        only(summary, ok=200)
        most = overlapping(target.stop().log())
    step, = summary["steps"]
    assert most <= 5, most
    assert step["latency_ns"]["p50"] > max(70e6, 2 * step["service_ns"]["min"]), step
    assert step["phases_ns"]["wait"]["p50"] > 50e6, step["phases_ns"]


def overlapping(log):
    moments = sorted([(line["arrival_ns"], 1) for line in log] + [(line["answer_ns"], -1) for line in log])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def test_fairness():
    """One connection, many users, answers that take several windows: everybody gets about as much as the others."""
    with Target(log=False) as target:
        path = scenario(target.url(""), "http: h2, connections: 1, streams: 50, window: 64KiB, connection-window: 64KiB",
                        "  - http: GET /?size=200000\n", "{ users: 50, for: 2s }")
        with Run(path, raw=True) as process:
            process.end()
        summary = process.summary()
        assert summary["totals"]["ok"] == summary["totals"]["begun"] > 0, errors(summary)
        each = {}
        for line in process.raw():
            each[line["user"]] = each.get(line["user"], 0) + 1
    # In turn, but for those whose answers come together, and for the end: a tenth of a share is far from starving.
    share = sum(each.values()) / 50
    assert len(each) == 50 and max(each.values()) - min(each.values()) <= max(2, share / 10), sorted(each.values())


def test_everything():
    """The same scenario, whatever the version: templates, fields, checks, saves, a body, a status that is expected."""
    flow = ('  - http: POST /echo\n    name: echo\n    headers: { X-Id: "${iteration}", Connection: close, Host: other.example }\n'
            '    body: "hello ${user.id}"\n    save: { what: body }\n'
            '    check: { ok: status == 200, long: size(body) > 6, length: header("Content-Length") != null }\n'
            '  - http: HEAD /?size=1000\n    check: { empty: size(body) == 0 }\n'
            '  - http: GET ?status=204\n    expect: 204\n'
            '  - http: GET /?status=503\n    name: busy\n')
    with Target() as target:
        found = {}
        for version in ("h1", "h2"):
            summary, _ = run(scenario(target.url(""), f"http: {version}, connections: per-user", flow), "-n", 100)
            only(summary, ok=300, rejected=100)
            assert all(check["failed"] == 0 and check["passed"] == 100 for check in summary["checks"]), summary["checks"]
            found[version] = [(step["name"], step["codes"]) for step in summary["steps"]]
        assert found["h1"] == found["h2"], found
        log = target.stop().log()
    assert len(log) == 800, len(log)


# ---- long bodies ----

def peak_kib(process):
    """The most memory that a worker of a run has held so far; 0: there is none yet, or any more."""
    most = 0
    with open(f"/proc/{process.child.pid}/task/{process.child.pid}/children", encoding="ascii") as children:
        for pid in children.read().split():
            with open(f"/proc/{pid}/status", encoding="ascii") as text:
                most = max(most, int(re.search(r"VmHWM:\s+(\d+) kB", text.read()).group(1)))
    return most


def watched(*arguments):
    """A run to its end, and its worker's peak memory shortly before. One that was over before it was looked at is run again."""
    for _ in range(10):
        most = 0
        with Run(*arguments) as process:
            while process.child.poll() is None:
                try:
                    most = max(most, peak_kib(process))
                except (OSError, AttributeError):
                    pass # it is ending
                time.sleep(0.01)
            process.end()
        if most > 0:
            return process.summary(), most
    raise AssertionError("no run was long enough to be looked at")


SMALL_KIB = 80 << 10 # sanitizers aside: a run of one user holds about a quarter of that


def bounded(kib):
    with open(shutil.which(SQUALL), "rb") as program:
        return kib < SMALL_KIB or b"__asan_init" in program.read()


def test_100_mib_down():
    with Target(log=False) as target:
        summary, kib = watched(target.url("/?size=100MiB"), "--h2", "-u", 1, "-n", 1, "--timeout", "100s")
        only(summary, ok=1)
        assert summary["totals"]["bytes_in"] > 100 << 20 and bounded(kib), (summary["totals"], kib)
        summary, kib = watched(target.url("/?size=20MiB"), "--h2", "-u", 5, "-c", 1, "-n", 5, "--timeout", "100s")
        only(summary, ok=5)
        assert summary["totals"]["bytes_in"] > 100 << 20 and bounded(kib), (summary["totals"], kib)


def test_100_mib_up():
    """34 requests of 3 MiB, all at once on one connection."""
    body = "0123456789abcdef" * (3 << 16)
    with Target(log=False) as target:
        path = scenario(target.url(""), "http: h2, connections: 1, timeout: 100s", f"  - http: POST /drop\n    body: \"{body}\"\n", "{ users: 34, for: 60s }")
        summary, kib = watched(path, "-n", 34)
        only(summary, ok=34)
        assert summary["totals"]["bytes_out"] > 34 * len(body) > 100 << 20 and bounded(kib), (summary["totals"], kib)


if __name__ == "__main__":
    main(globals())
