"""HTTP as clients speak it: cookies, redirects, credentials, bodies of each kind, codings; over HTTP/1.1 and, by way of
nginx, over HTTP/2. The server says what it was asked."""
import json
import os
import random
import re
import sys

from harness import Nginx, Process, free_port, need_module, scratch, squall, squall_run, accepts, wait_until
from rest_server import RestServer


def scenario(text, name="s.yaml"):
    path = scratch(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def run(url, flow, users=1, iterations=1, target="", expect=0, more=""):
    return squall_run(scenario(f"""
squall: 1
targets: {{ api: {{ url: "{url}", connections: 2, {target} }} }}
load: [ {{ users: {users}, iterations: {iterations} }} ]
{more}
flow:
{flow}
"""), expect=expect)


def step(summary, name):
    return next(entry for entry in summary["steps"] if entry["name"] == name)


def failed_checks(summary):
    return {check["name"]: check["failed"] for check in summary["checks"] if check["failed"]}


# ---- cookies, tokens ----

LOGIN = """
  - set: { who: "user ${user.id}" }
  - http: POST /login
    json: { name: "${who}", tries: "${1 + 1}", flag: true, none: null }
    save: { token: body.token }
    check: { "sets a session": cookie("session") == "s-" + who, "has a token": token == "t-" + who }
  - http: GET /me
    bearer: "${token}"
    check: { "is me": body.name == who }
"""


def check_login(server, url, version, target):
    server.clear()
    summary = run(url, LOGIN, users=5, iterations=10, target=target)
    assert not failed_checks(summary), (version, failed_checks(summary), summary["errors"])
    assert step(summary, "GET /me")["ok"] == 10, summary["steps"]
    posts = [request for request in server.seen if request["method"] == "POST"]
    bodies = {json.dumps(json.loads(request["body"]), sort_keys=True) for request in posts}
    assert bodies == {json.dumps({"name": f"user {i}", "tries": 2, "flag": True, "none": None}, sort_keys=True) for i in range(1, 6)}
    assert {request["fields"]["content-type"] for request in posts} == {"application/json"}
    # Each user has its own cookies, though connections are shared; nothing but the session belongs to this path.
    for request in server.seen:
        if request["path"] == "/me":
            user = request["fields"]["authorization"].removeprefix("Bearer t-")
            assert request["fields"]["cookie"] == "session=s-" + user, request


def check_cookies_off(server, url):
    server.clear()
    summary = run(url, "  - { http: POST /login, json: { name: a } }\n  - { http: GET /me, bearer: t-a }\n", target="cookies: false")
    assert step(summary, "GET /me")["codes"] == {"401": 1}, summary["steps"]
    assert not any("cookie" in request["fields"] for request in server.seen)


# ---- redirects ----

def check_redirects(server, url, version, target):
    server.clear()
    summary = run(url, target=target, flow="  - { http: GET /hop/3, check: { landed: body.path == \"/landed\", code: status == 200 } }\n")
    assert not failed_checks(summary), (version, failed_checks(summary))
    assert [request["path"] for request in server.seen] == ["/hop/3", "/hop/2", "/hop/1", "/landed?x=1"], server.seen
    assert server.seen[-1]["fields"]["cookie"] == "hop3=1; hop2=1; hop1=1", server.seen[-1]  # set on the way
    entry = step(summary, "GET /hop/3")
    assert entry["codes"] == {"302": 3, "200": 1} and entry["ok"] == 4, entry  # each hop is an exchange
    assert summary["journeys"]["completed"] == 1

    server.clear()
    run(url, target=target, flow="  - { http: POST /see-other, body: x }\n  - { http: POST /keep, body: y, headers: { content-type: text/plain } }\n")
    assert [(request["method"], request["path"], request["body"]) for request in server.seen] == [
        ("POST", "/see-other", b"x"), ("GET", "/landed", b""), ("POST", "/keep", b"y"), ("POST", "/landed", b"y")], server.seen
    assert "content-type" not in server.seen[1]["fields"] and server.seen[3]["fields"]["content-type"] == "text/plain"

    server.clear()
    summary = run(url, target=target, flow="  - { http: GET /away }\n  - { http: GET /hop/2, expect: 302 }\n  - { http: GET /hop/1, redirects: 0, name: stays }\n")
    assert len(server.seen) == 3 and summary["totals"]["ok"] == 3, (server.seen, summary["totals"])

    server.clear()
    summary = run(url, target=target, flow="  - { http: GET /loop, redirects: 4 }\n")
    assert len(server.seen) == 5 and summary["totals"]["rejected"] == 1, summary["totals"]
    assert any("more redirects" in error["text"] for error in summary["errors"]), summary["errors"]


# ---- bodies ----

def check_bodies(server, url, version, target):
    server.clear()
    big = random.Random(7).randbytes(3 << 20)
    with open(scratch("big.bin"), "wb") as out:
        out.write(big)
    with open(scratch("small.txt"), "wb") as out:
        out.write(b"a file")
    summary = run(url, target=target, flow="""
  - { http: POST /echo, form: { "a b": "${user.id}&x", c: "\u00e4" } }
  - { http: PUT /echo, file: big.bin, headers: { content-type: application/octet-stream } }
  - http: POST /upload
    multipart: { note: "user ${user.id}", doc: "@small.txt;type=text/plain", data: "@big.bin", at: "@@home" }
    check:
      four parts: size(body.parts) == 4
      the big one: body.parts[2].bytes == 3145728
      its type: body.parts[1].type == "text/plain"
    name: upload
  - { http: POST /upload, multipart: { doc: "@small.txt" }, name: constant }
  - { http: GET /echo, basic: "us:er", name: basic }
  - { http: POST /echo, json: [1, "${user.id}", { "x": "\\u00e4\\n" }], headers: { content-type: application/vnd.api+json }, name: json }
""")
    assert not failed_checks(summary), (version, failed_checks(summary), summary["errors"])
    assert summary["totals"]["ok"] == 6, summary["totals"]
    form, upload, multipart, constant, basic, tree = server.seen
    assert form["body"] == b"a+b=1%26x&c=%C3%A4" and form["fields"]["content-type"] == "application/x-www-form-urlencoded"
    assert upload["body"] == big and upload["fields"]["content-type"] == "application/octet-stream"
    assert b'name="note"\r\n\r\nuser 1\r\n' in multipart["body"] and b'\r\n\r\n@home\r\n' in multipart["body"] and big in multipart["body"]
    assert b'filename="small.txt"\r\nContent-Type: application/octet-stream\r\n\r\na file\r\n' in constant["body"]
    assert basic["fields"]["authorization"] == "Basic dXM6ZXI="
    assert json.loads(tree["body"]) == [1, 1, {"x": "\u00e4\n"}] and tree["fields"]["content-type"] == "application/vnd.api+json"


# ---- codings ----

def check_codings(server, url, version, target):
    server.clear()
    looks = "check: { undone: 'body.items[1].name == \"two\"', length: size(body.text) == 280 }"
    summary = run(url, target=target, flow="".join(f"  - {{ http: GET {path}, compressed: true, {looks} }}\n" for path in ("/packed", "/deflated", "/bare")) +
                  "  - { http: GET /packed, name: not looked at }\n", iterations=4)
    assert not failed_checks(summary), (version, failed_checks(summary))
    assert summary["totals"]["ok"] == 16, summary["totals"]
    assert {request["fields"].get("accept-encoding") for request in server.seen} == {"gzip, deflate", None}, server.seen[0]
    summary = run(url, target=target, flow="  - { http: GET /broken, check: { x: size(body) > 0 } }\n  - { http: GET /echo }\n")
    assert step(summary, "GET /broken")["malformed"] == 1 and step(summary, "GET /echo")["ok"] == 1, summary["steps"]


# ---- checks that fail ----

def check_samples(url):
    summary = run(url, "  - { http: GET /items?page=1, check: { \"no such thing\": body.nothing == 1, fine: status == 200 } }\n", iterations=20)
    assert summary["totals"]["ok"] == 20 and failed_checks(summary) == {"no such thing": 20}, summary["checks"]
    listed = [error for error in summary["errors"] if "no such thing" in error["text"]]
    assert len(listed) == 1 and listed[0]["count"] == 20, summary["errors"]
    assert '200 OK, {"items": [10, 11], "next": 2}' in listed[0]["text"], listed


# ---- journeys ----

def check_pages(server, url):
    server.clear()
    summary = run(url, """
  - set: { page: 1 }
  - while: page != null
    flow:
      - http: GET /items?page=${page}
        name: items
        save: { page: body.next }
""", users=2, iterations=2)
    assert step(summary, "items")["ok"] == 6
    assert sorted(request["path"] for request in server.seen) == sorted(f"/items?page={page}" for page in (1, 2, 3) * 2)


def check_url_form(server, url):
    server.clear()
    path = scratch("small.txt")
    summary = squall_run(url + "echo", "-X", "POST", "--json", '{"a": [1, "x"]}', "-n", 3)
    assert summary["totals"]["ok"] == 3 and json.loads(server.seen[0]["body"]) == {"a": [1, "x"]}
    squall_run(url + "echo", "-X", "PUT", "--body", "@" + path, "-n", 1)
    assert server.seen[-1]["body"] == b"a file"
    squall_run(url + "echo", "-X", "POST", "--form", "a: b c", "--bearer", "tok", "-n", 1)
    assert server.seen[-1]["body"] == b"a=b+c" and server.seen[-1]["fields"]["authorization"] == "Bearer tok"


def check_mistakes():
    for flow, words in ((" - { http: POST /x, body: a, json: { b: 1 } }", "keep one of body, json, form, multipart and file"),
                        (" - { http: POST /x, basic: nobody }", "a user and a password with a ':'"),
                        (" - { http: POST /x, file: nowhere.bin }", "the file 'nowhere.bin' is not there"),
                        (" - { http: POST /x, file: \"../../etc/passwd\" }", ""),
                        (" - { http: POST /x, redirects: 50 }", "from 0 to 20"),
                        (" - { http: POST /x, json: { a: \"${nobody}\" } }", "nobody")):
        path = scenario(f"squall: 1\ntargets: {{ a: {{ url: 'http://127.0.0.1:9' }} }}\nload: [ {{ users: 1, iterations: 1 }} ]\nflow:\n {flow}\n", "bad.yaml")
        process = squall("check", path)
        assert process.returncode == 2 and "bad.yaml:" in process.err and words in process.err, (flow, process.err)


def check_page():
    """Every example of docs/http.md is one that squall takes."""
    page = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "http.md"), encoding="utf-8").read()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert len(blocks) >= 3
    for block in blocks:
        process = squall("check", scenario(block, "page.yaml"))
        assert process.returncode == 0, (block, process.err)


# ---- httpbin: somebody else's idea of a REST service ----

def check_httpbin():
    need_module("httpbin")
    port = free_port()
    program = f"from httpbin import app; app.run(host='127.0.0.1', port={port}, threaded=True)"
    with Process([sys.executable, "-c", program]):
        wait_until(lambda: accepts(port), "httpbin to listen")
        summary = run(f"http://127.0.0.1:{port}", """
  - { http: GET /cookies/set?tea=green, check: { "cookie kept": body.cookies.tea == "green" } }
  - { http: GET /basic-auth/me/pass, basic: "me:pass", check: { in: body.authenticated == true } }
  - { http: GET /gzip, compressed: true, check: { unpacked: body.gzipped == true } }
  - { http: GET /deflate, compressed: true, check: { unpacked too: body.deflated == true } }
  - { http: GET /relative-redirect/4, check: { "came through": status == 200 } }
  - { http: POST /post, form: { a: "1 2" }, check: { "form read": body.form.a == "1 2" }, name: form }
  - { http: POST /post, multipart: { f: "@small.txt" }, check: { "file read": body.files.f == "a file" }, name: file }
  - { http: POST /post, json: { n: [1, 2] }, check: { "json read": 'body.json.n[1] == 2' }, name: json }
  - { http: GET /status/418, expect: 418 }
""")
    assert not failed_checks(summary), (failed_checks(summary), summary["errors"])
    assert summary["totals"]["ok"] == summary["totals"]["begun"] == 14, summary["totals"]


def proxied(server, port):
    """nginx before the server, with HTTP/2 by prior knowledge on a port of its own."""
    return Nginx(locations=f"listen 127.0.0.1:{port} http2; client_max_body_size 100m; location ~ ^/ {{ "
                           f"proxy_pass http://127.0.0.1:{server.port}; proxy_http_version 1.1; proxy_set_header Host $http_host; }}")


def main():
    with RestServer() as server:
        port = free_port()
        with proxied(server, port):
            for version, url, target in (("HTTP/1.1", server.url(""), ""), ("HTTP/2", f"http://127.0.0.1:{port}", "http: h2")):
                check_login(server, url, version, target)
                check_redirects(server, url, version, target)
                check_bodies(server, url, version, target)
                check_codings(server, url, version, target)
        check_cookies_off(server, server.url(""))
        check_samples(server.url(""))
        check_pages(server, server.url(""))
        check_url_form(server, server.url())
    check_mistakes()
    check_page()
    check_httpbin()


main()
