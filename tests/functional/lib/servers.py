"""Servers that are not well-behaved: each connection is a thread that runs a function of the test's.

A handler gets a Peer; what it does with it is its own affair. It may fail at any time: the client went away, or the test
is over.
"""
import socket
import struct
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, server, connection, number):
        self.server, self.socket, self.number = server, connection, number
        self.input = b""

    def request(self):
        """The head of the next request, counted; None when the client has closed. Bodies are not expected."""
        while b"\r\n\r\n" not in self.input:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.input += data
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        with self.server.lock:
            self.server.requests += 1
        return head

    def send(self, data):
        self.socket.sendall(data)
        return self

    def reset(self):
        """Ends with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.socket.close()

    def sleep(self, seconds):
        """Less when the server is being stopped."""
        self.server.over.wait(seconds)

    def drain(self):
        """Reads and says nothing until the client goes away."""
        while self.socket.recv(65536):
            pass


class Server:
    """Listens in a block; `requests` and `connections` count what came, `addresses` where from.

    `listener`: a socket that listens already. `tls`: an ssl.SSLContext.
    """

    def __init__(self, handler, listener=None, tls=None):
        self.handler, self.tls, self.addresses = handler, tls, []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.requests = self.connections = 0
        self.open = set()
        self.listener = listener or socket.create_server(("127.0.0.1", 0), backlog=511)
        self.port = None if self.listener.family == socket.AF_UNIX else self.listener.getsockname()[1]
        self.threads = []

    def url(self, path="/"):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{path}"

    def __enter__(self):
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self.threads.append(thread)
        return self

    def _accept(self):
        while not self.over.is_set():
            try:
                connection, address = self.listener.accept()
            except OSError:
                return
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.addresses.append(address[0] if address else "")
                peer = Peer(self, connection, self.connections)
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        plain = peer.socket
        try:
            if self.tls:
                peer.socket = self.tls.wrap_socket(plain, server_side=True)
                with self.lock:
                    self.open.discard(plain)
                    self.open.add(peer.socket)
            self.handler(peer)
        except OSError:
            pass  # the client went away, its handshake failed, or the test is over
        finally:
            peer.close()
            with self.lock:
                self.open.discard(peer.socket)
                self.open.discard(plain)

    def __exit__(self, *_):
        self.over.set()
        # close() alone would leave a thread in accept() for good.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def answers(text=OK, close=False):
    """A handler that gives each request the same bytes, and ends the connection afterwards when told to."""
    def handler(peer):
        while peer.request() is not None:
            peer.send(text)
            if close:
                return
    return handler
