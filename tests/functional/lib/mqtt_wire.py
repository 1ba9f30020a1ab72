"""MQTT packets byte by byte, for brokers that a test scripts and for a proxy between a client and a broker."""
import socket
import struct
import threading

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
HEADER = struct.Struct(">4sIQQQQ")  # of a tracked payload: mark, run, publisher, sequence, intended, sent


def packet(first, body=b""):
    """A packet whole: the first byte, Remaining Length, the rest."""
    length, left = b"", len(body)
    while True:
        left, part = left >> 7, left & 0x7f
        length += bytes([part | (0x80 if left else 0)])
        if not left:
            return bytes([first]) + length + body


class Packets:
    """Cuts a stream into packets: (type, flags, body, all its bytes) each."""

    def __init__(self):
        self.input = b""

    def feed(self, data):
        self.input += data
        while True:
            length = size = 0
            for at in range(1, 6):
                if at >= len(self.input):
                    return
                length |= (self.input[at] & 0x7f) << 7 * (at - 1)
                if not self.input[at] & 0x80:
                    size = 1 + at + length
                    break
            if not size or len(self.input) < size:
                return
            whole, self.input = self.input[:size], self.input[size:]
            yield whole[0] >> 4, whole[0] & 15, whole[size - length:], whole


def client_id(body):
    """Of a CONNECT of either version."""
    at = 10
    if body[6] == 5:
        at += 1 + body[10]  # properties of fewer than 128 bytes
    length, = struct.unpack_from(">H", body, at)
    return body[at + 2:at + 2 + length].decode()


class Proxy:
    """Between clients and a broker. What the broker sends goes through change(whole packets of one read) -> packets to
    send, called for one connection at a time; `change` keeps what it likes."""

    def __init__(self, port, change):
        self.broker_port, self.change = port, change
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=511)
        self.port = self.listener.getsockname()[1]
        self.sockets = []

    def url(self, topic=""):
        return f"mqtt://127.0.0.1:{self.port}/{topic}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, broker]
            threading.Thread(target=self._carry, args=(client, broker, None), daemon=True).start()
            threading.Thread(target=self._carry, args=(broker, client, Packets()), daemon=True).start()

    def _carry(self, source, sink, packets):
        state = {}
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if packets:
                    with self.lock:
                        data = b"".join(self.change(list(packets.feed(data)), state))
                if data:
                    sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __exit__(self, *_):
        self.listener.close()
        for one in self.sockets:
            one.close()
