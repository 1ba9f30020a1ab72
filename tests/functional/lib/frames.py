"""HTTP/2 as the test writes it: frames by hyperframe, header blocks by hpack, nothing checked and nothing automatic but
what `automatic` says. Its other end is `squall target` or any other server."""
import socket

try:
    import hpack
    import hyperframe.frame as hf
except ImportError:
    from harness import missing
    missing("python3-hyperframe and python3-hpack")

from harness import WAIT_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = hf.SettingsFrame.INITIAL_WINDOW_SIZE


class Answer:
    """What has come on one stream."""

    def __init__(self):
        self.blocks = []  # a list of (name, value) for each header block
        self.body = bytearray()
        self.ended = False
        self.reset = None  # the error code of RST_STREAM
        self.data_frames = []

    @property
    def headers(self):
        """The fields of the first block that is no interim answer."""
        return next(dict(block) for block in self.blocks if not dict(block)[":status"].startswith("1"))

    @property
    def status(self):
        return int(self.headers[":status"])


class Frames:
    """One connection. automatic: SETTINGS and PING are acknowledged, and windows opened again by what came."""

    def __init__(self, port, settings=None, automatic=True, preface=True, wrap=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap:
            self.socket = wrap(self.socket)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.automatic = automatic
        self.input = bytearray()
        self.streams = {}
        self.seen = []  # all frames, in order
        self.goaways = []
        self.next_id = 1
        self.block = b""
        self.peer_window = 65535  # of a new stream
        self.windows = {0: 65535}  # what may still be sent
        if preface:
            self.send(PREFACE, hf.SettingsFrame(0, settings=settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(part if isinstance(part, bytes) else part.serialize() for part in parts))
        return self

    def head(self, path, method="GET", end=True, fields=(), stream=None):
        """A HEADERS frame, not sent; its stream is the next one."""
        if stream is None:
            stream, self.next_id = self.next_id, self.next_id + 2
        block = self.encoder.encode([(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path), *fields])
        return hf.HeadersFrame(stream, data=block, flags=["END_HEADERS"] + (["END_STREAM"] if end else []))

    def request(self, path, body=None, **options):
        """Sends it whole; the stream's number."""
        head = self.head(path, end=body is None, **options)
        self.streams[head.stream_id] = Answer()
        self.send(head)
        if body is not None:
            self.body(head.stream_id, body)
        return head.stream_id

    def body(self, stream, body, end=True):
        """Sends a body to its end, as windows allow; one that the peer ends or resets is not sent any further."""
        self.windows.setdefault(stream, self.peer_window)
        answer = self.streams.setdefault(stream, Answer())
        while answer.reset is None:
            self.until(lambda: not body or answer.reset is not None or min(self.windows[0], self.windows[stream]) > 0)
            part = body[:min(16384, self.windows[0], self.windows[stream])]
            body = body[len(part):]
            self.windows[0] -= len(part)
            self.windows[stream] -= len(part)
            self.send(hf.DataFrame(stream, data=part, flags=["END_STREAM"] if end and not body else []))
            if not body:
                return

    def read(self):
        """The next frame; EOFError at the end."""
        while True:
            if len(self.input) >= 9:
                frame, length = hf.Frame.parse_frame_header(memoryview(bytes(self.input[:9])))
                if len(self.input) >= 9 + length:
                    frame.parse_body(memoryview(bytes(self.input[9:9 + length])))
                    del self.input[:9 + length]
                    self._take(frame)
                    return frame
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError("the peer closed")
            self.input += data

    def _take(self, frame):
        self.seen.append(frame)
        answer = self.streams.setdefault(frame.stream_id, Answer())
        if isinstance(frame, hf.SettingsFrame) and WINDOW in frame.settings:
            change = frame.settings[WINDOW] - self.peer_window
            self.peer_window += change
            self.windows.update((stream, size + change) for stream, size in self.windows.items() if stream)
        if isinstance(frame, hf.WindowUpdateFrame):
            self.windows[frame.stream_id] = self.windows.get(frame.stream_id, self.peer_window) + frame.window_increment
        elif isinstance(frame, hf.SettingsFrame) and "ACK" not in frame.flags and self.automatic:
            self.send(hf.SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, hf.PingFrame) and "ACK" not in frame.flags and self.automatic:
            self.send(hf.PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, (hf.HeadersFrame, hf.ContinuationFrame)):
            self.block += frame.data
            if "END_HEADERS" in frame.flags:
                answer.blocks.append(self.decoder.decode(self.block))
                self.block = b""
        elif isinstance(frame, hf.DataFrame):
            answer.body += frame.data
            answer.data_frames.append(frame)
            if frame.flow_controlled_length and self.automatic:
                self.send(*(hf.WindowUpdateFrame(stream, window_increment=frame.flow_controlled_length)
                            for stream in ([0] if "END_STREAM" in frame.flags else [0, frame.stream_id])))
        elif isinstance(frame, hf.RstStreamFrame):
            answer.reset = frame.error_code
        elif isinstance(frame, hf.GoAwayFrame):
            self.goaways.append((frame.last_stream_id, frame.error_code))
        if "END_STREAM" in frame.flags:
            answer.ended = True

    def until(self, condition):
        while not condition():
            self.read()

    def answer(self, stream):
        """Reads until the stream has ended or has been reset."""
        answer = self.streams.setdefault(stream, Answer())
        self.until(lambda: answer.ended or answer.reset is not None)
        return answer

    def get(self, path, body=None, **options):
        return self.answer(self.request(path, body, **options))

    def read_to_end(self):
        """All that comes until the peer closes, in order or by a reset."""
        try:
            while True:
                self.read()
        except TimeoutError:
            raise
        except (EOFError, OSError):  # reading or, for an acknowledgement, writing; over TLS each in its own words
            return self
