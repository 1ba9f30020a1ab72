"""squall try: what HTTP/2, gRPC and MQTT carry is shown in words, against real servers; binary contents are bounded, what was
compressed is shown as it was meant, and secrets are in none of it."""
import os

from brokers import Mosquitto
from harness import Process, Target, accepts, free_port, main, need, scratch, squall, wait_until
from rest_server import RestServer

SECRET = "tr0ub4dor&3"


def walk(target, flow, *more, code=0):
    path = scratch("try.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ t: {target} }}\nflow:\n{flow}\nload: [ {{ users: 1, iterations: 1 }} ]\n")
    ended = squall("try", path, *more, env={**os.environ, "SQUALL_TEST_TRY": SECRET})
    assert ended.returncode == code, (ended.returncode, ended.err, ended.out)
    return ended.out


def blocks(shown):
    """The blocks that empty lines part, each a list of its lines without their marks."""
    return [[line[2:] for line in block.splitlines()] for block in shown.strip("\n").split("\n\n")]


def one_block(shown, title, holding=""):
    found = [block for block in blocks(shown) if block[0] == title and any(holding in line for line in block)]
    assert len(found) == 1, (title, holding, shown)
    return found[0]


def test_http2():
    with Target() as target:
        shown = walk(f'{{ url: "{target.url("")}", http: h2 }}',
                     '  - { http: POST /echo, headers: { X-Key: "v" }, json: { a: [1, { b: "x" }] }, save: { a: "body.a[0]" },\n'
                     '      check: { first: "body.a[0] == 1" } }')
    sent = one_block(shown, "HEADERS", ":path: /echo")
    assert {":method: POST", ":scheme: http", "x-key: v", "content-type: application/json"} <= set(sent), shown
    assert sent[sent.index("") + 1:] == ["{", '  "a": [', "    1,", "    {", '      "b": "x"', "    }", "  ]", "}"], shown
    got = one_block(shown, "HEADERS", ":status: 200")
    assert got[got.index("") + 1:] == sent[sent.index("") + 1:], shown
    assert "= POST /echo: ok, 200 OK in " in shown and "  a = 1\n  ✓ first" in shown, shown
    assert "\\x" not in shown, shown


def test_http2_over_tls_and_contents_that_are_no_text():
    with Target("--tls") as target:
        path = scratch("binary")
        with open(path, "wb") as out:
            out.write(bytes(range(256)) * 5)
        shown = walk(f'{{ url: "https://127.0.0.1:{target.port}", tls: {{ insecure: true }} }}',
                     f'  - {{ http: POST /echo, file: "{path}" }}')
    for mark in "><":
        rows = [line for line in shown.splitlines() if line.startswith(f"{mark} 00")]
        assert len(rows) == 16 and rows[4] == \
            f"{mark} 0040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO", shown
        assert f"{mark} ... 1024 more bytes" in shown, shown


class Nghttpd(Process):
    def __init__(self, *options):
        self.port = free_port()
        folder = scratch(f"nghttpd-{self.port}")
        os.mkdir(folder)
        with open(os.path.join(folder, "page"), "w", encoding="ascii") as out:
            out.write("a page")
        super().__init__([need("nghttpd"), "--no-tls", "-d", folder, *options, str(self.port)])
        wait_until(lambda: accepts(self.port) or self.child.poll() is not None, "nghttpd to listen")


def test_trailers():
    with Nghttpd("--trailer", "x-end: yes") as server:
        shown = walk(f'{{ url: "http://127.0.0.1:{server.port}", http: h2 }}', "  - { http: GET /page }")
    assert one_block(shown, "HEADERS", ":status: 200")[-2:] == ["", "a page"], shown
    assert one_block(shown, "HEADERS (trailers)") == ["HEADERS (trailers)", "x-end: yes"], shown


def test_what_was_compressed():
    with RestServer() as server:
        shown = walk(f'{{ url: "{server.url("")}" }}', "  - { http: GET /packed }")
    assert "< content-encoding: gzip" in shown.lower(), shown
    note = shown[shown.index("= the body, decoded:\n"):]
    assert note.startswith("= the body, decoded:\n= {\n=   \""), shown
    assert "= GET /packed: ok, 200 OK" in note, shown


def grpc(engine):
    with Target(protocol="grpc") as target:
        return walk(f'{{ url: "grpc://127.0.0.1:{target.port}"{engine} }}',
                    '  - { grpc: squall.demo.Demo/Chat, send: [ { tag: one }, { tag: two } ], metadata: { x-a: b } }\n'
                    '  - { grpc: squall.demo.Demo/Unary, message: { status: NOT_FOUND, message: "no such\\tuser" }, name: missing }',
                    code=99)


def test_grpc():
    shown = grpc("")
    asked = one_block(shown, "HEADERS", ":path: /squall.demo.Demo/Chat")
    assert {"content-type: application/grpc", "x-a: b"} <= set(asked), shown
    for number, tag in ((1, "one"), (2, "two")):
        sent = [block for block in blocks(shown) if block[0].startswith(f"message {number}, ") and f'  "tag": "{tag}",' in block]
        answered = [block for block in blocks(shown) if block[0].startswith(f"message {number}, ") and f'  "tag": "{tag}"' in block]
        assert len(sent) == len(answered) == 1, shown
    assert "< HEADERS (trailers)\n< grpc-status: 0 OK\n" in shown, shown
    assert "< grpc-status: 5 NOT_FOUND\n< grpc-message: no such" in shown, shown
    assert "= missing: rejected, 5 NOT_FOUND" in shown, shown


def test_grpc_core():
    shown = grpc(", engine: core")
    assert one_block(shown, "/squall.demo.Demo/Chat") == ["/squall.demo.Demo/Chat", "x-a: b"], shown
    assert shown.count('  "tag": "two"') == 2 and shown.count("< grpc-status: 0 OK") == 1, shown
    assert "< grpc-status: 5 NOT_FOUND\n< grpc-message: no such" in shown, shown


def mqtt(engine, more=""):
    with Mosquitto() as broker:
        return walk(f'{{ url: "{broker.url()}"{engine}, version: "5", username: "${{secret.SQUALL_TEST_TRY}}",\n'
                    '         password: "dontshow" }',
                    "  - { mqtt: subscribe a/# }\n"
                    f"  - {{ mqtt: publish a/b, payload: '{{\"t\": 21}}', qos: 2{more} }}\n"
                    "  - { mqtt: await a/b }")


def test_mqtt():
    shown = mqtt("", ", content-type: text/x, properties: { k: v }")
    assert {"version: 5", "user name: ***", "password: (8 bytes)"} <= set(one_block(shown, "CONNECT")), shown
    assert "reason: 0x00 success" in one_block(shown, "CONNACK") and "filter: a/#" in one_block(shown, "SUBSCRIBE"), shown
    one_block(shown, "SUBACK")
    message = ["", "{", '  "t": 21', "}"]
    for holding in ("QoS: 2", "QoS: 0"):
        published = one_block(shown, "PUBLISH", holding)
        assert published[-4:] == message and {"topic: a/b", "Content Type: text/x", "User Property k: v"} <= set(published), shown
    for title in ("PUBREC", "PUBREL", "PUBCOMP"):
        one_block(shown, title)
    assert "dontshow" not in shown and SECRET not in shown and "\\x" not in shown, shown


def test_mqtt_paho():
    shown = mqtt(", engine: paho")
    assert {"version: 5", "user name: ***", "password: (8 bytes)"} <= set(one_block(shown, "CONNECT")), shown
    assert "filter: a/#" in one_block(shown, "SUBSCRIBE"), shown
    for holding in ("QoS: 2", "QoS: 0"):
        assert one_block(shown, "PUBLISH", holding)[-4:] == ["", "{", '  "t": 21', "}"], shown
    assert "dontshow" not in shown and SECRET not in shown, shown


def test_secrets():
    with Target() as target:
        shown = walk(f'{{ url: "{target.url("")}", http: h2 }}',
                     '  - { http: "POST /echo?k=${secret.SQUALL_TEST_TRY}", headers: { x: "${secret.SQUALL_TEST_TRY}" },\n'
                     '      json: { a: "${secret.SQUALL_TEST_TRY}" } }')
    assert SECRET not in shown and shown.count("***") >= 4, shown


if __name__ == "__main__":
    main(globals())
