"""Limits of both sides, against a scripted broker: what it says in CONNACK is kept, and a step that would break it is unsent
with the reason; what we said in CONNECT it may not break; aliases both ways; keep-alive."""
import threading

from harness import main, scratch, squall_run, wait_until
from mqtt_wire import CONNECT, PUBLISH, SUBSCRIBE, Packets, packet
from servers import Server

PING = 12


def connack(properties=b""):
    return packet(0x20, b"\0\0" + bytes([len(properties)]) + properties)


def message(body, first=0x30):
    return packet(first, body)


class Broker:
    """Says `hello` to CONNECT, and to a packet of another kind what `answers` has for it; keeps what came."""

    def __init__(self, hello=connack(), answers=None):
        self.hello, self.answers, self.came = hello, answers or {}, []

    def __call__(self, peer):
        packets = Packets()
        while data := peer.socket.recv(65536):
            for kind, flags, body, _ in packets.feed(data):
                self.came.append((kind, flags, body))
                answer = self.hello if kind == CONNECT else self.answers.get(kind, b"")
                peer.send(answer(body) if callable(answer) else answer)

    def of(self, kind):
        return [body for came, _, body in self.came if came == kind]


def run(broker, steps, options=""):
    path = scratch("limits.yaml")
    with Server(broker) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ broker: {{ url: \"mqtt://127.0.0.1:{server.port}\", client-id: d{options} }} }}\n"
                      f"load: [ {{ users: 1, iterations: 1 }} ]\nflow:\n" + "".join(f"  - {step}\n" for step in steps))
        return squall_run(path, "--trust", "off")


def said(summary):
    return "\n".join(row["text"] for row in summary["errors"])


def puback(body):
    """For a PUBLISH of QoS 1 to a topic of one letter, or to none."""
    at = 2 + int.from_bytes(body[:2], "big")
    return packet(0x40, body[at:at + 2])


def test_devices_that_never_connect():
    """Their few exchanges hardly show among the others' many, so the report says that they were missing."""
    def hello(body):
        return packet(0x20, b"\0\x87\0") if body.endswith((b"d1", b"d3", b"d5")) else connack()

    path = scratch("missing.yaml")
    with Server(Broker(hello, {PUBLISH: puback})) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""squall: 1
targets: {{ broker: {{ url: "mqtt://127.0.0.1:{server.port}", version: "5", client-id: "d${{user.id}}" }} }}
load: [ {{ users: 6, iterations: 300 }} ]
flow: [ {{ mqtt: publish a, qos: 1 }} ]
""")
        summary = squall_run(path, "--trust", "off")
    generator = summary["generator"]
    assert generator["connections_never_up"] == 3 and generator["connections_max"] == 3, generator
    assert any(note.startswith("connections that never came up: 3; up at once were at most 3;") for note in generator["notes"]), generator


def test_the_brokers_limits():
    for properties, step, why in (
            (b"\x21\0\2", "{ mqtt: publish a, qos: 1, count: 3 }", "as many messages are unacknowledged as the broker allows"),
            (b"\x27\0\0\0\x32", "{ mqtt: publish a, size: 100 }", "larger than the broker's maximum packet size"),
            (b"\x27\0\0\0\x32", "{ mqtt: subscribe " + "a" * 60 + " }", "larger than the broker's maximum packet size"),
            (b"\x24\1", "{ mqtt: publish a, qos: 2 }", "the broker takes no messages of this QoS"),
            (b"\x25\0", "{ mqtt: publish a, retain: true }", "the broker keeps no messages"),
            (b"\x22\0\2", "{ mqtt: publish a, topic-alias: 3 }", "a topic alias above the broker's maximum"),
            (b"\x28\0", "{ mqtt: subscribe a/+ }", "the broker takes no wildcards"),
            (b"\x29\0", "{ mqtt: subscribe a, subscription-id: 1 }", "the broker takes no subscription identifiers"),
            (b"\x2a\0", "{ mqtt: subscribe $share/g/a }", "the broker has no shared subscriptions")):
        summary = run(Broker(connack(properties)), [step])
        assert summary["totals"]["unsent"] == summary["totals"]["begun"] == 1, (step, summary["totals"], said(summary))
        assert why in said(summary), (step, said(summary))


def test_our_limits():
    """Receive Maximum and the largest packet stand in CONNECT; a broker that breaks them has broken the protocol."""
    suback = packet(0x90, b"\0\1\0\1")
    three = b"".join(message(b"\0\1a" + bytes([0, number]) + b"\0x", 0x32) for number in (1, 2, 3))
    broker = Broker(answers={SUBSCRIBE: suback + three})
    summary = run(broker, ["{ mqtt: subscribe a, qos: 1 }", "{ mqtt: await a, contains: never }"],
                  ", receive-maximum: 2, max-packet-size: 100, ack-delay: 5s")
    assert "PUBLISH: more than Receive Maximum are unacknowledged (3.3.4)" in said(summary), said(summary)
    connect = broker.of(CONNECT)[0]  # a session that is lost comes back
    assert b"\x21\0\2" in connect and b"\x27\0\0\0\x64" in connect, connect
    assert broker.of(14)[0][:1] == b"\x93", broker.came  # DISCONNECT: receive maximum exceeded
    summary = run(Broker(answers={PUBLISH: message(b"\0\1a\0" + b"x" * 100)}), ["{ mqtt: publish a, qos: 1 }"], ", max-packet-size: 100")
    assert "PUBLISH: larger than the largest packet that is taken" in said(summary), said(summary)
    assert summary["totals"]["malformed"] == 1, summary["totals"]


def test_aliases():
    """Ours: the topic goes out the first time only, and again when the alias gets another. Theirs: the topic is known by it."""
    broker = Broker(connack(b"\x22\0\5"), {PUBLISH: puback})
    summary = run(broker, ["{ mqtt: publish a, qos: 1, topic-alias: 3 }", "{ mqtt: publish a, qos: 1, topic-alias: 3, name: 2 }",
                           "{ mqtt: publish b, qos: 1, topic-alias: 3, name: 3 }", "{ mqtt: publish b, qos: 1, topic-alias: 3, name: 4 }"])
    assert summary["totals"]["ok"] == 4, (summary["totals"], said(summary))
    topics = [body[2:2 + int.from_bytes(body[:2], "big")] for body in broker.of(PUBLISH)]
    assert topics == [b"a", b"", b"b", b""], topics
    assert all(b"\x23\0\3" in body for body in broker.of(PUBLISH)), broker.came
    suback = packet(0x90, b"\0\1\0\0")
    theirs = message(b"\0\1a\3\x23\0\2one") + message(b"\0\0\3\x23\0\2two")
    summary = run(Broker(answers={SUBSCRIBE: suback + theirs}),
                  ["{ mqtt: subscribe a }", "{ mqtt: await a, contains: one }",
                   "{ mqtt: await a, contains: two, check: { topic: 'header(\"topic\") == \"a\"' } }"], ", topic-alias-maximum: 2")
    assert summary["totals"]["ok"] == 3 and summary["checks"][0]["passed"] == 1, (summary["totals"], said(summary))


def test_a_subscription_that_nobody_confirmed():
    """The connection goes before SUBACK. The broker keeps the session; whether the subscription is in it nobody knows: it is
    asked for again."""
    class Forgetful(Broker):
        def __call__(self, peer):
            packets = Packets()
            while data := peer.socket.recv(65536):
                for kind, flags, body, _ in packets.feed(data):
                    self.came.append((kind, flags, body))
                    if kind == CONNECT:
                        peer.send(packet(0x20, bytes([len(self.of(CONNECT)) > 1, 0, 0])))
                    elif kind == SUBSCRIBE and len(self.of(SUBSCRIBE)) == 1:
                        return
                    elif kind == SUBSCRIBE:
                        peer.send(packet(0x90, body[:2] + b"\0\0"))
                    elif kind == PUBLISH:
                        peer.send(puback(body))

    for engine in ("", ", engine: paho"):
        broker = Forgetful()
        summary = run(broker, ["{ mqtt: subscribe a }", "{ mqtt: publish b, qos: 1 }"],
                      f", version: \"5\", clean-start: false, session-expiry: 1m{engine}")
        assert (summary["totals"]["disconnected"], summary["totals"]["ok"]) == (1, 1), (engine, summary["totals"], said(summary))
        kinds = [kind for kind, _, _ in broker.came if kind in (CONNECT, SUBSCRIBE, PUBLISH)]
        assert kinds[:5] == [CONNECT, SUBSCRIBE, CONNECT, SUBSCRIBE, PUBLISH], (engine, broker.came)
        assert broker.of(SUBSCRIBE)[0][2:] == broker.of(SUBSCRIBE)[1][2:], (engine, broker.came)


def test_an_alias_in_a_session_that_is_kept():
    """What may be sent again goes out in another connection, where no alias is known: so it has a topic and no alias."""
    published, connects = [], []

    def hello(_):
        connects.append(1)
        return packet(0x20, bytes([len(connects) > 1, 0, 0])) if len(connects) > 1 else connack(b"\x22\0\5")

    def answer(body):
        published.append(body)
        if len(published) == 2:
            raise ConnectionResetError("the broker goes away before it has acknowledged")
        return puback(body)

    summary = run(Broker(hello, {PUBLISH: answer}),
                  ["{ mqtt: publish a, qos: 1, topic-alias: 3 }", "{ mqtt: publish a, qos: 1, topic-alias: 3, name: lost }",
                   "{ mqtt: publish b, qos: 1, name: behind it }"], ", clean-start: false, session-expiry: 1h")
    topics = [body[2:2 + int.from_bytes(body[:2], "big")] for body in published]
    assert topics == [b"a", b"a", b"a", b"b"], (topics, said(summary))
    assert not any(b"\x23\0\3" in body for body in published), published
    assert sum(row["metrics"]["redelivered_messages"] for row in summary["steps"]) == 1, summary["steps"]


def test_subscriptions_of_a_session_that_is_forgotten():
    """All of them come back, each with its step and its identifier: what is delivered then is booked where it was before."""
    subscribed = []

    def suback(body):
        subscribed.append(body)
        filters = body.count(b"/")
        answer = packet(0x90, body[:2] + b"\0" + b"\0" * filters)
        return answer + (message(b"\0\3a/0\0\7\2\x0b\x05hi", 0x32) if len(subscribed) == 3 else b"")

    def goes_away(body):
        raise ConnectionResetError("what it was sent last")

    many = {name: ", ".join(f'"{name}/{number}"' for number in range(40)) for name in "ab"}
    broker = Broker(answers={SUBSCRIBE: suback, PUBLISH: goes_away})
    summary = run(broker,
                  [f"{{ mqtt: subscribe, name: one, subscription-id: 5, filters: [ {many['a']} ] }}",
                   f"{{ mqtt: subscribe, name: two, filters: [ {many['b']} ] }}",
                   "{ mqtt: publish c, qos: 1, name: lost }", "{ mqtt: await a/0 }"])
    assert [body[2:].split(b"\0", 1)[0] for body in subscribed] == [b"\2\x0b\5", b"", b"\2\x0b\5", b""], subscribed
    assert [body.count(b"/") for body in subscribed] == [40] * 4, subscribed
    delivered = {row["name"]: row["metrics"]["delivered_messages"] for row in summary["steps"]}
    assert delivered["one"] == 1 == sum(delivered.values()), delivered
    assert broker.of(4)[0][:2] == b"\0\7", broker.came  # acknowledged, though the session was not open again yet


def test_what_the_broker_does_not_take_is_not_sent():
    """QoS 0 has no answer: a message is sent when the kernel has it, and who sends is held back to what the broker takes. A
    broker that reads nothing until the run is over finds each message that was counted."""
    over, came = threading.Event(), []

    def slow(peer):
        packets = Packets()
        while data := peer.socket.recv(65536):
            for kind, _, _, _ in packets.feed(data):
                came.append(kind)
                if kind == CONNECT:
                    peer.send(connack())
                    over.wait(60)
        came.append("end")

    path = scratch("slow.yaml")
    with Server(slow) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ broker: {{ url: \"mqtt://127.0.0.1:{server.port}\", client-id: d }} }}\n"
                      "drain: 0s\nload: [ { users: 1, for: 1s } ]\nflow: [ { mqtt: publish a, size: 4KiB } ]\n")
        summary = squall_run(path, "-w", 1, "--trust", "off")
        over.set()
        wait_until(lambda: "end" in came, "all that was sent")
    totals, found = summary["totals"], came.count(PUBLISH)
    assert (totals["ok"], totals["unfinished"]) == (totals["begun"] - 1, 1), totals
    assert 0 < totals["ok"] <= found <= totals["ok"] + 1, (totals, found)


def test_keep_alive():
    """Silence is broken by PINGREQ, and its answer is timed; without an answer the session is lost."""
    broker = Broker(answers={PING: packet(0xd0)})
    summary = run(broker, ["{ mqtt: publish a }", "{ think: 2500ms }", "{ mqtt: publish a, name: still there }"], ", keep-alive: 1s")
    pings = sum(row["metrics"]["ping_ns"]["count"] for row in summary["steps"])
    # The answer to the last one may come when the run is over.
    assert summary["totals"]["ok"] == 2 and 1 <= pings <= len(broker.of(PING)) <= pings + 1, (summary["totals"], pings, broker.came)
    summary = run(Broker(), ["{ mqtt: publish a }", "{ mqtt: await a }"], ", keep-alive: 1s, timeout: 10s")
    assert "no PINGRESP within the keep-alive (3.1.2.10)" in said(summary), said(summary)
    # What the broker names counts instead of ours.
    broker = Broker(connack(b"\x13\0\1"), {PING: packet(0xd0)})
    summary = run(broker, ["{ mqtt: publish a }", "{ think: 2500ms }", "{ mqtt: publish a, name: still there }"], ", keep-alive: 1h")
    assert summary["totals"]["ok"] == 2 and broker.of(PING), (summary["totals"], broker.came)


if __name__ == "__main__":
    main(globals())
