"""What a gRPC call is on the wire, by both engines: header fields, the deadline, metadata, messages from files, compressed and
with variables; and the largest messages that are sent and taken."""
import base64
import gzip
import os
import re
import shutil

from grpc_session import Session
from harness import main, scratch, squall, squall_run
from servers import Server
import grpc_servers
from test_grpc import payload, scenario

ENGINES = ("", "engine: core, ")
UNITS = {"H": 3600e9, "M": 60e9, "S": 1e9, "m": 1e6, "u": 1e3, "n": 1}


def calls_of(engine, options, target="", count=3):
    """(fields, body) of the calls that a run of one step makes."""
    folder, seen = scratch("wire"), []
    os.makedirs(folder, exist_ok=True)
    shutil.copy(grpc_servers.PROTO, folder)
    with open(os.path.join(folder, "message.bin"), "wb") as file:
        file.write(b"\x10\x2a")  # answer_bytes: 42

    def handler(peer):
        session = Session(peer)
        for stream in session.calls():
            seen.append((session.fields[stream], session.body[stream]))
            session.answer(stream)

    with Server(handler) as server:
        path = os.path.join(folder, "wire.yaml")
        with open(path, "w", encoding="utf-8") as text:
            text.write(f'squall: 1\ntargets: {{ s: {{ url: "grpc://127.0.0.1:{server.port}", {engine}proto: interop.proto, connections: 1{target} }} }}\n'
                       f"load: [ {{ users: 1, iterations: {count} }} ]\nflow: [ {{ grpc: interop.Interop/Unary{options} }} ]\n")
        step, = squall_run(path, "--trust", "off")["steps"]
    assert step["ok"] == count == len(seen), (step, len(seen))
    return server, seen


def test_header_fields():
    for engine in ENGINES:
        server, seen = calls_of(engine, "")
        for fields, body in seen:
            assert fields[":method"] == "POST" and fields[":scheme"] == "http", fields
            assert fields[":path"] == "/interop.Interop/Unary" and fields["te"] == "trailers", fields
            assert fields["content-type"] == "application/grpc" and "grpc-timeout" not in fields, fields
            assert fields[":authority"] == f"127.0.0.1:{server.port}" and body == bytes(5), (fields, body)
        _, seen = calls_of(engine, "", target=', authority: "shop.test:81", user-agent: load-test/1')
        assert seen[0][0][":authority"] == "shop.test:81" and seen[0][0]["user-agent"].split()[0] == "load-test/1", seen[0]


def test_deadline():
    """What is left of it when the call begins: the whole of it, to what engine and units round."""
    for engine in ENGINES:
        for fields, _ in calls_of(engine, ", deadline: 5s")[1]:
            number, unit = re.fullmatch(r"(\d{1,8})([HMSmun])", fields["grpc-timeout"]).groups()
            assert 3e9 < int(number) * UNITS[unit] <= 5.1e9, fields["grpc-timeout"]


def test_metadata():
    for engine in ENGINES:
        for fields, _ in calls_of(engine, ', metadata: { x-user: "u${user.id}", x-trace-bin: "a?b" }')[1]:
            bits = fields["x-trace-bin"]
            assert fields["x-user"] == "u1", fields
            assert base64.b64decode(bits + "=" * (-len(bits) % 4)) == b"a?b", fields
        # A name that HTTP/2 forbids is not sent, whether the value is known when the scenario is loaded or not.
        known = squall("check", scenario(1, engine + "proto: interop.proto", [("x", "Unary", 'metadata: { X-Up: "1" }', "OK", {})]))
        assert known.returncode == 2 and "names are lower case" in known.err, known.err
        with grpc_servers.grpcpp() as server:
            step, = squall_run("--trust", "off", scenario(server.port, engine + "proto: interop.proto", [("x", "Unary", 'metadata: { X-Up: "${user.id}" }', "OK", {})]),
                               "-n", 2)["steps"]
            assert step["unsent"] == 2 and server.stop() == 0, step


def test_messages():
    for engine in ENGINES:
        for _, body in calls_of(engine, ", binary: message.bin")[1]:
            assert body == b"\0\0\0\0\x02\x10\x2a", body
        bodies = [body for _, body in calls_of(engine, ', message: { answer_bytes: "${iteration + 40}" }')[1]]
        assert all(len(body) == 7 and body[:6] == b"\0\0\0\0\x02\x10" for body in bodies), bodies
        assert [body[6] for body in bodies] == [bodies[0][6] + n for n in range(3)], bodies
        for fields, body in calls_of(engine, f", compression: gzip, message: {{ {payload(5000)} }}")[1]:
            assert fields["grpc-encoding"] == "gzip" and "gzip" in fields["grpc-accept-encoding"], fields
            assert body[0] == 1 and len(body) < 500 and len(gzip.decompress(body[5:])) == 5000 + 6, body[:20]


def test_largest_messages():
    large = [("large", "Unary", "message: { answer_bytes: 5000000 }", "RESOURCE_EXHAUSTED", {})]
    taken = [("large", "Unary", "message: { answer_bytes: 5000000 }", "OK", {})]
    with grpc_servers.grpcpp() as server:
        for engine in ENGINES:
            for options, case, code in (("", large, "8"), ("max-receive: 8MiB, ", taken, "0")):
                step, = squall_run("--trust", "off", scenario(server.port, engine + options + "proto: interop.proto", case), "-n", 2)["steps"]
                assert step["ok"] == 2 and step["codes"] == {code: 2}, (engine, options, step)
    for engine in ENGINES:
        sent = [("large", "Unary", f"message: {{ {payload(100)} }}", "OK", {})]
        done = squall("check", scenario(1, engine + "max-send: 50, proto: interop.proto", sent))
        assert done.returncode == 2 and "larger than max-send" in done.err, (engine, done.err)


if __name__ == "__main__":
    main(globals())
