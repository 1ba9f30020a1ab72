"""What the functional tests share: the program under test, its target, nginx, and raw HTTP over a socket.

Everything listens on loopback, lives in a temporary folder of its own, and is stopped by its own pid.
Environment: SQUALL_BIN, the program; CI, where a missing tool is a failure and not a skip.
"""
import atexit
import importlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SQUALL = os.environ.get("SQUALL_BIN", "squall")
WAIT_S = 60.0  # for what must happen soon; sanitizer builds on a busy machine are slow
_scratch = None


def scratch(name=""):
    """A path in this test's own temporary folder, which is removed at the end."""
    global _scratch
    if _scratch is None:
        _scratch = tempfile.mkdtemp(prefix="squall-test-")
        os.chmod(_scratch, 0o755)
        atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
    return os.path.join(_scratch, name)


def missing(what):
    """Without it the test is skipped, or fails in CI."""
    if os.environ.get("CI"):
        sys.exit(f"FAIL: {what} is missing")
    print(f"SKIP: {what} is missing")
    sys.exit(77)


def need(tool):
    """The path of a tool; without it the test is skipped, or fails in CI."""
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or missing(tool)


def need_module(name):
    """A module of Python's. Debian's packages are for its own interpreter, which need not be the one that PATH finds: then
    the test starts again with that one. Without the module it is skipped, or fails in CI."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    debian = "/usr/bin/python3"
    if os.path.realpath(sys.executable) != os.path.realpath(debian) and os.path.exists(debian):
        os.execv(debian, [debian, *sys.argv])
    if os.environ.get("CI"):
        sys.exit(f"FAIL: Python's {name} is missing")
    print(f"SKIP: Python's {name} is missing")
    sys.exit(77)


def _ephemeral_ports():
    """The ports that the kernel gives to connections and to servers that leave the choice to it."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
            first, last = map(int, text.read().split())
            return range(first, last + 1)
    except OSError:
        return range(32768, 61000)


_reserved = []


def free_port():
    """A port for servers that cannot pick one themselves, and for nobody else until this test ends: none of those that the
    kernel gives away meanwhile, and reserved among all tests that run at once by a name in the abstract namespace, which the
    kernel frees with its process."""
    given_away = _ephemeral_ports()
    ports = [port for port in range(10000, 65000) if port not in given_away] or list(range(10000, 65000))
    for port in random.SystemRandom().sample(ports, min(1000, len(ports))):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0squall-test-port-{port}")
            for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "127.0.0.1")):
                with socket.socket(family) as probe:
                    probe.bind((address, port))
        except OSError:
            name.close()
            continue
        _reserved.append(name)
        return port
    raise AssertionError("no port is free")


def wait_until(condition, what, seconds=WAIT_S):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A child that ends with its block, whatever happens in it."""

    def __init__(self, argv, **options):
        self.argv = argv
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.pid = self.child.pid
        self.out = self.err = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
        self.wait()

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=120):
        """The exit code; out and err are complete afterwards."""
        if not self.child.stdout.closed:
            out, err = self.child.communicate(timeout=seconds)
            self.out += out
            self.err += err
            # A worker's end is not in the exit code once it has sent its last word; what a sanitizer says of it counts.
            assert "Sanitizer" not in self.err and "runtime error:" not in self.err, f"{self.argv}: {self.err}"
        return self.child.returncode


class Target(Process):
    """`squall target` on a port of its own choice, unless one is given. log() reads its log after stop()."""

    def __init__(self, *flags, log=True, protocol=None, port=0):
        self.log_path = scratch(f"target-{time.monotonic_ns()}.jsonl") if log else None
        argv = [SQUALL, "target", *([protocol] if protocol else []), "--listen", f"127.0.0.1:{port}", *flags]
        super().__init__(argv + (["--log", self.log_path] if log else []))
        line = self.child.stdout.readline()
        self.out = line
        found = re.fullmatch(r"squall target listening on 127\.0\.0\.1:(\d+)\n", line)
        if not found:
            self.child.kill()
            raise AssertionError(f"{self.argv}: first line {line!r}, stderr {self.child.stderr.read()!r}")
        self.port = int(found.group(1))

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self, number=signal.SIGTERM):
        self.signal(number)
        code = self.wait()
        assert code == 0, f"target ended with {code}: {self.err}"
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def counts(self):
        """The numbers of the last line: {"connections": n, "arrived": n, "answered": n, ...}."""
        last = self.out.strip().splitlines()[-1]
        return {word: int(number) for number, word in
                re.findall(r"(\d+) (connections|arrived|answered|reset|aborted|malformed)", last)}


def counts_match_log(target):
    """What the last line says, what the log holds, and the identity between outcomes."""
    counts, log = target.counts(), target.log()
    assert counts["arrived"] == len(log), (counts, len(log))
    for outcome in ("answered", "reset", "aborted"):
        assert counts[outcome] == sum(line["outcome"] == outcome for line in log), (outcome, counts)
    assert counts["arrived"] == counts["answered"] + counts["reset"] + counts["aborted"]
    assert sorted(line["id"] for line in log) == list(range(1, len(log) + 1))
    for line in log:
        assert line["answer_ns"] >= line["arrival_ns"] > 0, line
        if line["outcome"] == "answered":
            assert line["answer_ns"] - line["arrival_ns"] >= line["delay_ns"], line
    return log


def squall(*arguments, seconds=120, **options):
    """Runs the program to its end: a finished Process with returncode, out and err. options: of subprocess.Popen."""
    with Process([SQUALL, *map(str, arguments)], **options) as process:
        process.returncode = process.wait(seconds)
        return process


def squall_run(*arguments, seconds=120, expect=0, **options):
    """`squall run ... --quiet --out x.json`; the summary, after checking the exit code (None: any)."""
    path = scratch(f"summary-{time.monotonic_ns()}.json")
    process = squall("run", *arguments, "--quiet", "--out", path, seconds=seconds, **options)
    assert expect is None or process.returncode == expect, \
        f"{process.argv}: exit {process.returncode}, wanted {expect}\n{process.out}{process.err}"
    with open(path, encoding="utf-8") as text:
        return json.load(text)


NGINX_CONFIG = """daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
    log_format exact '$msec $request_id $status $request_time $connection "$request"';
    access_log {folder}/access.log exact;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 1000000000; keepalive_timeout 600s;
    server {{
        listen 127.0.0.1:{port} backlog=511{tls};
        location / {{ return 200 "{body}"; }}
        {locations}
    }}
}}
"""


class Nginx(Process):
    """nginx in the foreground with a configuration of its own; `locations` is put into its one server.

    `tls`: a PEM file with its certificate and key.
    """

    def __init__(self, locations="", workers=1, body="x" * 128, prefix=(), port=None, tls=None, connections=4096):
        nginx = need("nginx")
        self.folder = scratch(f"nginx-{time.monotonic_ns()}")
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o777)
        self.port, self.scheme = port or free_port(), "https" if tls else "http"
        ssl = f" ssl; ssl_certificate {tls}; ssl_certificate_key {tls}" if tls else ""
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(NGINX_CONFIG.format(folder=self.folder, port=self.port, workers=workers, body=body,
                                          locations=locations, tls=ssl, connections=connections))
        super().__init__([*prefix, nginx, "-p", self.folder, "-c", config])
        try:
            wait_until(lambda: accepts(self.port) or self.child.poll() is not None, "nginx to listen")
            assert self.child.poll() is None, self.child.stderr.read()
        except BaseException:
            self.child.kill()
            raise

    def __exit__(self, *_):
        # Only its master may end the workers; killing the master would leave them behind.
        if self.child.poll() is None:
            for worker in self.workers():
                os.kill(worker, signal.SIGCONT)
            self.signal(signal.SIGTERM)
        self.wait()

    def url(self, path="/"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def freeze(self, seconds):
        """Stops its one worker for so long; what the time of it lies between, in ns."""
        worker, = self.workers()
        before = time.monotonic_ns()
        os.kill(worker, signal.SIGSTOP)
        after = time.monotonic_ns()
        time.sleep(seconds)
        last = time.monotonic_ns()
        os.kill(worker, signal.SIGCONT)
        return last - after, time.monotonic_ns() - before

    def workers(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as text:
            return [int(pid) for pid in text.read().split()]

    def stop(self):
        """Lets what is in flight end, then ends; the access log is complete afterwards."""
        self.signal(signal.SIGQUIT)
        self.wait()
        return self

    def access(self):
        """The access log, a dictionary a request."""
        rows = []
        with open(os.path.join(self.folder, "access.log"), encoding="utf-8", errors="replace") as lines:
            for line in lines:
                msec, request_id, status, seconds, connection, request = line.rstrip("\n").split(" ", 5)
                rows.append({"msec": float(msec), "id": request_id, "status": int(status), "seconds": float(seconds),
                             "connection": int(connection), "request": request.strip('"')})
        return rows


class Wire:
    """One TCP connection that speaks HTTP/1.1 just as the test writes it."""

    def __init__(self, port, timeout=WAIT_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def get(self, path, headers="", method="GET"):
        return self.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n").answer(head_only=method == "HEAD")

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the peer closed")
        self.input += data

    def _until(self, mark):
        while mark not in self.input:
            self._more()
        line, self.input = self.input.split(mark, 1)
        return line

    def _exactly(self, count):
        while len(self.input) < count:
            self._more()
        data, self.input = self.input[:count], self.input[count:]
        return data

    def answer(self, head_only=False):
        """(status, headers in lower case, body) of the next answer."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        body = b""
        if head_only or status < 200 or status in (204, 304):
            return status, headers, body
        if headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(self._until(b"\r\n"), 16)
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
                if size == 0:
                    return status, headers, body
        return status, headers, self._exactly(int(headers["content-length"]))

    def at_end(self):
        """True when the peer closes in order with nothing more to say; a reset raises ConnectionResetError."""
        return self.input == b"" and self.socket.recv(1) == b""


def main(tests):
    """Runs functions named test_*; prints each failure, and exits 1 when there was one."""
    failed = 0
    for name, test in list(tests.items()):
        if name.startswith("test_") and callable(test):
            try:
                test()
                print(f"ok   {name}", flush=True)
            except Exception as problem:  # pylint: disable=broad-except
                import traceback
                failed += 1
                print(f"FAIL {name}: {problem}", flush=True)
                traceback.print_exc()
    sys.exit(1 if failed else 0)
