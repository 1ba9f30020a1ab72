"""Section `devices` of `compare`: what an MQTT device takes of our memory while it keeps a session open and does nothing.

A device is one user with its one connection. Each has published one message of QoS 1, so that it has whatever a device has
that did something, and then thinks. A subscriber counts the messages, which says when all have. Memory is what `idle`
measures: resident bytes of the workers, with so many devices less with a hundred, so that what a worker takes by itself
falls out.
"""
import os
import resource
import socket
import time

from certificates import Authority
from common import scratch, table, written
from brokers import Mosquitto
from harness import Process, free_port
from mqtt_wire import PUBLISH, Packets, packet
from users import children, missing, resident

DEVICES = """squall: 1
targets: {{ broker: {{ url: "{url}", version: "{version}", client-id: "device-${{user.id}}", keep-alive: 10m, connect-timeout: 60s{tls} }} }}
load: [ {{ users: {users}, for: 300s }} ]
flow: [ {{ mqtt: "publish devices/${{user.id}}", qos: 1, size: 16B }}, {{ think: 290s }} ]
"""
WAIT_S = 120


class Counter:
    """Subscribes to what the devices publish, and counts."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.connection.sendall(packet(0x10, b"\0\4MQTT\4\2\0\0\0\7counter"))
        self.connection.sendall(packet(0x82, b"\0\1\0\11devices/#\0"))
        self.packets, self.kinds = Packets(), []
        self.until(lambda: 9 in self.kinds, "the broker to grant the subscription")

    def until(self, reached, what):
        deadline = time.monotonic() + WAIT_S
        while not reached():
            data = self.connection.recv(1 << 16)
            assert data and time.monotonic() < deadline, f"waited for {what}"
            self.kinds += [kind for kind, *_ in self.packets.feed(data)]

    def messages(self, count):
        self.until(lambda: self.kinds.count(PUBLISH) >= count, f"{count} devices to publish")


def memory(bench, broker, url, version, devices):
    """Resident bytes of two workers whose devices have all published once and think."""
    secure = url.startswith("mqtts")
    text = DEVICES.format(url=url, version=version, users=devices, tls=", tls: { insecure: true }" if secure else "")
    counter = Counter(broker.port)
    with Process([bench.options.squall, "run", written("devices.yaml", text), "-w", "2", "--trust", "off"]) as process:
        counter.messages(devices)
        time.sleep(1)  # the last snapshot with an answer in it goes out
        found = sum(map(resident, children(process.pid)))
        process.child.kill()  # its workers end with it
    counter.connection.close()
    return found


def broker_lines():
    """A second listener, with TLS; returns its port too."""
    farm, port = Authority("devices"), free_port()
    farm.issue("server")
    os.chmod(scratch(), 0o755)  # the broker drops its rights before it reads them
    for name in ("server.crt", "server.key"):
        os.chmod(farm.path(name), 0o644)
    return port, f"listener {port} 127.0.0.1\ncertfile {farm.path('server.crt')}\nkeyfile {farm.path('server.key')}\n"


def devices(bench):
    users = bench.options.users
    print(f"## {users:,} MQTT devices that keep a session open, a connection each, two workers\n")
    if missing(bench, ["squall", "mosquitto"]):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port, lines = broker_lines()
    rows = []
    for name, version, secure, aim in (("3.1.1", "3.1.1", False, "1.5"), ("5", "5", False, "1.5"), ("3.1.1 over TLS 1.3", "3.1.1", True, "24")):
        with Mosquitto(lines) as broker:
            url = f"mqtts://127.0.0.1:{port}" if secure else f"mqtt://127.0.0.1:{broker.port}"
            few, many = memory(bench, broker, url, version, 100), memory(bench, broker, url, version, users + 100)
        rows.append([name, f"{(many - few) / users / 1024:.2f}", aim])
    table(["devices", "KiB a device", "aimed at, at most"], rows)
