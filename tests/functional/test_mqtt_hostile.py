"""Brokers that break the protocol: every case is a user of one run, and each must end as the standards say, in the
outcome and with the reason that are told; the run goes on, and squall's memory stays bounded.

A case: version, kind of step, what the broker says in place of CONNACK (None: a proper one), what it answers to the
step, the outcome, and what the list of errors says.
"""
import json
from concurrent.futures import ThreadPoolExecutor

from harness import main, scratch
from mqtt_wire import CONNECT, Packets, client_id, packet
from proof import Run
from servers import Server

OK_ACK = {4: packet(0x20, b"\0\0"), 5: packet(0x20, b"\0\0\0")}
FLAGS, OTHER = "reserved bits of the first byte", "only the other side may send"
LENGTH, ENDS, BEHIND = "a Remaining Length that this packet cannot have", "it ends inside a field", "bytes behind its last field"
REASON, STATE = "a reason code that this packet cannot carry", "it does not answer what has this packet identifier"


def both(*rest):
    return [(4, *rest), (5, *rest)]


PUBLISH_1 = [
    *both(None, packet(0x40, b"\0\1"), "ok", ""),
    (5, None, packet(0x40, b"\0\1\x10"), "ok", ""),
    (5, None, packet(0x40, b"\0\1\x97"), "rejected", "151 quota exceeded"),
    (5, None, packet(0x40, b"\0\1\x87\0"), "rejected", "135 not authorized"),
    # instead of CONNACK
    (4, packet(0x20, b"\0\5"), b"", "unreachable", "CONNACK: not authorized"),
    (5, packet(0x20, b"\0\x89\0"), b"", "unreachable", "CONNACK: server busy"),
    (4, packet(0x20, b"\0\6"), b"", "unreachable", "CONNACK: " + REASON),
    (5, packet(0x20, b"\0\x04\0"), b"", "unreachable", "CONNACK: " + REASON),
    *both(packet(0x20, b"\2\0\0"[:2]), b"", "unreachable", "CONNACK: a reserved bit of the CONNACK flags"),
    (4, packet(0x20, b"\0"), b"", "unreachable", "CONNACK: " + LENGTH),
    (5, packet(0x20, b"\0"), b"", "unreachable", "CONNACK: " + ENDS),
    (5, packet(0x20, b"\0\0\3\x21\0\0"), b"", "unreachable", "CONNACK: a property's number outside"),
    *both(packet(0x21, b"\0\0"), b"", "unreachable", "CONNACK: " + FLAGS),
    *both(packet(0x40, b"\0\1"), b"", "unreachable", "PUBACK: CONNACK must come first"),
    *both(packet(0xd0), b"", "unreachable", "PINGRESP: CONNACK must come first"),
    (4, packet(0x20, b"\1\0"), b"", "unreachable", "CONNACK: Session Present after a clean start"),
    (5, packet(0x20, b"\0\0\4\x15\0\1m"), b"", "unreachable", "CONNACK: a method of authentication that CONNECT did not name"),
    (5, packet(0xf0, b"\x18\0"), b"", "unreachable", "AUTH: no method of authentication was named"),
    *both(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", "unreachable", ""),
    # in the open session
    *both(None, OK_ACK[4], "malformed", "CONNACK: "),
    *both(None, b"\x00\x00", "malformed", "a packet type that is reserved"),
    *both(None, packet(0x10, b"\0\4MQTT\4\2\0\0\0\0"), "malformed", "CONNECT: a packet that " + OTHER),
    *both(None, packet(0x82, b"\0\1\0\1a\0"), "malformed", "SUBSCRIBE: a packet that " + OTHER),
    *both(None, packet(0xa2, b"\0\1\0\1a"), "malformed", "UNSUBSCRIBE: a packet that " + OTHER),
    *both(None, packet(0xc0), "malformed", "PINGREQ: a packet that " + OTHER),
    (4, None, packet(0xe0), "malformed", "DISCONNECT: a packet that " + OTHER),
    (5, None, packet(0xe0, b"\x8e"), "disconnected", "DISCONNECT by the broker: session taken over"),
    (5, None, packet(0xe0, b"\4"), "malformed", "DISCONNECT: " + REASON),
    (4, None, packet(0xf0), "malformed", "a packet type that is reserved"),
    (5, None, packet(0xf0, b"\x18\0"), "malformed", "AUTH: no method of authentication was named"),
    *both(None, packet(0x41, b"\0\1"), "malformed", "PUBACK: " + FLAGS),
    *both(None, packet(0x60, b"\0\1"), "malformed", "PUBREL: " + FLAGS),
    *both(None, packet(0xd1), "malformed", "PINGRESP: " + FLAGS),
    *both(None, packet(0xd0), "malformed", "PINGRESP: nobody asked for it"),
    (4, None, packet(0xd0, b"\0"), "malformed", "PINGRESP: " + BEHIND),
    (4, None, packet(0x40, b"\0\1\0"), "malformed", "PUBACK: " + LENGTH),
    (5, None, packet(0x40, b"\0\1\0\0\0"), "malformed", "PUBACK: " + BEHIND),
    (5, None, packet(0x40, b"\0\1\x92"), "malformed", "PUBACK: " + REASON),
    *both(None, packet(0x40, b"\0\0"), "malformed", "PUBACK: packet identifier 0"),
    *both(None, packet(0x50, b"\0\1"), "malformed", "PUBREC: " + STATE),
    *both(None, packet(0x70, b"\0\1"), "malformed", "PUBCOMP: " + STATE),
    *both(None, packet(0x90, b"\0\1" + b"\0" * 2), "malformed", "SUBACK: "),
    (4, None, packet(0xb0, b"\0\1"), "malformed", "UNSUBACK: " + STATE),
    *both(None, packet(0x36, b"\0\1a\0\1"), "malformed", "PUBLISH: QoS 3"),
    *both(None, packet(0x38, b"\0\1a"), "malformed", "PUBLISH: DUP with QoS 0"),
    *both(None, packet(0x30, b"\0\3a/#\0"), "malformed", "PUBLISH: a topic name with a wildcard"),
    *both(None, packet(0x30, b"\0\2\xc3\x28\0"), "malformed", "PUBLISH: a string that is not UTF-8"),
    *both(None, packet(0x30, b"\0\x09ab\0"), "malformed", "PUBLISH: " + ENDS),
    (5, None, packet(0x30, b"\0\1a\3\x23\0\1"), "malformed", "PUBLISH: a topic alias above the maximum"),
    (5, None, packet(0x30, b"\0\1a\4\1\0\1\0"), "malformed", "PUBLISH: a property given twice"),
    (5, None, packet(0x30, b"\0\1a\3\x21\0\1"), "malformed", "PUBLISH: a property that this packet cannot carry"),
    (5, None, packet(0x30, b"\0\1a\x80\0"), "malformed", "PUBLISH: a Variable Byte Integer of more bytes"),
    *both(None, b"\x30\xff\xff\xff\x7f", "malformed", "PUBLISH: larger than the largest packet"),
    *both(None, b"\x30\xff\xff\xff\xff\x01", "malformed", "PUBLISH: a Remaining Length of more bytes"),
    *both(None, b"\x40\2\0", "disconnected", "connection closed by the peer"),
    # what is odd and allowed: messages that nobody subscribed to, acknowledgements of nothing, and the right one behind
    *both(None, packet(0x30, b"\0\1a\0x") + packet(0x40, b"\0\x09") + packet(0x40, b"\0\1"), "ok", ""),
    *both(None, packet(0x62, b"\0\7") + packet(0x40, b"\0\1"), "ok", ""),
]
PUBLISH_2 = [
    *both(None, packet(0x50, b"\0\1") + packet(0x70, b"\0\1"), "ok", ""),
    *both(None, packet(0x50, b"\0\1") * 2 + packet(0x70, b"\0\1"), "ok", ""),
    (5, None, packet(0x50, b"\0\1\x80"), "rejected", "128 unspecified error"),
    (5, None, packet(0x50, b"\0\1") + packet(0x70, b"\0\1\x92"), "rejected", "146 packet identifier not found"),
    *both(None, packet(0x40, b"\0\1"), "malformed", "PUBACK: " + STATE),
    *both(None, packet(0x70, b"\0\1"), "malformed", "PUBCOMP: " + STATE),
    *both(None, packet(0x51, b"\0\1"), "malformed", "PUBREC: " + FLAGS),
    *both(None, packet(0x50, b"\0\1") + packet(0x72, b"\0\1"), "malformed", "PUBCOMP: " + FLAGS),
]
SUBSCRIBE = [
    (4, None, packet(0x90, b"\0\1\1"), "ok", ""),
    (5, None, packet(0x90, b"\0\1\0\1"), "ok", ""),
    (4, None, packet(0x90, b"\0\1\x80"), "rejected", "128 unspecified error"),
    (5, None, packet(0x90, b"\0\1\0\x9e"), "rejected", "158 shared subscriptions not supported"),
    (4, None, packet(0x90, b"\0\1\3"), "malformed", "SUBACK: " + REASON),
    (5, None, packet(0x90, b"\0\1\0\x11"), "malformed", "SUBACK: " + REASON),
    (5, None, packet(0x90, b"\0\1\0"), "malformed", "SUBACK: no reason code at all"),
    *both(None, packet(0x92, b"\0\1\0\0"), "malformed", "SUBACK: " + FLAGS),
    *both(None, packet(0x40, b"\0\1"), "malformed", "PUBACK: " + STATE),
    (4, None, packet(0xb0, b"\0\1"), "malformed", "UNSUBACK: " + STATE),
]
KINDS = (("publish a", 1, PUBLISH_1), ("publish a", 2, PUBLISH_2), ("subscribe a", 1, SUBSCRIBE))

SCENARIO = """
squall: 1
targets:
  broker: {{ url: "mqtt://127.0.0.1:{port}", version: "{version}", client-id: "${{user.id}}", timeout: 5s }}
load: [ {{ users: {users}, iterations: {users} }} ]
flow: [ {{ mqtt: {step}, qos: {qos}, name: it }} ]
"""


def broker_of(cases):
    def serve(peer):
        packets, case = Packets(), None
        while True:
            data = peer.socket.recv(65536)
            if not data:
                return
            for kind, _, body, _ in packets.feed(data):
                if kind == CONNECT:
                    case = cases[int(client_id(body)) - 1]
                    peer.send(case[1] or OK_ACK[case[0]])
                elif kind in (3, 8):
                    peer.send(case[2])
                    if case[3] == "disconnected" and "closed" in case[4]:
                        return
    return serve


def walk(version, step, qos, cases):
    path = scratch(f"hostile-{version}-{qos}-{step.split()[0]}.yaml")
    with Server(broker_of(cases)) as server:
        with open(path, "w", encoding="utf-8") as out:
            out.write(SCENARIO.format(port=server.port, version={4: "3.1.1", 5: "5"}[version], users=len(cases), step=step, qos=qos))
        with Run(path, "--iterations", len(cases), raw=True) as run:
            run.end(None)
        summary = run.summary()
        lines = {line["user"]: line for line in run.raw()}
    said = "\n".join(error["text"] for error in summary["errors"])
    for number, case in enumerate(cases, 1):
        outcome = lines[number]["outcome"]
        assert outcome == case[3], (case, outcome, json.dumps(lines[number]))
        assert case[4] in said, (case, said)
    assert summary["generator"]["rss_bytes_max"] < 200 << 20, summary["generator"]


def test_every_case():
    for step, qos, table in KINDS:
        for version in (4, 5):
            cases = [case for case in table if case[0] == version]
            walk(version, step, qos, [case for case in cases if case[3] != "unreachable"])


def test_every_refusal():
    """A session that never opens keeps the run from starting, which is the right outcome there. The runs wait most of their time,
    so they wait beside each other."""
    cases = [(step, qos, case) for step, qos, table in KINDS for case in table if case[3] == "unreachable"]
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(refused, number, *case) for number, case in enumerate(cases)]:
            done.result()


def refused(number, step, qos, case):
    version, path = case[0], scratch(f"refused-{number}.yaml")
    with Server(broker_of([case])) as server:
        with open(path, "w", encoding="utf-8") as out:
            text = SCENARIO.format(port=server.port, version={4: "3.1.1", 5: "5"}[version], users=1, step=step, qos=qos)
            out.write(text.replace("timeout: 5s", "connect-timeout: 5s"))
        with Run(path, suffix=f"-{number}") as run:
            run.end(3)
    assert case[4] in run.err, (case, run.err)


if __name__ == "__main__":
    main(globals())
