"""The interop service (tests/servers/grpc) in its three implementations, each a child on a port of its own choice.

Environment: GRPC_SERVERS, the folder with the built grpc++ server and the descriptor set.
"""
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys

from harness import missing, need

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "..", "..", "servers", "grpc")
BUILT = os.environ.get("GRPC_SERVERS", "")
PROTO = os.path.join(SOURCES, "interop.proto")
PROTOSET = os.path.join(BUILT, "made", "interop.protoset")
MODULES = ["@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1"]


class GrpcServer:
    """Started in a block; `port` while it runs, `calls` (how many it served) after stop() or the block's end."""

    def __init__(self, argv):
        self.argv, self.port, self.calls = argv, None, None

    def __enter__(self):
        quiet = {**os.environ, "GRPC_VERBOSITY": "NONE"}  # each handshake that a test lets fail is a line otherwise
        self.child = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True, env=quiet)
        line = self.child.stdout.readline()
        found = re.match(r"listening (\d+)", line)
        if not found:
            self.child.kill()
            raise AssertionError(f"{self.argv[0]} did not start: {line!r}")
        self.port = int(found.group(1))
        return self

    @property
    def pid(self):
        return self.child.pid

    def url(self, path=""):
        return f"grpc://127.0.0.1:{self.port}{path}"

    def stop(self):
        """Ends it and returns how many calls it served."""
        if self.calls is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(signal.SIGTERM)
            try:
                out, _ = self.child.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                out, _ = self.child.communicate()
            found = re.search(r"calls (\d+)", out)
            self.calls = int(found.group(1)) if found else -1
        return self.calls

    def __exit__(self, *_):
        self.stop()


def grpcpp(*options):
    program = os.path.join(BUILT, "grpc_interop_server")
    if not BUILT or not os.path.exists(program):
        missing("the grpc++ server (grpc++ and protoc)")
    return GrpcServer([program, *options])


def grpcio():
    """By Debian's Python, which has the module; the test itself may run under another."""
    for python in ("/usr/bin/python3", sys.executable):
        if os.path.exists(python) and subprocess.run([python, "-c", "import grpc, google.protobuf"], capture_output=True).returncode == 0:
            return GrpcServer([python, os.path.join(SOURCES, "server.py"), PROTOSET])
    missing("Python's grpc")


def install_modules(npm, installed):
    """Once, beside the built server, whichever test comes first: the others wait for it. What was begun and not ended is not
    there, since the folder gets its name at the end."""
    with open(installed + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(installed):
            return
        made = installed + ".made"
        shutil.rmtree(made, ignore_errors=True)
        os.makedirs(made)
        done = subprocess.run([npm, "install", "--prefix", made, "--no-save", "--no-audit", "--no-fund", "--fetch-retries", "5",
                               "--fetch-timeout", "60000", *MODULES], capture_output=True, text=True, timeout=240, check=False)
        if done.returncode != 0:
            missing("grpc-js (npm said: " + done.stderr.strip()[-200:] + ")")
        os.rename(os.path.join(made, "node_modules"), installed)


def grpcjs():
    node, npm = need("node"), need("npm")
    folder = os.path.join(BUILT, "node")
    installed = os.path.join(folder, "node_modules")
    os.makedirs(folder, exist_ok=True)
    install_modules(npm, installed)
    return GrpcServer([node, os.path.join(SOURCES, "server.js"), installed, PROTO])


IMPLEMENTATIONS = {"grpc++": grpcpp, "grpcio": grpcio, "grpc-js": grpcjs}
