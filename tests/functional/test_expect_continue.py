"""Expect: 100-continue: when a body is sent, when it is not, and what becomes of the connection. A scripted server says what it
likes; nginx and squall's own target are asked too."""
import select
import socket
import threading
import time

from harness import Nginx, Target, main, scratch, squall, squall_run
from proof import Run
from rest_server import RestServer

BODY = b"x" * 3000
QUIET_S = 0.2  # of a server that looks whether a body comes that it did not ask for
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Scripted:
    """Answers each request's head with what `script(server, connection)` does; `seen` are the bodies that came, or None."""

    def __init__(self, script):
        self.script, self.seen, self.heads, self.connections, self.problems = script, [], [], 0, []

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            connection.settimeout(20)
            try:
                while True:
                    self.input = b""
                    while b"\r\n\r\n" not in self.input:
                        data = connection.recv(65536)
                        if not data:
                            return
                        self.input += data
                    head, self.input = self.input.split(b"\r\n\r\n", 1)
                    self.heads.append(head.decode())
                    if not self.script(self, connection):
                        return
            except OSError as problem:
                self.problems.append(problem)

    def quiet(self, connection):
        """No byte of a body, for a while."""
        if self.input or select.select([connection], [], [], QUIET_S)[0]:
            self.problems.append("a body that was not asked for")

    def body(self, connection, size=len(BODY)):
        while len(self.input) < size:
            data = connection.recv(65536)
            if not data:
                break
            self.input += data
        self.seen.append(self.input)


def upload(port, wait, more="", iterations=1, raw=None, expect=0):
    with open(scratch("upload.bin"), "wb") as out:
        out.write(BODY)
    path = scratch("s.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"""
squall: 1
targets: {{ api: {{ url: "http://127.0.0.1:{port}", connections: 1 }} }}
load: [ {{ users: 1, iterations: {iterations} }} ]
flow: [ {{ http: PUT /up, expect-continue: {wait}, {more or "file: upload.bin"} }} ]
""")
    if not raw:
        return squall_run(path, expect=expect)
    with Run(path, raw=True) as process:
        process.end(expect)
        return process.summary(), process.raw()


def test_the_body_waits_for_100():
    """103 is not 100. The last byte is sent when the body is, and only then is an answer waited for."""
    held = []

    def script(server, connection):
        start = time.monotonic_ns()
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        server.quiet(connection)
        held.append(time.monotonic_ns() - start)
        connection.sendall(CONTINUE)
        server.body(connection)
        connection.sendall(OK)
        return True
    with Scripted(script) as server:
        summary, rows = upload(server.port, "20s", iterations=2, raw=True)
    assert not server.problems and server.seen == [BODY, BODY] and server.connections == 1, (server.problems, server.connections)
    assert all("\r\nExpect: 100-continue" in head and f"Content-Length: {len(BODY)}" in head for head in server.heads), server.heads
    assert summary["totals"]["ok"] == 2 and len(held) == len(rows) == 2, (summary["totals"], rows)
    for row, wait_ns in zip(rows, held):
        assert row["sent_ns"] - row["intended_ns"] >= wait_ns * 0.9, (row, wait_ns)
        assert row["done_ns"] >= row["sent_ns"], row
        assert row["bytes_out"] > len(BODY), row


def test_a_silent_server_gets_it_unasked():
    def script(server, connection):
        server.body(connection)
        connection.sendall(OK)
        return True
    with Scripted(script) as server:
        summary = upload(server.port, "100ms", iterations=2)
    assert server.seen == [BODY, BODY] and server.connections == 1 and summary["totals"]["ok"] == 2, (summary["totals"], server.problems)


def refused(answer):
    """A final answer before the body: the rest of the connection's bytes are none, and it is closed."""
    def script(server, connection):
        connection.sendall(answer)
        server.body(connection, 1)
        return False
    with Scripted(script) as server:
        summary = upload(server.port, "20s", iterations=3)
    assert not server.problems and server.seen == [b""] * 3 and server.connections >= 3, (server.problems, server.seen, server.connections)
    return summary


def test_a_final_answer_leaves_the_body_unsent():
    for code in (401, 413, 417):
        summary = refused(b"HTTP/1.1 %d No\r\nContent-Length: 3\r\n\r\nno." % code)
        assert summary["steps"][0]["codes"] == {str(code): 3} and summary["totals"]["rejected"] == 3, summary["steps"]
    # One that comes at once with a 100 too; and an answer that is fine without a body.
    assert refused(CONTINUE + OK)["totals"]["ok"] == 3
    assert refused(OK)["totals"]["ok"] == 3


def test_bodies_of_each_kind():
    """What is made up for one request is kept until it is asked for, though others are made up meanwhile."""
    def script(server, connection):
        server.quiet(connection)
        connection.sendall(CONTINUE)
        server.body(connection, int(server.heads[-1].lower().split("content-length: ")[1].split("\r\n")[0]))
        connection.sendall(OK)
        return True
    for more, wanted in (('body: "user ${user.id}"', b"user 1"), ('json: { a: "${user.id}" }', b'{"a":1}'), ("body: constant", b"constant"),
                         ('form: { a: "${user.id}&" }', b"a=1%26")):
        with Scripted(script) as server:
            assert upload(server.port, "20s", more)["totals"]["ok"] == 1
        assert [body.replace(b" ", b"") for body in server.seen] == [wanted.replace(b" ", b"")] and not server.problems, (more, server.seen, server.problems)
    with Scripted(script) as server:
        assert upload(server.port, "20s", 'multipart: { id: "${user.id}", f: "@upload.bin" }')["totals"]["ok"] == 1
    assert BODY in server.seen[0] and b'name="id"\r\n\r\n1\r\n' in server.seen[0] and not server.problems, (server.seen, server.problems)


def test_a_connection_that_ends_meanwhile():
    """By the server, and by a time-out: nothing is left behind, and the next exchange has a new one."""
    with Scripted(lambda server, connection: False) as server:
        summary = upload(server.port, "20s", iterations=3)
    assert summary["totals"]["disconnected"] == 3 and server.connections >= 3, summary["totals"]

    def silent(server, connection):
        server.body(connection, 1)
        return False
    with Scripted(silent) as server:
        path = scratch("t.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f'squall: 1\ntargets: {{ api: {{ url: "http://127.0.0.1:{server.port}", connections: 1, timeout: 100ms }} }}\n'
                      "load: [ { users: 1, iterations: 2 } ]\nflow: [ { http: PUT /up, expect-continue: 20s, body: x } ]\n")
        summary = squall_run(path)
    assert summary["totals"]["timed_out"] == 2 and not any(server.seen), (summary["totals"], server.seen)


def test_no_body_nothing_to_ask():
    def script(_server, connection):
        connection.sendall(OK)
        return True
    with Scripted(script) as server:
        assert squall_run(f"http://127.0.0.1:{server.port}/", "--expect-continue", "1s", "-n", 2)["totals"]["ok"] == 2
    assert not any("Expect" in head for head in server.heads), server.heads


def test_nginx_and_the_target():
    """nginx asks for what it takes and refuses what is too long; the target asks for all."""
    with RestServer() as server, Nginx(locations=f"""
            location /big/ {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:{server.port}/; }}
            location /up {{ client_max_body_size 1m; proxy_pass http://127.0.0.1:{server.port}; }}""") as nginx:
        assert upload(nginx.port, "20s", iterations=5)["totals"]["ok"] == 5
        assert [request["body"] for request in server.seen] == [BODY] * 5
        server.clear()
        done = squall("try", scratch("s.yaml"))
        assert "Expect: 100-continue" in done.out and done.returncode == 0, done.out
        url = nginx.url("/big/up")
        codes = squall_run(url, "-X", "PUT", "--body", "@" + scratch("upload.bin"), "--expect-continue", "20s", "-n", 3)["steps"][0]["codes"]
        assert codes == {"413": 3}, codes
        assert len(server.seen) == 1
    with Target() as target:
        assert upload(target.port, "20s", iterations=5)["totals"]["ok"] == 5
        assert target.stop().counts()["answered"] == 5


if __name__ == "__main__":
    main(globals())
