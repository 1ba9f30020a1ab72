"""What the sections of `compare` share: the server, a measured run of a command, tables."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "functional", "lib"))
from certificates import Authority  # noqa: E402
from harness import Nginx, free_port, scratch  # noqa: E402



def items(size):
    """A JSON document of so many bytes, in which what is wanted stands near the end."""
    rows = [{"id": i, "name": f"item number {i}", "price": 0.5 + i * 1.25, "tags": ["new", "sale"],
             "stock": {"north": i * 7, "south": i * 3}} for i in range(1, 9)]
    document = {"note": "", "page": 1, "total": 10, "items": rows, "next": {"token": "c2FsdHkgdG9rZW4", "page": 2}}
    document["note"] = "x" * (size - len(json.dumps(document)))
    return json.dumps(document)


# Put into nginx's one server, which so listens on a second port, for TLS.
SERVER = """
        listen 127.0.0.1:{port} ssl backlog=511;
        ssl_certificate {folder}/server.crt;
        ssl_certificate_key {folder}/server.key;
        ssl_protocols TLSv1.3;
        access_log off;
        location = /bench {{ return 200 "{body}"; }}
        location /items {{ default_type application/json; return 200 '{items}'; }}
        location = /status {{ stub_status; }}
"""


def written(name, text):
    path = scratch(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Bench:
    """The server, the cores, and how a command is measured."""

    def __init__(self, options):
        self.options = options
        self.failed = False  # a command of some section
        cores = sorted(os.sched_getaffinity(0))
        self.client_core, self.server_core = cores[0], cores[-1]
        farm = Authority("bench")
        farm.issue("server")
        tls_port = free_port()
        server = SERVER.format(port=tls_port, folder=farm.folder, body="x" * 128, items=items(1024))
        self.nginx = Nginx(locations=server, prefix=("taskset", "-c", str(self.server_core)), connections=16000)
        self.url = self.nginx.url("/bench")
        self.tls_url = f"https://127.0.0.1:{tls_port}/bench"

    def served(self):
        """Requests that nginx has read since it started, this one included."""
        with urllib.request.urlopen(self.nginx.url("/status")) as answer:
            return int(answer.read().split()[9])

    def run(self, argv, timeout=None):
        """Runs a command on the client's core: requests served, CPU seconds, wall seconds. None when it failed."""
        before = self.served()
        result = self.spawn(argv, timeout)
        if result:
            result["requests"] = self.served() - before - 1
        return result

    def spawn(self, argv, timeout=None):
        """The same without the requests."""
        limit = timeout or self.options.seconds * 4 + 60
        argv = ["taskset", "-c", str(self.client_core), *map(str, argv)]
        start = time.monotonic()
        with open(scratch("output"), "w+b") as output:
            child = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=scratch(),
                                     start_new_session=True)
            usage = wait_bounded(child, start + limit)
            wall = time.monotonic() - start
            if child.returncode != 0:
                output.seek(0)
                print(f"{argv[3]} ended with {child.returncode}: {output.read()[-600:].decode(errors='replace')}", file=sys.stderr)
                self.failed = True
                return None
            output.seek(0)
            text = output.read().decode(errors="replace")
        return {"cpu": usage.ru_utime + usage.ru_stime, "user": usage.ru_utime, "wall": wall, "output": text}


def wait_bounded(child, deadline):
    """The resource usage of a child and of all that it waited for; killed past the deadline, with its whole session."""
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > deadline:
            os.killpg(child.pid, signal.SIGKILL)
        time.sleep(0.02)


def tool_path(bench, name):
    if name == "squall":
        return bench.options.squall if os.access(bench.options.squall, os.X_OK) else None
    if name in ("floor", "pacer"):
        path = os.path.join(bench.options.tools_dir, name)
        return path if os.access(path, os.X_OK) else None
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def median(values):
    return statistics.median(values) if values else float("nan")


def spread(values, form="{:.2f}"):
    return f"{form.format(min(values))} to {form.format(max(values))}" if values else "-"


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def present(bench, names):
    """The tools that are here; those that are not are named."""
    wanted = bench.options.only.split(",") if bench.options.only else list(names)
    found = [name for name in names if name in wanted and tool_path(bench, name)]
    missing = [name for name in names if name in wanted and name not in found]
    if missing:
        print(f"Not found, so not measured: {', '.join(missing)}.\n")
    return found


def slope(argv, measure):
    """What one more request costs: the difference of a long and a short run, so that starting up cancels out. `argv` gives
    the command for a scale."""
    runs = []
    for scale in (1, 4):
        runs.append(measure(argv(scale)))
        if not runs[-1]:
            return None
    requests = runs[1]["requests"] - runs[0]["requests"]
    return {key: (runs[1][key] - runs[0].get(key, 0)) / requests for key in runs[1] if key != "requests"}


def instructions(bench, argv):
    """Of all processes of a command, by callgrind."""
    folder = scratch(f"callgrind-{time.monotonic_ns()}")
    os.mkdir(folder)
    result = bench.run(["valgrind", "-q", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={folder}/%p", *argv], timeout=120)
    if not result:
        return None
    total = 0
    for file in os.listdir(folder):
        with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as text:
            total += sum(int(line.split()[1]) for line in text if line.startswith("totals:"))
    return {"requests": result["requests"], "instructions": total}
