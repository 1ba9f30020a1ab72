"""squall new: what it makes of a URL, a command line, a recording and a description loads, runs, and sends what was meant."""
import collections
import json
import os

from harness import Target, main, scratch, squall
from proof import Run


def made(*arguments):
    """The scenario's path; its text is what was printed."""
    done = squall("new", *arguments)
    assert done.returncode == 0, done.err
    path = scratch("made.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(done.out)
    assert squall("check", path).returncode == 0
    return path, done.out


def write(name, text):
    path = scratch(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def run(make, journeys=2):
    """Runs what make(target) has given; the requests that the target saw, and the summary."""
    with Target() as target:
        path, text = make(target)
        with Run(path, "-u", 1, "-n", journeys, "-w", 1) as process:
            assert process.end(None) < 60, process.err
            summary = process.summary()
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            return collections.Counter(json.loads(line)["label"] for line in log), summary, text


def test_a_url():
    seen, summary, _ = run(lambda target: made("http", target.url("/a b?x=${y}#part")))
    assert seen == {"GET /a%20b?x=${y}": 2}, seen
    assert summary["checks"][0]["failed"] == 0 and summary["totals"]["ok"] == 2


def test_curl():
    seen, summary, text = run(lambda target: made(
        "curl -s '" + target.url("/echo?a=1") + "' \\\n -H 'x-a: b c' --data-raw $'{\"q\": \"it\\'s ${x}\"}' -H 'Content-Type: application/json' --compressed"))
    assert seen == {"POST /echo?a=1": 2} and summary["totals"]["ok"] == 2, seen
    assert '"x-a": "b c"' in text and '"Content-Type": "application/json"' in text and "it's $${x}" in text, text
    for command, wanted in {
        "curl -u me:pw -k https://example.org/": ("Basic bWU6cHc=", "insecure: true", 'http: "GET /"'),
        "curl -G -d a=b -d c=d example.org/x": ('"GET /x?a=b&c=d"', "http://example.org"),
        "curl -I http://example.org/": ('"HEAD /"',),
        "curl -XDELETE http://example.org/1": ('"DELETE /1"',),
        "curl --json '{}' http://example.org/": ('"POST /"', '"content-type": "application/json"'),
    }.items():
        text = made(command)[1]
        assert all(part in text for part in wanted), (command, text)


def har(url):
    def entry(at, method, path, status, headers=(), body=None, answer=None):
        request = {"method": method, "url": url + path, "headers": [{"name": name, "value": value} for name, value in headers]}
        if body:
            request["postData"] = {"mimeType": "application/json", "text": body}
        content = {"mimeType": "application/json", "text": json.dumps(answer)} if answer else {}
        return {"startedDateTime": f"2026-01-01T00:00:{at:06.3f}Z", "time": 100, "request": request, "response": {"status": status, "content": content}}

    return json.dumps({"log": {"version": "1.2", "entries": [
        entry(0, "POST", "/echo", 200, [("Host", "elsewhere"), ("Content-Length", "9")], '{"a": "${b}"}', {"user": {"token": "abcdef123456"}}),
        entry(0.15, "GET", "/style.css", 200),
        entry(1.25, "GET", "/me?token=abcdef123456", 200, [("Authorization", "Bearer abcdef123456")]),
        entry(1.3, "GET", "/gone?status=404", 404),
    ]}})


def test_a_recording():
    seen, summary, text = run(lambda target: made(write("x.har", har(target.url("")))))
    assert seen == {"POST /echo": 2, "GET /style.css": 2, "GET /me?token=abcdef123456": 2, "GET /gone?status=404": 2}, seen
    assert summary["totals"]["ok"] == 8 and all(check["failed"] == 0 for check in summary["checks"]), summary["totals"]
    assert text.count("think:") == 1 and "- think: 1000ms" in text, text
    assert "save: { token: body.user.token }" in text and "write ${token} in its place" in text, text
    assert summary["journeys"]["duration_ns"]["min"] >= 1_000_000_000
    # What the comments offer works.
    with Target() as target:
        path, text = made(write("x.har", har(target.url(""))))
        hinted = text.replace('body: "{\\"a\\": \\"$${b}\\"}"', 'body: "{\\"user\\": {\\"token\\": \\"t1\\"}}"\n    save: { token: body.user.token }').replace(
            '"Bearer abcdef123456"', '"Bearer ${token}"').replace("/me?token=abcdef123456\"\n    name", '/me?token=${token}"\n    name')
        assert hinted.count("${token}") >= 3, hinted
        with Run(write("hinted.yaml", hinted), "-u", 1, "-n", 1) as process:
            process.end(None)
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            assert "GET /me?token=t1" in log.read()


OPENAPI = """
openapi: 3.0.3
info: { title: "Pets: all", version: "1" }
servers: [ { url: "SERVER/{base}", variables: { base: { default: v1 } } } ]
paths:
  /pets/{id}:
    parameters: [ { $ref: "#/components/parameters/Id" } ]
    get: { operationId: show pet, tags: [pets], responses: { "200": { description: ok } } }
    put:
      tags: [pets]
      requestBody: { content: { application/xml: {}, application/json: { schema: { $ref: "#/components/schemas/Pet" } } } }
  /stores:
    get:
      tags: [stores]
      security: [ { bearer: [] } ]
      parameters:
        - { name: near, in: query, required: true, example: "a b" }
        - { name: far, in: query }
        - { name: x-page, in: header, required: true, schema: { type: integer } }
components:
  parameters: { Id: { name: id, in: path, required: true, schema: { type: integer, minimum: 7 } } }
  schemas:
    Pet:
      type: object
      properties:
        id: { type: integer, readOnly: true }
        name: { type: string, example: "rex" }
        born: { type: string, format: date }
        kind: { enum: [dog, cat] }
        parent: { $ref: "#/components/schemas/Pet" }
"""


def test_a_description():
    seen, summary, text = run(lambda target: made(write("openapi.yaml", OPENAPI.replace("SERVER", target.url("")))), journeys=4)
    assert set(seen) == {"GET /v1/pets/7", "PUT /v1/pets/7", "GET /v1/stores?near=a%20b"} or set(seen) < {
        "GET /v1/pets/7", "PUT /v1/pets/7", "GET /v1/stores?near=a%20b"}, seen
    assert summary["totals"]["ok"] == sum(seen.values()) and all(check["failed"] == 0 for check in summary["checks"])
    assert '"pets":' in text and '"stores":' in text and 'name: "Pets: all"' in text and 'name: "show pet"' in text, text
    assert '{\\"name\\":\\"rex\\",\\"born\\":\\"2026-01-02\\",\\"kind\\":\\"dog\\"}' in text and '"x-page": "1"' in text and "it wants credentials" in text, text
    # The same as JSON, of version 3.1.
    text = made(write("openapi.json", json.dumps({"openapi": "3.1.0", "info": {"title": "x"}, "servers": [{"url": "/api"}], "paths": {
        "/a": {"post": {"requestBody": {"content": {"application/json": {"schema": {"type": ["object", "null"], "properties": {
            "when": {"type": "string", "examples": ["now"]}}}}}}}}}})))[1]
    assert 'url: "http://127.0.0.1:8080"' in text and '"POST /api/a"' in text and '{\\"when\\":\\"now\\"}' in text, text


def test_refused():
    folder = scratch("made")
    os.mkdir(folder)
    for arguments, code, wanted in (
        (["http", "ftp://x/"], 2, "is no URL of http or https"),
        (["htpp", "http://x/"], 2, "did you mean http"),
        ([write("a.har", "{")], 2, "the recording is no JSON: line 1"),
        ([write("b.har", '{"log": {}}')], 2, "has no log.entries"),
        ([write("c.har", '{"log": {"entries": []}}')], 2, "has no request"),
        ([write("swagger.yaml", "swagger: '2.0' # not openapi\npaths: {}\n")], 2, "no description of OpenAPI 3"),
        ([write("d.yaml", "openapi: 3.0.0\npaths: {}\n")], 2, "has no operation"),
        ([write("e.yaml", "openapi: [\n")], 2, "this is no YAML"),
        (["curl -X"], 2, "has no value"),
        (["curl 'http://x"], 2, "a quote that is not closed"),
        (["curl -s"], 2, "has no URL"),
        (["curl"], 2, "has no URL"),
        ([scratch("missing.har")], 2, "there is no such file"),
        ([write("letter.txt", "dear all")], 2, "its text is of no kind that is known"),
        (["petstore"], 2, "is nothing that a scenario can be made of"),
        ([folder], 2, "is no file"),
        ([], 2, "is missing"),
    ):
        done = squall("new", *arguments)
        assert done.returncode == code and wanted in done.err and not done.out, (arguments, done.returncode, done.err)


def test_a_new_file():
    path = scratch("fresh.yaml")
    done = squall("new", "-o", path, "http", "http://127.0.0.1:8080/")
    assert done.returncode == 0 and not done.out, done.err
    assert squall("new", "http://127.0.0.1:8080/").out == open(path, encoding="utf-8").read()
    assert squall("check", path).returncode == 0
    done = squall("new", "-o", path, "http", "http://127.0.0.1:8080/")
    assert done.returncode == 2 and "is there already" in done.err, done.err
    shown = squall("new", "--help")
    assert "FILE.har" in shown.out and shown.returncode == 0


if __name__ == "__main__":
    main(globals())
