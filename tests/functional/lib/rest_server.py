"""A small REST service that remembers what it was asked, request by request: for what a client does around its exchanges.

Routes: POST /login (JSON name -> Set-Cookie session, JSON token), GET /me (needs the cookie and the token), /hop/N (302 down
to /landed), /see-other (303), /keep (307), /away (302 to another host), /loop, /packed (gzip), /deflated, /bare (raw deflate),
/broken (not gzip at all), /upload (multipart, a summary of its parts), /echo (what was sent), /items?page=N.
And a shop for who is logged in, cookie and token, else 401: GET /catalog (1 KiB of JSON, items that differ from user to user),
GET /items/ID, POST /orders (201), POST /logout (204, takes the cookie back).
"""
import email
import email.policy
import gzip
import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BODY = {"items": [{"id": 7, "name": "one"}, {"id": 8, "name": "two"}], "text": "squall " * 40}


def price_of(item):
    return 5 + item % 7 + 0.25


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "rest", ""

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, value=None, fields=(), raw=None):
        data = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if value is not None:
            self.send_header("Content-Type", "application/json")
        for name, text in fields:
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def remember(self, body):
        with self.server.lock:
            self.server.seen.append({"method": self.command, "path": self.path, "body": body,
                                     "fields": {name.lower(): value for name, value in self.headers.items()}})

    def serve(self):
        body = self.body()
        self.remember(body)
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        first = path.strip("/").split("/")[0]
        getattr(self, "on_" + first.replace("-", "_"), self.on_other)(path, query, body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = serve

    def on_login(self, _path, _query, body):
        name = json.loads(body)["name"]
        self.answer(200, {"token": "t-" + name}, [("Set-Cookie", f"session=s-{name}; Path=/; HttpOnly"),
                                                  ("Set-Cookie", "theme=dark; Path=/elsewhere"),
                                                  ("Set-Cookie", "gone=1; Max-Age=0")])

    def who(self):
        """Whose session this is; None without a cookie and a token that belong together."""
        cookie, token = self.headers.get("Cookie", ""), self.headers.get("Authorization", "")
        name = cookie.removeprefix("session=s-")
        return name if cookie.startswith("session=s-") and token == "Bearer t-" + name else None

    def on_me(self, _path, _query, _body):
        name = self.who()
        self.answer(401 if name is None else 200, {"name": name})

    def shop(self, status, value, fields=()):
        """For who is logged in."""
        if self.who() is None:
            self.answer(401, {"error": "log in first"})
        else:
            self.answer(status, value, fields)

    def on_catalog(self, _path, _query, _body):
        first = 100 + zlib.crc32((self.who() or "").encode()) % 800
        items = [{"id": first + i, "name": f"item {first + i}", "price": price_of(first + i)} for i in range(5)]
        page = {"note": "", "items": items, "next": None}
        page["note"] = "x" * (1024 - len(json.dumps(page)))
        self.shop(200, page)

    def on_orders(self, _path, _query, body):
        order = json.loads(body)
        self.shop(201 if order["price"] == price_of(order["item"]) else 400, {"order": 1, **order})

    def on_logout(self, _path, _query, _body):
        self.shop(204, None, [("Set-Cookie", "session=; Path=/; Max-Age=0")])

    def on_hop(self, path, _query, _body):
        left = int(path.rsplit("/", 1)[1])
        self.answer(302, fields=[("Location", f"{left - 1}" if left > 1 else "/landed?x=1#there"),
                                 ("Set-Cookie", f"hop{left}=1; Path=/")])

    def on_see_other(self, _path, _query, _body):
        self.answer(303, fields=[("Location", "/landed")])

    def on_keep(self, _path, _query, _body):
        self.answer(307, fields=[("Location", "landed")])

    def on_away(self, _path, _query, _body):
        self.answer(302, fields=[("Location", "http://elsewhere.invalid/")])

    def on_loop(self, _path, _query, _body):
        self.answer(302, fields=[("Location", "/loop")])

    def on_packed(self, _path, _query, _body):
        self.answer(200, raw=gzip.compress(json.dumps(BODY).encode()), fields=[("Content-Encoding", "gzip")])

    def on_deflated(self, _path, _query, _body):
        self.answer(200, raw=zlib.compress(json.dumps(BODY).encode()), fields=[("Content-Encoding", "deflate")])

    def on_bare(self, _path, _query, _body):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.answer(200, raw=packer.compress(json.dumps(BODY).encode()) + packer.flush(), fields=[("Content-Encoding", "deflate")])

    def on_broken(self, _path, _query, _body):
        self.answer(200, raw=b"plain text", fields=[("Content-Encoding", "gzip")])

    def on_upload(self, _path, _query, body):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        parts = [{"name": part.get_param("name", header="content-disposition"), "file": part.get_filename(),
                  "type": part.get_content_type(), "bytes": len(part.get_payload(decode=True))} for part in message.iter_parts()]
        self.answer(200, {"parts": parts})

    def on_items(self, path, query, _body):
        if path != "/items":
            number = int(path.rsplit("/", 1)[1])
            self.shop(200, {"id": number, "price": price_of(number)})
            return
        page = int(query["page"][0])
        self.answer(200, {"items": [page * 10, page * 10 + 1], "next": page + 1 if page < 3 else None})

    def on_other(self, path, _query, body):
        self.answer(200, {"path": path, "method": self.command, "bytes": len(body)})


class RestServer:
    """In a block: `seen` is what came, in order."""

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.lock, self.server.seen = threading.Lock(), []
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    @property
    def seen(self):
        with self.server.lock:
            return list(self.server.seen)

    def clear(self):
        with self.server.lock:
            self.server.seen.clear()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
