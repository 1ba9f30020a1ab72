"""HTTP/2, gRPC and MQTT, the last two on both engines, for faults that are tried on all of them alike: how a run of each is
asked for, a real server of it, and one whose answers a test holds in its hand.

In each an exchange asks one thing and gets one answer: GET /, a unary call, a PUBLISH with QoS 1.
"""
import os
import shutil
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import grpc_session
import h2server
from brokers import Mosquitto
from harness import SQUALL, Target, missing, scratch
from mqtt_wire import CONNECT, PUBLISH, SUBSCRIBE, Packets, packet

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "protocols", "grpc", "service", "demo.proto")
METHOD = "squall.demo.Demo/Unary"
PINGREQ = 12
_files = threading.Lock()
_file_count = 0


# ---- scripted servers: answers(peer) says of each request whether it gets its answer; Server.requests counts them ----

def _counted(peer):
    with peer.server.lock:
        peer.server.requests += 1


def h2_handler(answers):
    def serve(peer):
        session = h2server.Session(peer)
        for stream in session.requests():
            if answers(peer):
                session.send(h2server.answer(stream))
    return serve


def grpc_handler(answers):
    def serve(peer):
        session = grpc_session.Session(peer)
        peer.socket.settimeout(None)
        for stream in session.calls():
            _counted(peer)
            if answers(peer):
                session.answer(stream)
    return serve


def mqtt_answer(kind, body):
    """To a PUBLISH with QoS 1 or a SUBSCRIBE of one filter, by 5."""
    if kind == SUBSCRIBE:
        return packet(0x90, body[:2] + b"\0\1")
    at = 2 + int.from_bytes(body[:2], "big")
    return packet(0x40, body[at:at + 2])


def mqtt_handler(answers):
    def serve(peer):
        packets = Packets()
        while data := peer.socket.recv(65536):
            for kind, _, body, _ in packets.feed(data):
                if kind == CONNECT:
                    peer.send(packet(0x20, b"\0\0\0"))
                elif kind == PINGREQ:
                    peer.send(packet(0xd0))
                elif kind in (PUBLISH, SUBSCRIBE):
                    _counted(peer)
                    if answers(peer):
                        peer.send(mqtt_answer(kind, body))
    return serve


# ---- real servers: on a port of their own choice, unless one is given ----

def target_of(protocol):
    return lambda port=0: Target(protocol=protocol, port=port)


def mosquitto(port=0):
    return Mosquitto(port=port or None)


class Protocol:
    """One of them. flags: of the URL form; target: keys of a scenario's target; step: of its flow."""

    def __init__(self, name, scheme, path, flags, target, step, server, handler):
        self.name, self.scheme, self.path, self.flags = name, scheme, path, flags
        self.target, self.step, self.server, self.handler = target, step, server, handler

    def arguments(self, port):
        return f"{self.scheme}://127.0.0.1:{port}/{self.path}", *self.flags

    def scenario(self, port, rest, more=""):
        """A file with one target, `more` being keys of it, and what follows in `rest`, where STEP is the step. Its path."""
        global _file_count
        with _files:
            _file_count += 1
            path = scratch(f"{self.name}-{_file_count}.yaml")
            if not os.path.exists(scratch("demo.proto")):
                shutil.copy(DEMO, scratch("demo.proto"))
        keys = ", ".join([f'url: "{self.scheme}://127.0.0.1:{port}"', *self.target, *([more] if more else [])])
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ it: {{ {keys} }} }}\n" + rest.replace("STEP", self.step))
        return path


GRPC, MQTT = f"grpc: {METHOD}", "mqtt: publish t, qos: 1"
PROTOCOLS = [
    Protocol("h2", "http", "", ("--h2",), ("http: h2",), "http: GET /", target_of(None), h2_handler),
    Protocol("grpc", "grpc", METHOD, ("--proto", DEMO), ("proto: demo.proto",), GRPC, target_of("grpc"), grpc_handler),
    Protocol("grpc-core", "grpc", METHOD, ("--proto", DEMO, "--engine", "core"), ("proto: demo.proto", "engine: core"), GRPC,
             target_of("grpc"), grpc_handler),
    Protocol("mqtt", "mqtt", "t", ("--qos", "1"), (), MQTT, mosquitto, mqtt_handler),
    Protocol("mqtt-paho", "mqtt", "t", ("--qos", "1", "--engine", "paho"), ("engine: paho",), MQTT, mosquitto, mqtt_handler),
]


def need_protocols():
    """All of them are built; otherwise the test is skipped, or fails in CI."""
    folder = os.path.join(os.path.dirname(SQUALL), "..", "lib", "squall")
    for name in ("grpc", "grpc-core", "mqtt-paho"):
        if not os.path.exists(os.path.join(folder, name + ".so")):
            missing(f"{name}.so: build with what `cmake` names as missing for it")


def each(test, names=""):
    """Runs test(protocol) for all of them beside each other, since they wait most of their time; names: only these."""
    scratch()
    chosen = [protocol for protocol in PROTOCOLS if not names or protocol.name in names.split()]
    failures = []

    def one(protocol):
        try:
            test(protocol)
        except Exception as problem:  # pylint: disable=broad-except
            failures.append(f"{protocol.name}: {problem}\n{traceback.format_exc()}")

    with ThreadPoolExecutor(len(chosen)) as pool:
        list(pool.map(one, chosen))
    assert not failures, "\n".join(failures)
