"""The server's side of gRPC over a raw socket: every byte of it is a test's own, by hyperframe and hpack."""
import struct

from harness import need_module

hpack, hf = need_module("hpack"), need_module("hyperframe.frame")

HEAD = [(":status", "200"), ("content-type", "application/grpc")]
FINE = [("grpc-status", "0")]
EMPTY = b"\0\0\0\0\0"


class Session:
    """The server's side of one connection; `calls` yields the streams of requests that are complete."""

    def __init__(self, peer, settings=None):
        self.peer, self.input, self.encoder, self.decoder = peer, b"", hpack.Encoder(), hpack.Decoder()
        self.fields, self.body = {}, {}  # of the requests, by stream
        self.peer.socket.settimeout(20)
        self.send(hf.SettingsFrame(0, settings=settings or {}))

    def send(self, *frames):
        self.peer.socket.sendall(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))

    def exactly(self, count):
        while len(self.input) < count:
            data = self.peer.socket.recv(65536)
            if not data:
                return None
            self.input += data
        data, self.input = self.input[:count], self.input[count:]
        return data

    def calls(self):
        if not self.exactly(24):
            return
        while True:
            head = self.exactly(9)
            if not head:
                return
            length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
            payload = self.exactly(length)
            if kind == 1:
                self.fields[stream], self.body[stream] = dict(self.decoder.decode(payload)), b""
            elif kind == 0:
                self.body[stream] += payload
            if kind == 4 and not flags & 1:
                self.send(hf.SettingsFrame(0, flags=["ACK"]))
            elif kind == 6 and not flags & 1:
                self.send(struct.pack(">BHBBI", 0, 8, 6, 1, 0) + b"\0" * 8)
            elif kind in (0, 1) and flags & 1:
                yield stream

    def headers(self, stream, fields, end=False):
        return hf.HeadersFrame(stream, data=self.encoder.encode(fields), flags=["END_HEADERS"] + (["END_STREAM"] if end else []))

    def answer(self, stream, data=EMPTY, head=HEAD, trailers=FINE):
        self.send(self.headers(stream, head), hf.DataFrame(stream, data=data), self.headers(stream, trailers, end=True))
