"""What a target's options make of CONNECT, flags of the URL form included, and wrong ones. Enhanced authentication of MQTT 5: what
the broker makes of method and data is told, a CONNACK that agrees, one that does not, a refusal, a further step, and AUTH where
it has no place."""
from harness import main, scratch, squall, squall_run
from mqtt_wire import CONNECT, PUBLISH, Packets, packet
from servers import Server

AUTH = 0xf0


def text(value):
    return len(value).to_bytes(2, "big") + value


def properties(method=b"", data=b""):
    block = (b"\x15" + text(method) if method else b"") + (b"\x16" + text(data) if data else b"")
    return bytes([len(block)]) + block


def connack(code=0, method=b""):
    return packet(0x20, bytes([0, code]) + properties(method))


class Broker:
    """Says `hello` to CONNECT and `then` to PUBLISH; keeps what CONNECT held behind its keep-alive."""

    def __init__(self, hello, then=packet(0x40, b"\0\1")):
        self.hello, self.then, self.connects = hello, then, []

    def __call__(self, peer):
        packets = Packets()
        while data := peer.socket.recv(65536):
            for kind, _, body, _ in packets.feed(data):
                if kind == CONNECT:
                    self.connects.append(body[10:])
                    peer.send(self.hello)
                elif kind == PUBLISH:
                    peer.send(self.then)


def scenario(port, steps, options="auth-method: TOKEN, auth-data: \"key-${user.id}\""):
    path = scratch("auth.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ broker: {{ url: \"mqtt://127.0.0.1:{port}\", client-id: d, {options} }} }}\n"
                  f"load: [ {{ users: 1, iterations: 1 }} ]\nflow: [ {steps} ]\n")
    return path


def connects(broker, outcome, error="", steps="{ mqtt: connect }"):
    """One run with a connect step, and how that ended."""
    with Server(broker) as server:
        summary = squall_run(scenario(server.port, steps), "--trust", "off")
    step = summary["steps"][0]
    assert step[outcome] == step["count"] == 1, (outcome, step, summary["errors"])
    said = "\n".join(row["text"] for row in summary["errors"])
    assert error in said, (error, said)
    return step


def test_method_and_data_go_out():
    broker = Broker(connack(method=b"TOKEN"))
    connects(broker, "ok")
    # After the session's properties of squall's own: largest packet; then method, data, and the client identifier.
    block, = broker.connects
    assert block[1:1 + block[0]].endswith(b"\x15" + text(b"TOKEN") + b"\x16" + text(b"key-1")), block
    assert block[1 + block[0]:] == text(b"d"), block


def test_the_data_are_not_shown():
    with Server(Broker(connack(method=b"TOKEN"))) as server:
        shown = squall("try", scenario(server.port, "{ mqtt: connect }")).out
    assert "Authentication Method: TOKEN" in shown and "Authentication Data: (5 bytes)" in shown, shown
    assert "key-1" not in shown, shown


def test_what_the_broker_makes_of_it():
    for hello, outcome, code, error in (
            (connack(0x8c), "rejected", "140", "140 bad authentication method"),
            (connack(0x87), "rejected", "135", "135 not authorized"),
            (packet(AUTH, b"\x18" + properties(b"TOKEN", b"challenge")), "rejected", "24",
             "AUTH: the broker asks for a further step of authentication, and auth-data is all that squall has to say"),
            (connack(), "malformed", None, "CONNACK: another method of authentication than CONNECT named"),
            (connack(method=b"OTHER"), "malformed", None, "CONNACK: another method of authentication than CONNECT named"),
            (packet(AUTH, b"\x18" + properties(b"OTHER")), "malformed", None, "AUTH: another method of authentication"),
            (packet(AUTH, b"\0" + properties(b"TOKEN")), "malformed", None, "AUTH: authentication ends with CONNACK")):
        step = connects(Broker(hello), outcome, error)
        assert code is None or step["codes"] == {code: 1}, (code, step["codes"])


def test_auth_in_an_open_session():
    broker = Broker(connack(method=b"TOKEN"), packet(AUTH, b"\x18" + properties(b"TOKEN")))
    with Server(broker) as server:
        summary = squall_run(scenario(server.port, "{ mqtt: publish a, qos: 1 }"), "--trust", "off")
    assert summary["totals"]["malformed"] == 1, summary["totals"]
    assert any("AUTH: nobody has begun to authenticate again" in row["text"] for row in summary["errors"]), summary["errors"]


def test_without_a_connect_step():
    with Server(Broker(packet(AUTH, b"\x18" + properties(b"TOKEN")))) as server:
        path = scenario(server.port, "{ mqtt: publish a }", 'auth-method: TOKEN, connect-timeout: 2s')
        ended = squall("run", path, "--quiet")
    assert ended.returncode == 3 and "a further step of authentication" in ended.err, (ended.returncode, ended.err)


def test_flags_of_the_url_form():
    broker = Broker(packet(0x20, b"\0\0"))
    with Server(broker) as server:
        summary = squall_run(f"mqtt://127.0.0.1:{server.port}/a", "-u", 1, "-n", 1, "--mqtt-version", "3.1.1", "--client-id",
                             "dev-${user.id}", "--username", "me", "--password", "it is", "--keep-alive", "7s")
    assert summary["totals"]["ok"] == 1, summary["totals"]
    assert broker.connects == [text(b"dev-1") + text(b"me") + text(b"it is")], broker.connects


def test_subscribers_are_users():
    few = squall("run", "mqtt://127.0.0.1:1/a", "-u", 2, "-r", "10/s", "-d", "1s", "--subscribers", 3)
    assert few.returncode == 2 and "needs 3 users, and the run has 2; have more of them" in few.err, (few.returncode, few.err)
    path = scenario(1, "{ mqtt: publish a, subscribers: 3 }")
    checked = squall("check", path)
    assert checked.returncode == 2 and "needs 3 users" in checked.err, checked.err
    assert squall("check", "--users", 3, path).returncode == 0


def test_wrong_use():
    for line, error in (("publish", "it names no topic"), ("subscribe", "no topic filter"), ("publish a/+", "a topic name with a wildcard"),
                        ("subscribe a#", "a wildcard that is not a whole level")):
        checked = squall("check", scenario(1, f"{{ mqtt: {line} }}"))
        assert checked.returncode == 2 and error in checked.err, (line, checked.err)
    checked = squall("check", scenario(1, "{ mqtt: publish a }", "version: 3.1.1, auth-method: TOKEN"))
    assert checked.returncode == 2 and "it knows no session-expiry" in checked.err, checked.err
    with Server(Broker(connack())) as server:
        path = scenario(server.port, "{ mqtt: connect }", "auth-data: key")
        summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["unsent"] == 1, summary["totals"]
    assert any("auth-data without auth-method" in row["text"] for row in summary["errors"]), summary["errors"]


if __name__ == "__main__":
    main(globals())
