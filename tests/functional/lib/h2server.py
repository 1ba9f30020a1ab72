"""HTTP/2 servers that are not well-behaved: frames written by hand (RFC 9113 6), on top of servers.Server.

A handler of a Server gets a Peer and wraps it: `for stream in Session(peer).requests(): ...`. Nothing here keeps to any
rule that it is not told to keep.
"""
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK = END_STREAM = 1
END_HEADERS, PADDED = 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 7, 8, 11
INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS = 4, 3


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def field(name, value):
    """A literal that enters no table, without Huffman coding (RFC 7541 6.2.2)."""
    def text(value):
        value = value.encode()
        assert len(value) < 127
        return bytes((len(value),)) + value
    return b"\x00" + text(name) + text(value)


def status(code):
    return b"\x88" if code == 200 else b"\x08\x03" + str(code).encode()


def head(stream, code=200, end=False, fields=()):
    block = status(code) + b"".join(field(*pair) for pair in fields)
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


def answer(stream, body=b"ok"):
    return head(stream) + frame(DATA, END_STREAM, stream, body)


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=NO_ERROR, text=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + text)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(stream, more):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", more))


class Session:
    """The server's side of one connection: says its SETTINGS, answers the client's, and hands out what comes."""

    def __init__(self, peer, *pairs):
        self.peer, self.socket, self.number = peer, peer.socket, peer.number
        self.input = b""
        self._read(len(PREFACE))
        self.send(settings(*pairs))

    def send(self, data):
        self.socket.sendall(data)

    def _read(self, size):
        while len(self.input) < size:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the client has closed")
            self.input += data
        taken, self.input = self.input[:size], self.input[size:]
        return taken

    def frames(self):
        """(kind, flags, stream, payload), until the client closes; its SETTINGS are acknowledged."""
        while True:
            try:
                first = self._read(9)
                kind, flags, stream = first[3], first[4], struct.unpack(">I", first[5:])[0]
                payload = self._read(int.from_bytes(first[:3], "big"))
            except OSError:
                return
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK, 0))
            yield kind, flags, stream, payload

    def requests(self):
        """The stream of each request, counted, when its head is here."""
        for kind, _, stream, _ in self.frames():
            if kind == HEADERS:
                with self.peer.server.lock:
                    self.peer.server.requests += 1
                yield stream

    def drain(self):
        for _ in self.frames():
            pass
