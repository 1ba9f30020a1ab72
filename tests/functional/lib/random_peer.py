"""A server whose every connection does something by chance, all of it from one seed: what it does is the same for the same seed, as
far as the client asks in the same order, and `trace` tells what it has done.

HTTP/2 and gRPC answer streams, MQTT packets; each answer is one of the good one (most of the time), a part of it, a lie, noise,
silence, or an end of the connection. Some connections are bad from their first byte.
"""
import random
import threading

import h2server
from grpc_session import EMPTY, FINE, HEAD, Session, hf
from mqtt_wire import CONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE, Packets, packet
from protocols import PINGREQ

# (name, weight): of an answer.
ANSWERS = (("good", 60), ("split", 8), ("late", 6), ("never", 3), ("cut and reset", 4), ("cut and close", 4), ("reset", 3), ("close", 3),
           ("twice", 2), ("flipped", 3), ("noise", 2), ("odd", 2))
# Of a connection, before it has said anything.
GREETINGS = (("good", 88), ("reset", 3), ("close", 3), ("noise", 2), ("silent", 2), ("half", 2))
PINGRESP = 13


def mqtt_good(version, kind, flags, body):
    """The right answer to a packet, empty where there is none; a subscription brings a message with it."""
    five = b"\0" if version == 5 else b""
    if kind == CONNECT:
        return packet(0x20, b"\0\0" + five)
    if kind == PUBLISH and flags & 6:
        at = 2 + int.from_bytes(body[:2], "big")
        return packet((PUBREC if flags & 4 else PUBACK) << 4, body[at:at + 2])
    if kind == PUBREL:
        return packet(PUBCOMP << 4, body[:2])
    if kind == SUBSCRIBE:
        return packet(SUBACK << 4, body[:2] + five + b"\0") + packet(0x30, b"\0\1t" + five + b"hi")
    return packet(PINGRESP << 4) if kind == PINGREQ else b""


class RandomPeer:
    """A handler of servers.Server. kind: h2, grpc or mqtt."""

    def __init__(self, kind, seed):
        self.kind, self.seed, self.trace, self.lock = kind, seed, [], threading.Lock()

    def note(self, peer, what):
        with self.lock:
            self.trace.append(f"{peer.number}:{what}")

    def __call__(self, peer):
        chance = random.Random(self.seed * 100003 + peer.number)
        greeting = self.pick(chance, GREETINGS)
        if greeting != "good":
            self.note(peer, f"greeting {greeting}")
        if greeting == "reset":
            peer.reset()
        elif greeting == "noise":
            peer.send(chance.randbytes(chance.randrange(1, 4000)))
            peer.sleep(0.05)
        elif greeting == "half":
            peer.send(b"\0\0\6" if self.kind != "mqtt" else b"\x20")
            peer.reset()
        elif greeting == "silent":
            peer.sleep(chance.uniform(0, 2))
        elif greeting == "good":
            {"h2": self.h2, "grpc": self.grpc, "mqtt": self.mqtt}[self.kind](peer, chance)

    @staticmethod
    def pick(chance, table):
        return chance.choices([name for name, _ in table], [weight for _, weight in table])[0]

    def answer(self, peer, chance, good, odd):
        """Sends one; False when the connection is over."""
        what = self.pick(chance, ANSWERS)
        if what != "good":
            self.note(peer, what)
        if what == "reset":
            peer.reset()
            return False
        if what == "close":
            return False
        if what.startswith("cut"):
            peer.send(good[:chance.randrange(len(good))])
            if what == "cut and reset":
                peer.reset()
            return False
        if what == "split":
            for at in range(0, len(good), 3):
                peer.send(good[at:at + 3])
        elif what == "flipped":
            bad = bytearray(good)
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
            peer.send(bytes(bad))
        elif what == "noise":
            peer.send(chance.randbytes(chance.randrange(1, 200)))
        elif what == "odd":
            peer.send(chance.choice(odd) + good)
        elif what != "never":
            if what == "late":
                peer.sleep(chance.uniform(0, 0.3))
            peer.send(good * (2 if what == "twice" else 1))
        return True

    def h2(self, peer, chance):
        session = h2server.Session(peer, *chance.choice(((), ((3, 1),), ((4, 0),), ((1, 0), (3, 7)))))
        for stream in session.requests():
            odd = (h2server.goaway(stream), h2server.goaway(0), h2server.reset(stream, chance.randrange(14)), h2server.window(0, 0),
                   h2server.settings((3, chance.randrange(3)), (4, chance.randrange(1 << 20))), h2server.frame(chance.randrange(12), 0xff, stream, b"?"),
                   h2server.head(stream, 103), h2server.frame(6, 0, 0, bytes(8)) * 50)
            if not self.answer(peer, chance, h2server.answer(stream), odd):
                return

    def grpc(self, peer, chance):
        session = Session(peer, chance.choice(({}, {3: 1}, {4: 0}, {1: 0, 3: 7})))
        peer.socket.settimeout(None)
        for stream in session.calls():
            status = [("grpc-status", str(chance.choice((0, 0, 0, 0, 14, 99))))]
            good = b"".join(part.serialize() for part in (session.headers(stream, HEAD), hf.DataFrame(stream, data=EMPTY * chance.choice((1, 1, 1, 3))),
                                                          session.headers(stream, status, end=True)))
            odd = (h2server.goaway(stream), h2server.goaway(0), h2server.reset(stream, chance.randrange(14)), h2server.window(0, 0),
                   h2server.frame(chance.randrange(12), 0xff, stream, b"?"), hf.DataFrame(stream, data=b"\0\xff\xff\xff\xff").serialize(),
                   session.headers(stream, FINE, end=True).serialize())
            if not self.answer(peer, chance, good, odd):
                return

    def mqtt(self, peer, chance):
        packets, version = Packets(), 5
        while data := peer.socket.recv(65536):
            for kind, flags, body, _ in packets.feed(data):
                version = body[6] if kind == CONNECT else version
                good = mqtt_good(version, kind, flags, body)
                odd = (packet(0x30, b"\0\1t\0hi"), packet(0x32, b"\0\1t\0\1\0hi"), packet(0x34, b"\0\1t\0\2\0hi"), packet(0xd0), packet(0x40, b"\xff\xff"),
                       packet(0xe0, b"\x8b"), packet(0x62, b"\0\7"), b"\x30\xff\xff\xff\x7f", packet(chance.randrange(256), chance.randbytes(5)))
                if good and not self.answer(peer, chance, good, odd):
                    return
