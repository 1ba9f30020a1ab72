"""A name server that says what a test wants it to, true or not."""
import socket
import struct
import threading


class NameServer:
    """`answer(name, kind)` gives what a question gets: (list of addresses, TTL in seconds), NXDOMAIN, SILENCE or GARBAGE.

    kind is "A" or "AAAA". `questions` is what was asked so far.
    """

    NXDOMAIN, SILENCE, GARBAGE = "nxdomain", "silence", "garbage"
    KINDS = {1: ("A", socket.AF_INET), 28: ("AAAA", socket.AF_INET6)}

    def __init__(self, answer):
        self.answer, self.questions = answer, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def __enter__(self):
        self.over = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if self.over:
                return
            reply = self._reply(query)
            if reply:
                self.socket.sendto(reply, peer)

    def _reply(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        question = query[12:at + 5]
        kind, family = self.KINDS[struct.unpack("!H", query[at + 1:at + 3])[0]]
        name = ".".join(labels)
        self.questions.append((name, kind))
        said = self.answer(name, kind)
        if said == self.SILENCE:
            return None
        if said == self.GARBAGE:
            return query[:2] + b"\xff" * 40
        code, addresses, ttl = (3, [], 0) if said == self.NXDOMAIN else (0, *said)
        records = b""
        for address in addresses:
            data = socket.inet_pton(family, address)
            records += b"\xc0\x0c" + question[-4:] + struct.pack("!IH", ttl, len(data)) + data
        return query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(addresses), 0, 0) + question + records
