"""gRPC against servers that others wrote: the cases of gRPC's interoperability test description, on grpc++, grpcio and grpc-js
(tests/servers/grpc), with messages from .proto files, a descriptor set and reflection; and what is said when something is
not there."""
import base64
import os
import re
import shutil
import socket

from harness import Nginx, Target, free_port, main, scratch, squall, squall_run
import grpc_servers

STEP = "interop.Interop/"


def zeros(count):
    return base64.b64encode(bytes(count)).decode()


def payload(count):
    return f'payload: {{ body: "{zeros(count)}" }}'


PARTS = "[ { answer_bytes: 31415 }, { answer_bytes: 9 }, { answer_bytes: 2653 }, { answer_bytes: 58979 } ]"
PINGS = ", ".join(f"{{ parts: [ {{ answer_bytes: {size} }} ] }}" for size in (31415, 9, 2653, 58979))
UPLOADS = ", ".join(f"{{ {payload(size)} }}" for size in (27182, 8, 1828, 45904))

# name, method, options, the status wanted, checks
CASES = [
    ("empty_unary", "Empty", "", "OK", {}),
    ("large_unary", "Unary", f"message: {{ answer_bytes: 314159, {payload(271828)} }}", "OK",
     {"received": "body.receivedBytes == 271828", "size": "size(body.payload.body) == 418880"}),
    ("client_streaming", "Upload", f"send: [ {UPLOADS} ]", "OK",
     {"messages": 'body.messages == "4"', "bytes": 'body.receivedBytes == "74922"'}),
    ("server_streaming", "Download", f"message: {{ parts: {PARTS} }}", "OK",
     {"last": 'body[3].number == "4"', "no more": "body[4].number == null", "one": "size(body[1].payload.body) == 12"}),
    ("ping_pong", "Duplex", f"ping-pong: true, send: [ {PINGS} ]", "OK",
     {"all": 'body[3].number == "4"', "no more than all": "body[4].number == null"}),
    ("empty_stream", "Duplex", "send: []", "OK", {"nothing": "body[0].number == null"}),
    ("cancel_after_begin", "Upload", "cancel-after: 0", "CANCELLED", {}),
    ("cancel_after_first_response", "Duplex", f"cancel-after: 1, ping-pong: true, send: [ {PINGS} ]", "CANCELLED",
     {"one came": 'body[0].number == "1"'}),
    ("timeout_on_sleeping_server", "Duplex", "deadline: 50ms, send: [ { parts: [ { delay_ms: 2000 } ] } ]",
     "DEADLINE_EXCEEDED", {}),
    ("custom_metadata", "Unary", 'metadata: { x-echo-initial: "test_value", x-echo-trailing-bin: "abc" }', "OK",
     {"initial": 'header("x-echo-initial") == "test_value"', "trailing": 'header("x-echo-trailing-bin") == "YWJj"'}),
    ("status_code_and_message", "Unary", 'message: { end: { code: 2, message: "test status message" } }', "UNKNOWN",
     {"text": 'header("grpc-message") == "test status message"', "number": "status == 2"}),
    ("special_status_message", "Unary", r'message: { end: { code: 2, message: "\t\ntest ☺ 😈\t\n" } }', "UNKNOWN",
     {"unicode": 'header("grpc-message") == "??test ☺ 😈??"'}),
    ("unimplemented_method", "Missing", "", "UNIMPLEMENTED", {}),
    ("compressed", "Unary", f"compression: gzip, message: {{ answer_bytes: 1000, {payload(5000)} }}", "OK",
     {"took it": "body.receivedBytes == 5000", "gave it": "size(body.payload.body) == 1336"}),
    ("receive", "Download", f"receive: 2, message: {{ parts: {PARTS} }}", "OK",
     {"two came": 'body[1].number == "2"', "and no third": "body[2].number == null"}),
]
NOWHERE = ("unimplemented_service", "interop.Nowhere/Call", "", "UNIMPLEMENTED", {})


def scenario(port, source, cases=CASES, users=1):
    folder = scratch("scenario")
    os.makedirs(folder, exist_ok=True)
    for file in (grpc_servers.PROTO, grpc_servers.PROTOSET):
        shutil.copy(file, folder)
    with open(os.path.join(folder, "nowhere.proto"), "w", encoding="utf-8") as text:
        text.write('syntax = "proto3"; package interop; import "interop.proto"; service Nowhere { rpc Call(Nothing) returns (Nothing); }')
    lines = ["squall: 1", f'targets: {{ s: {{ url: "grpc://127.0.0.1:{port}", connections: 2, {source} }} }}',
             f"load: [ {{ users: {users}, for: 1s }} ]", "flow:"]
    for name, method, options, code, checks in cases:
        written = ", ".join(f"{key}: '{text}'" for key, text in checks.items())
        method = method if "/" in method else STEP + method
        lines.append(f"  - {{ grpc: {method}, name: {name}, expect: {code}" + (f", {options}" if options else "")
                     + (f", check: {{ {written} }}" if checks else "") + " }")
    path = os.path.join(folder, "interop.yaml")
    with open(path, "w", encoding="utf-8") as text:
        text.write("\n".join(lines) + "\n")
    return path


CODES = {"OK": "0", "NOT_FOUND": "5", "CANCELLED": "1", "UNKNOWN": "2", "DEADLINE_EXCEEDED": "4", "UNIMPLEMENTED": "12"}


def judge(summary, cases):
    steps = {step["name"]: step for step in summary["steps"]}
    for name, _, _, code, _ in cases:
        step = steps[name]
        unfinished = step["unfinished"]
        assert step["count"] >= 1 and step["ok"] + unfinished == step["count"], (name, step)
        assert step["codes"].get(CODES[code], 0) == step["ok"], (name, step["codes"])
    for check in summary["checks"]:
        assert check["passed"] >= 1 and check["failed"] == 0, check
    return steps


def interop(server):
    cases = CASES + [NOWHERE]
    with server as running:
        steps = judge(squall_run("--trust", "off", scenario(running.port, "proto: [ interop.proto, nowhere.proto ]", cases)), cases)
        made = sum(step["count"] for step in steps.values())
        # Those end before the server has seen them, or may on a slow machine.
        unseen = {"unimplemented_method", "unimplemented_service", "cancel_after_begin", "timeout_on_sleeping_server"}
        seen = running.stop()
        sure = made - sum(steps[name]["count"] for name in unseen)
        assert sure <= seen <= made, (sure, seen, made)


def test_grpcpp():
    interop(grpc_servers.grpcpp())


def test_grpcio():
    interop(grpc_servers.grpcio())


def test_grpcjs():
    interop(grpc_servers.grpcjs())


def test_sources_of_messages():
    """From a descriptor set, and from reflection, all is as from .proto files."""
    with grpc_servers.grpcpp() as server:
        for source in ("descriptor-set: interop.protoset", "reflection: true"):
            judge(squall_run("--trust", "off", scenario(server.port, source)), CASES)


def test_health_and_reflection_as_steps():
    cases = [("health", "grpc.health.v1.Health/Check", "", "OK", {"serving": 'body.status == "SERVING"'}),
             ("unknown", "grpc.health.v1.Health/Check", "message: { service: nowhere }", "NOT_FOUND", {}),
             ("watch", "grpc.health.v1.Health/Watch", "receive: 1", "OK", {"one": 'body[0].status == "SERVING"'}),
             ("services", "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 'send: [ { list_services: "" } ]', "OK",
              {"listed": 'body[0].listServicesResponse.service[0].name != ""'})]
    with grpc_servers.grpcpp() as server:
        for engine in ("", "engine: core, "):
            judge(squall_run("--trust", "off", scenario(server.port, engine + "reflection: true", cases)), cases)
            judge(squall_run("--trust", "off", scenario(server.port, engine + "proto: interop.proto", cases[:3])), cases[:3])


def test_url_form():
    with grpc_servers.grpcpp() as server:
        url = server.url("/interop.Interop/Unary")
        summary = squall_run("--trust", "off", url, "-r", "200/s", "-d", "1s", "--data", '{"answer_bytes": 7}')
        step, = summary["steps"]
        assert step["ok"] == 200 and step["codes"] == {"0": 200}, step
        assert step["name"] == "interop.Interop/Unary", step
        path = scratch("message.json")
        for message, code in (('{"answer_bytes": 7}', 0), ('{"answer_byte": 7}', 2)):
            with open(path, "w", encoding="utf-8") as text:
                text.write(message)
            ended = squall("run", "--trust", "off", url, "-n", 3, "--data", f"@{path}")
            assert ended.returncode == code and (code == 0) != ("did you mean answer_bytes?" in ended.err), (message, ended.err)
        assert server.stop() == 203


def test_what_is_not_there():
    def says(arguments, text, code=2):
        done = squall("run", *arguments, "-d", "1s", "-r", "10/s")
        assert done.returncode == code and text in done.err, (arguments, done.returncode, done.err)

    with grpc_servers.grpcpp() as server, grpc_servers.grpcio() as silent:
        proto = ["--proto", grpc_servers.PROTO]
        says([server.url("/interop.Interp/Unary")], "did you mean interop.Interop?")
        says([server.url("/interop.Interop/Unry")], "did you mean Unary?")
        says([server.url("/interop.Interop/Unary"), "--data", "{answer_byte: 1}"], "did you mean answer_bytes?")
        says([server.url("/interop.Interop/Unary"), "--data", "{answer_bytes: x}"], "answer_bytes: wants a whole number")
        says([server.url("/interop.Interop/Unary"), "--data", "{answer_bytes:3}"], "--data:1:2: `answer_bytes:3` has no value: "
             "behind a colon YAML wants a space, as in answer_bytes: 3")
        says([silent.url("/interop.Interop/Unary")], "no reflection service")
    port = free_port()
    with Nginx(locations=f"listen 127.0.0.1:{port} http2;"):
        says([f"grpc://127.0.0.1:{port}/interop.Interop/Unary"], "HTTP status 200 without a grpc-status: is that a gRPC server?")
    with grpc_servers.grpcpp() as server:
        says([server.url("/interop.Interop/Unry"), *proto], "did you mean Unary?")
        says([server.url("/interop.Interop/Unary"), "--proto", "nowhere.proto"], "nowhere.proto")
    # What files say is known without a server.
    broken = squall("check", scenario(1, "proto: interop.proto", [("x", "Unary", "message: { paylod: {} }", "OK", {})]))
    assert broken.returncode == 2 and "did you mean payload?" in broken.err, broken.err


def test_check_reflect():
    """`check --reflect`: what a .proto file would tell is told of the server, in the same words and at the same place; both
    engines. It is bounded by the connect time-out."""
    def says(path, text, code=2):
        done = squall("check", "--reflect", path)
        assert done.returncode == code and text in done.err, (text, done.returncode, done.err)

    def one(port, options, method, message=""):
        return scenario(port, options, [CASES[0], ("x", method, message, "OK", {})])

    for engine in ("", "engine: core, "):
        with grpc_servers.grpcpp() as server, grpc_servers.grpcio() as silent:
            fine = squall("check", "--reflect", scenario(server.port, engine + "reflection: true"))
            assert fine.returncode == 0 and "its steps fit what it serves" in fine.out, (fine.out, fine.err)
            says(one(server.port, engine, "Unry"), 'interop.yaml:6:7: step `x`: service interop.Interop has no method "Unry"; did you mean Unary?')
            says(one(server.port, engine, "interop.Interp/Unary"), "interop.yaml:6:7: step `x`: the server has no service")
            says(one(server.port, engine, "Unary", "message: { answer_byte: 1 }"), "did you mean answer_bytes?")
            says(one(server.port, engine, "Unary", "message: { answer_bytes: x }"), "6:7: step `x`: message: answer_bytes: wants a whole number")
            says(one(silent.port, engine, "Unary"), "no reflection service")
            assert server.stop() == 0, "a call was made"
        says(one(free_port(), engine + "connect-timeout: 3s", "Unary"), "refused", code=3)
        with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and says nothing
            says(one(mute.getsockname()[1], engine + "connect-timeout: 300ms", "Unary"), "within its connect time-out of 300ms", code=3)
        files = squall("check", "--reflect", scenario(1, engine + "proto: interop.proto", CASES[:1]))
        assert files.returncode == 0 and "no target of this scenario has to be asked" in files.err, files.err
    elsewhere = squall("run", "--reflect", "grpc://127.0.0.1:1/a.B/C")
    assert elsewhere.returncode == 2 and "--reflect belongs to squall check" in elsewhere.err, elsewhere.err


def test_new():
    """From a .proto file: a scenario with every method, which loads and makes its calls."""
    folder = scratch("new")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(grpc_servers.PROTO, folder)
    made = squall("new", "-o", "made.yaml", "interop.proto", cwd=folder)
    assert made.returncode == 0, made.err
    path = os.path.join(folder, "made.yaml")
    with grpc_servers.grpcpp() as server:
        with open(path, encoding="utf-8") as text:
            written = text.read().replace("127.0.0.1:50051", f"127.0.0.1:{server.port}").replace("hold: 10/s, for: 10s", "hold: 10/s, for: 1s")
        with open(path, "w", encoding="utf-8") as text:
            text.write(written)
        steps = {step["name"]: step for step in squall_run("--trust", "off", path, expect=99)["steps"]}  # one method is implemented nowhere
    assert len(steps) == 6, steps.keys()
    for name, step in steps.items():
        assert step["ok"] == (0 if name.endswith("/Missing") else 10), (name, step)
    with Target(log=False, protocol="grpc") as target: # what is written runs as it stands
        made = squall("new", "-o", "demo.yaml", target.url("").replace("http", "grpc"), cwd=folder)
        assert made.returncode == 0, made.err
        tried = squall("try", "demo.yaml", cwd=folder)
        assert tried.returncode == 0 and tried.out.count(": ok, 0 OK") == 4, (tried.out, tried.err)
    with grpc_servers.grpcpp() as server, grpc_servers.grpcio() as silent:
        made = squall("new", server.url(), cwd=folder)
        assert made.returncode == 0 and "interop.Interop/Duplex" in made.out and "interop.Interop/Empty" in made.out, (made.out, made.err)
        asked = squall("new", silent.url(), cwd=folder)
        assert asked.returncode == 2 and "no reflection service" in asked.err, asked.err
    gone = squall("new", server.url(), cwd=folder)
    assert gone.returncode == 2 and "cannot be reached" in gone.err, gone.err
    outside = squall("new", os.path.abspath(os.path.join(folder, "interop.proto")), cwd="/")
    assert outside.returncode == 2 and "its own folder" in outside.err, outside.err
    nothing = squall("new", "grpc", "nowhere.proto", cwd=folder)
    assert nothing.returncode == 2 and "nowhere.proto" in nothing.err, nothing.err


def test_documented_examples():
    """The blocks of docs/grpc.md, completed with what a scenario must have."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "grpc.md")
    with open(page, encoding="utf-8") as text:
        blocks = re.findall(r"^```yaml\n(.*?)^```$", text.read(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3, "nothing to look at: the test is broken"
    parts = {"squall": "squall: 1", "targets": 'targets: { s: { url: "grpc://127.0.0.1:1" } }', "load": "load: [ { hold: 1/s, for: 1s } ]",
             "flow": "flow: [ { grpc: a.B/C } ]"}
    for block in blocks:
        path = scratch("block.yaml")
        with open(path, "w", encoding="utf-8") as text:
            text.write(block + "".join(line + "\n" for key, line in parts.items() if not re.search(f"^{key}:", block, re.MULTILINE)))
        done = squall("check", path)
        assert done.returncode == 0, f"{block}{done.err}"


if __name__ == "__main__":
    main(globals())
