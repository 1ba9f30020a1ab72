"""What connections cost: CPU of a TLS 1.3 request on a kept connection, against wrk; memory of an idle connection.

nginx serves both; numbers are printed, and none is judged here: they are for comparing two builds on one quiet machine.
SQUALL_BIN names the program. `connections.py [connections]`, 5,000 of them for the memory without an argument.
"""
import os
import re
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "functional", "lib"))
from certificates import Authority  # noqa: E402
from harness import SQUALL, Process, accepts, free_port, need, scratch, wait_until  # noqa: E402

SECONDS = 5
CONNECTIONS = 64
CONFIG = """daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    ssl_certificate {folder}/server.crt;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.3;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        location / {{ return 200 "{body}"; }}
    }}
}}
"""


def cpu_of_child(argv):
    """(output, CPU seconds of the child and all of its own)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout + done.stderr, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def squall_cost(url):
    path = scratch(f"bench-{time.monotonic_ns()}.json")
    argv = [SQUALL, "run", "-u", str(CONNECTIONS), "-w", "1", "-d", f"{SECONDS}s", "--trust", "off", "--quiet", "--out", path, url]
    _, cpu = cpu_of_child(argv + (["-k"] if url.startswith("https") else []))
    with open(path, encoding="utf-8") as text:
        count = int(re.search(r'"ok": ?(\d+)', text.read()).group(1))
    return count / SECONDS, cpu / count * 1e6


def wrk_cost(url):
    out, cpu = cpu_of_child([need("wrk"), "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", url])
    count = int(re.search(r"(\d+) requests in", out).group(1))
    return count / SECONDS, cpu / count * 1e6


def worker_memory(url, connections):
    """Resident bytes of one worker that holds so many idle connections: users that think for the whole run."""
    path = scratch(f"idle-{time.monotonic_ns()}.yaml")
    tls = ", tls: { insecure: true }" if url.startswith("https") else ""
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'squall: 1\ntargets: {{ a: {{ url: "{url}", connect-timeout: 30s{tls} }} }}\n'
                  f"load: [ {{ users: {connections}, for: 6s }} ]\nflow: [ {{ think: 1s }}, {{ http: GET / }}, {{ think: 60s }} ]\n")
    with Process([SQUALL, "run", path, "-w", "1", "--trust", "off", "--drain", "0s"]) as process:
        for line in process.child.stderr:
            if re.match(r"\d+s .*", line) and int(line.split("s ", 1)[0]) >= 5:
                break
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as text:
            worker = text.read().split()[0]
        with open(f"/proc/{worker}/status", encoding="ascii") as text:
            resident = int(re.search(r"VmRSS:\s+(\d+) kB", text.read()).group(1)) * 1024
        process.child.kill()
    return resident


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    farm = Authority("bench")
    farm.issue("server")
    plain, tls = free_port(), free_port()
    config = farm.write("nginx.conf", CONFIG.format(folder=farm.folder, plain=plain, tls=tls, body="x" * 128))
    with Process([need("nginx"), "-p", farm.folder, "-c", config]) as nginx:
        wait_until(lambda: accepts(tls) or nginx.child.poll() is not None, "nginx")
        for scheme, port in (("http", plain), ("https", tls)):
            url = f"{scheme}://127.0.0.1:{port}/"
            for name, cost in (("squall", squall_cost), ("wrk", wrk_cost), ("squall", squall_cost), ("wrk", wrk_cost)):
                rate, micros = cost(url)
                print(f"{scheme:5} {name:6} {rate:9.0f}/s  {micros:6.2f} us CPU a request", flush=True)
            few, many = worker_memory(url[:-1], 100), worker_memory(url[:-1], count + 100)
            print(f"{scheme:5} memory {(many - few) / count / 1024:6.2f} KiB a user with its idle connection ({count} of them)", flush=True)
        nginx.signal(15)  # its master ends the workers; killed, it would leave them behind
        nginx.wait()


if __name__ == "__main__":
    main()
