"""Secrets: what a scenario sends and a service sends back is in no output, in none of the forms that it may take on the way."""
import base64
import glob
import json
import os
import socket
import threading
import urllib.parse

from harness import Target, main, scratch, squall

KEY = 'k3y "of"/the+house'
WORD = "opensesame42"
ENV = {**os.environ, "SQUALL_TEST_WORD": WORD}


def forms(secret):
    """What must not be found; of base64 what does not depend on the bytes around the secret."""
    raw = secret.encode()
    found = {secret, urllib.parse.quote(secret), urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), raw.hex(),
             json.dumps(secret)[1:-1]}
    for before in range(3):
        text = base64.b64encode(b"x" * before + raw).decode()
        inner = text[(before * 8 + 5) // 6:(before + len(raw)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found


def assert_hidden(text, where):
    for secret in (KEY, WORD):
        for form in forms(secret):
            assert form not in text, f"{where} shows {form!r}:\n{text}"


def scenario(url, *, target="api"):
    secrets = scratch("secrets.env")
    with open(secrets, "w", encoding="utf-8") as file:
        file.write("# of the test\nKEY=" + KEY + "\n")
    path = scratch("secret.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("squall: 1\nname: run of ${secret.KEY}\ntargets: { " + target + ": { url: '" + url + """', tags: { owner: "${secret.SQUALL_TEST_WORD}" } } }
load: [ { users: 2, iterations: 4 } ]
vars: { kept: "${secret.KEY}" }
setup: [ { http: POST /echo, body: "${kept}", save: { again: body } } ]
flow:
  - http: POST /echo?key=${url_encode(secret.KEY)}&word=${secret.SQUALL_TEST_WORD}
    headers:
      authorization: Basic ${base64("user:" + secret.KEY)}
      x-hex: ${hex(secret.SQUALL_TEST_WORD)}
      x-plain: ${base64(secret.KEY)}
    body: '{"again": "${again}", "word": "${secret.SQUALL_TEST_WORD}"}'
    check: { "it came back": "contains(body, secret.SQUALL_TEST_WORD)" }
  - http: GET /${secret.SQUALL_TEST_WORD}?status=500
    tags: { page: "${secret.KEY}" }
""")
    return path, secrets


def artefacts(folder, done):
    assert_hidden(done.out, "stdout")
    assert_hidden(done.err, "stderr")
    files = glob.glob(os.path.join(folder, "*"))
    for path in files:
        with open(path, encoding="utf-8", errors="replace") as file:
            assert_hidden(file.read(), path)
    return len(files)


def test_no_output_shows_a_secret():
    folder = scratch("out")
    os.mkdir(folder)
    with Target() as target:
        path, secrets = scenario(target.url(""))
        outputs = [flag for suffix in ("json", "jsonl") for flag in ("--out", os.path.join(folder, "x." + suffix))]
        done = squall("run", path, "--secrets", secrets, "--log-level", "debug", *outputs, env=ENV)
        assert done.returncode in (0, 98), done.err
        assert artefacts(folder, done) == 2
        with open(os.path.join(folder, "x.json"), encoding="utf-8") as file:
            summary = json.load(file)
        assert summary["scenario"] == "run of ***" and summary["checks"][0]["passed"] == 4, summary
        assert summary["steps"][0]["tags"] == {"owner": "***"}, summary["steps"]
        for command in ("check", "try"):
            done = squall(command, path, "--secrets", secrets, env=ENV)
            assert_hidden(done.out + done.err, command)
        assert "Basic dXNlcj***" in done.out and done.out.count("***") > 5, done.out
        # The service got what the scenario says.
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            assert WORD in log.read()


def test_errors_show_no_secret():
    """A service that sends it back where an answer should be, a name that does not resolve, an option that does not fit."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                peer.sendall(f"HTTP/9.9 {WORD} {KEY}\r\n{WORD}\r\n\r\n".encode())

    threading.Thread(target=answer, daemon=True).start()
    folder = scratch("errors")
    os.mkdir(folder)
    port = server.getsockname()[1]
    path, secrets = scenario(f"http://127.0.0.1:{port}")
    for command in (["run", path, "--out", os.path.join(folder, "x.json")], ["try", path]):
        done = squall(*command, "--secrets", secrets, env=ENV)
        assert done.returncode != 0
        artefacts(folder, done)
    server.close()
    path, secrets = scenario("http://${secret.SQUALL_TEST_WORD}.invalid:1")
    done = squall("run", path, "--secrets", secrets, "--out", os.path.join(folder, "y.json"), env=ENV)
    assert done.returncode == 3 and "***.invalid" in done.err, done.err
    artefacts(folder, done)
    for url in ("${secret.SQUALL_TEST_WORD}", "http://127.0.0.1:1/${secret.SQUALL_TEST_WORD}"):
        path, secrets = scenario(url)
        done = squall("check", path, "--secrets", secrets, env=ENV)
        assert done.returncode == 2 and "***" in done.err, done.err
        assert_hidden(done.err, url)


def test_a_url_and_a_file():
    with Target() as target:
        _, secrets = scenario(target.url(""))
        done = squall("try", target.url("/echo?${secret.KEY}"), "--secrets", secrets, "-H", "x-key: ${secret.KEY}")
        assert done.returncode in (0, 2, 99), done.err
        assert_hidden(done.out + done.err, "try URL")
    done = squall("check", "http://127.0.0.1:1/", "--secrets", scratch("gone.env"))
    assert done.returncode == 2 and "--secrets: " in done.err and "gone.env" in done.err, done.err


if __name__ == "__main__":
    main(globals())
