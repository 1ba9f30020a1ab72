"""The commands as someone types them: the URL form with all its flags, TLS, check, try, plugin, the console."""
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

from harness import SQUALL, Nginx, Target, free_port, main, need, scratch, squall, wait_until
from proof import Run, nginx_lines, only, run
from servers import OK, Server

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCENARIOS = sorted(glob.glob(os.path.join(ROOT, "scenarios", "*.yaml")))


def test_flags_of_the_request():
    """-X, -H and --body reach the server just as they were written."""
    heads, bodies = [], []

    def keep(peer):
        while (head := peer.request()) is not None:
            while len(peer.input) < 9:
                peer.input += peer.socket.recv(65536)
            heads.append(head.decode())
            bodies.append(peer.input[:9])
            peer.input = peer.input[9:]
            peer.send(OK)

    with Server(keep) as server:
        summary, _ = run(server.url("/a/b?c=%20d"), "-X", "PUT", "-H", "X-One: 1", "-H", "Accept: text/plain", "--body", "some body",
                         "-u", 2, "-n", 6)
        only(summary, ok=6)
    assert bodies == [b"some body"] * 6 and len(set(heads)) == 1, (heads, bodies)
    first, *fields = heads[0].split("\r\n")
    fields = dict(field.lower().split(": ", 1) for field in fields)
    assert first == "PUT /a/b?c=%20d HTTP/1.1", first
    assert fields["x-one"] == "1" and fields["accept"] == "text/plain" and fields["content-length"] == "9", fields
    assert fields["host"] == f"127.0.0.1:{server.port}" and fields["user-agent"].startswith("squall/"), fields


def test_flags_of_the_load():
    with Nginx() as nginx:
        summary, _ = run(nginx.url(), "-r", "100/s", "-d", "500ms", "-c", 3, "-w", 2)
        only(summary, ok=50)
        assert summary["generator"]["workers"] == 2 and summary["generator"]["connections_max"] == 3, summary["generator"]
        summary, _ = run(nginx.url(), "-u", 5, "-d", "300ms")
        assert summary["generator"]["users_max"] == 5 and 300e6 <= summary["duration_ns"] < 5e9, summary["generator"]
        summary, _ = run(nginx.url(), "--rate=600/m", "--iterations=4", "--seed", 9, "--users", 2)
        only(summary, ok=4)
        assert summary["seed"] == 9
        # One journey at a time, from one user, for ten seconds: what a URL alone means. Interrupted here.
        before = nginx_lines(nginx)
        with Run(nginx.url()) as process:
            wait_until(lambda: nginx_lines(nginx) > before + 100, "requests")
            process.signal(signal.SIGINT)
            process.end(130)
            assert process.summary()["generator"]["users_max"] == 1


def test_methods_without_a_body():
    with Nginx() as nginx:
        for method in ("HEAD", "OPTIONS", "DELETE"):
            summary, _ = run(nginx.url(f"/{method}"), "-X", method, "-n", 3, "--expect", "200-499")
            only(summary, ok=3)
        assert [row["request"].split()[0] for row in nginx.stop().access()] == ["HEAD"] * 3 + ["OPTIONS"] * 3 + ["DELETE"] * 3


def test_expect():
    with Target(log=False) as target:
        only(run(target.url("/?status=404"), "-n", 3)[0], rejected=3)
        only(run(target.url("/?status=404"), "-n", 3, "--expect", "404")[0], ok=3)


# ---- TLS ----

def certificate():
    """A self-signed certificate for 127.0.0.1: (certificate, key)."""
    crt, key = scratch("tls.pem"), scratch("tls.key")
    subprocess.run([need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt], check=True, capture_output=True)
    os.chmod(key, 0o644)
    return crt, key


def tls_scenario(url, tls):
    path = scratch(f"tls-{time.monotonic_ns()}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"squall: 1\ntargets: {{ api: {{ url: \"{url}\", connect-timeout: 1s, connections: 4{tls} }} }}\n"
                  "load: [ { users: 4, iterations: 40 } ]\nflow: [ { http: GET / } ]\n")
    return path


def test_tls():
    crt, key = certificate()
    port = free_port()
    with Nginx(locations=f"listen 127.0.0.1:{port} ssl; ssl_certificate {crt}; ssl_certificate_key {key};") as nginx:
        url = f"https://127.0.0.1:{port}"
        with Run(tls_scenario(url, "")) as process:
            process.end(3)
            assert "certificate" in process.err, process.err
        summary, _ = run(tls_scenario(url, ", tls: { insecure: true }"))
        only(summary, ok=40)
        assert summary["steps"][0]["phases_ns"]["tls"]["count"] == 4, summary["steps"][0]["phases_ns"]
        summary, _ = run(tls_scenario(url, f", tls: {{ ca: {os.path.basename(crt)} }}"))
        only(summary, ok=40)
        summary, _ = run(url + "/", "-k", "-u", 3, "-n", 30)
        only(summary, ok=30)
        # The name must match as well as the signature: localhost is not in the certificate.
        with Run(tls_scenario(f"https://localhost:{port}", f", tls: {{ ca: {os.path.basename(crt)} }}")) as process:
            process.end(3)
            assert "certificate" in process.err or "match" in process.err, process.err
        assert len(nginx.stop().access()) == 110


# ---- check, try, plugin, help ----

def test_check_all_scenarios():
    assert SCENARIOS
    for path in SCENARIOS:
        ended = squall("check", path)
        assert ended.returncode == 0 and "targets" in ended.out and not ended.err, (path, ended.err)


def test_check_opens_no_socket():
    with Nginx() as nginx:
        ended = squall("check", nginx.url())
        assert ended.returncode == 0 and f"127.0.0.1:{nginx.port}" in ended.out, ended.err
        assert nginx.stop().access() == []


def test_try():
    with Target() as target:
        ended = squall("try", target.url("/hello?size=5"))
        assert ended.returncode == 0, ended.err
        assert "> GET /hello?size=5 HTTP/1.1" in ended.out and "< HTTP/1.1 200 OK" in ended.out, ended.out
        assert "ok, 200" in ended.out, ended.out
        ended = squall("try", target.url("/?status=503"))
        assert ended.returncode == 99 and "rejected, 503" in ended.out, (ended.returncode, ended.out)
        ended = squall("try", target.url("/?size=100000"))
        assert "more bytes" in ended.out and len(ended.out) < 20000, len(ended.out)
        assert len(target.stop().log()) == 3


def test_try_shows_bytes_that_are_no_text():
    with Target() as target:
        ended = squall("try", target.url("/echo"), "-X", "POST", "--body", "@" + binary_file())
        assert ended.returncode == 0 and "> é€😀 \\xff \\xc2\\x9b \\xe2\\x82" in ended.out, ended.out


def binary_file():
    path = scratch("binary")
    with open(path, "wb") as file:
        file.write("é€😀 ".encode() + b"\xff \xc2\x9b \xe2\x82")
    return path


def test_output_to_a_full_disk():
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run([SQUALL, "check", "http://127.0.0.1:1/"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and "could not be written: No space left" in ended.stderr, ended


def test_try_shows_what_is_saved():
    with Target() as target:
        path = scratch("saves.yaml")
        with open(path, "w", encoding="utf-8") as text:
            text.write(f"""squall: 1
targets: {{ api: "{target.url('')}" }}
load: [ {{ users: 1, for: 1s }} ]
flow:
  - http: POST /echo
    body: '{{"token": "a\\nb", "n": 1.5, "list": [1, 2], "yes": true, "long": "{'x' * 300}"}}'
    save: {{ token: body.token, n: body.n, list: body.list, yes: body.yes, none: body.nothing, long: body.long,
             key: 'coalesce(body.nothing, secret.SQUALL_TEST_KEY)' }}
""")
        ended = squall("try", path, env={**os.environ, "SQUALL_TEST_KEY": "dont-tell"})
    assert ended.returncode == 0, ended.err
    for line in ('token = "a\\x0ab"', "n = 1.5", "list = [1, 2]", "yes = true", "none = null", "key = (a secret)"):
        assert f"  {line}\n" in ended.out, (line, ended.out)
    assert f'  long = "{"x" * 200} ... 100 more bytes"' in ended.out and "dont-tell" not in ended.out, ended.out


def test_thresholds_of_the_command_line():
    """Repeatable, with a URL and beside those of a scenario, over windows too."""
    with Target("--delay", "20ms", log=False) as target:
        flags = ("--threshold", "p99(latency) < 10s", "--threshold", "min(latency) < 1ms over any 1s")
        summary, _ = run(target.url(), "-r", 50, "-d", "2s", "-w", 2, *flags, expect=99)
        assert [row["pass"] for row in summary["thresholds"]] == [True, False], summary["thresholds"]
        path = scratch("thresholds.yaml")
        with open(path, "w", encoding="utf-8") as text:
            text.write(f"squall: 1\ntargets: {{ api: \"{target.url('')}\" }}\nload: [ {{ users: 1, iterations: 5 }} ]\n"
                       "flow: [ { http: / } ]\nthresholds: [ count(ok) == 5 ]\n")
        summary, _ = run(path, *flags[:2])
        assert [row["expression"] for row in summary["thresholds"]] == ["count(ok) == 5", "p99(latency) < 10s"], summary["thresholds"]
    ended = squall("check", "http://127.0.0.1:1/", "--threshold", "p99(latncy) < 1s")
    assert ended.returncode == 2 and 'did you mean "latency"?' in ended.err, ended.err


def test_body_of_a_file():
    path = scratch("body.json")
    with open(path, "w", encoding="utf-8") as text:
        text.write('{"user": ${user.id},\n "x": "ä"}\n')
    with Target(log=False) as target:
        for argument, wanted in (("@" + path, '{"user": 1,\n<  "x": "ä"}'), ("@@home", "@home")):
            ended = squall("try", target.url("/echo"), "-X", "POST", "--body", argument)
            assert ended.returncode == 0 and wanted in ended.out, (argument, ended.out, ended.err)
        summary, _ = run(target.url("/echo"), "-X", "POST", "--body", "@" + path, "-n", 4, "-u", 2, "-w", 2)
        assert summary["totals"]["ok"] == 4, summary["errors"]
    ended = squall("try", "http://127.0.0.1:1/", "--body", "@" + scratch("missing"))
    assert ended.returncode == 2 and "No such file" in ended.err and "@@" in ended.err, ended.err
    with open(path, "wb") as data:
        data.write(b"a\0b")
    ended = squall("try", "http://127.0.0.1:1/", "--body", "@" + path)
    assert ended.returncode == 2 and "holds a byte 0" in ended.err, ended.err


def test_urls_that_are_nearly_right():
    for url, words in (("http:/127.0.0.1:8080/x", "a URL has two slashes: http://127.0.0.1:8080/x"),
                       ("http:127.0.0.1", "a URL has two slashes: http://127.0.0.1"),
                       ("https:///example.org", "has no valid host"),
                       ("localhost:8080", "its scheme is missing: http://localhost:8080"),
                       ("http://127.0.0.1:1/a#part", "goes on behind a '#', which no server is sent")):
        ended = squall("check", url)
        assert ended.returncode == 2 and words in ended.err, (url, ended.err)


def test_try_a_scenario():
    with Target() as target:
        ended = squall("try", os.path.join(ROOT, "scenarios", "first.yaml"), env={**os.environ, "SQUALL_TARGET": target.url("")})
        assert ended.returncode == 0 and "✓ list is there" in ended.out, (ended.out, ended.err)
        steps = [line["label"].split("?")[0] for line in target.stop().log()]
    # One journey of each class, in the order of the file, whatever their weights.
    assert "## user visitor" in ended.out and "## user buyer" in ended.out, ended.out
    assert [re.sub(r"/[0-9]+$", "/N", step) for step in steps] == ["GET /products", "GET /product/N", "GET /product/N", "POST /orders"], steps


def test_plugins():
    ended = squall("plugin", "list")
    assert ended.returncode == 0 and re.search(r"^http +\S+ +http,https ", ended.out, re.M), ended.out
    ended = squall("plugin", "show", "http")
    assert ended.returncode == 0, ended.err
    for word in ("method", "-X", "headers", "-H", "--body", "expect", "https://"):
        assert word in ended.out, (word, ended.out)


def test_help_fits_a_screen():
    for arguments in (("--help",), ("run", "--help"), ("plugin", "--help"), ("target", "--help"), ("target", "http", "--help"), ("run", "http://127.0.0.1/", "--help")):
        ended = squall(*arguments)
        lines = ended.out.splitlines()
        assert ended.returncode == 0 and not ended.err and 1 < len(lines) <= 48, (arguments, len(lines), ended.err)
        assert max(map(len, lines)) <= 120, (arguments, max(lines, key=len))
    assert "--body" in ended.out and "-X" in ended.out
    assert squall("version").out.startswith("squall ")


# ---- what is shown ----

def test_plain_lines_without_a_terminal():
    with Target(log=False) as target, Run(target.url(), "-r", 100, "-d", "1500ms", quiet=False) as process:
        process.end()
    assert re.search(r"^1s [\d.]+/s p50 \S+ p99 \S+ failed 0 in flight \d+ users \d+", process.err, re.M), process.err
    assert "\x1b" not in process.err + process.out
    for words in ("150 due", "150 ok", "GET /", "p99.9", "verdict", process.summary_path):
        assert words in process.out, (words, process.out)


def test_quiet():
    with Target(log=False) as target, Run(target.url(), "-n", 5) as process:
        process.end()
        assert process.out == "" and process.err == "", (process.out, process.err)


def test_errors_on_the_screen():
    with Target("--status", "503", log=False) as target:
        ended = squall("run", target.url(), "-n", 5, "-u", 1)
        assert ended.returncode == 0 and "503" in ended.out and "5 rejected" in ended.out, ended.out


def on_a_terminal(argv, env, seconds=90, interrupt_at=None):
    """Runs on a pseudo-terminal of 100 columns: (exit code, what it wrote). Gets a Ctrl-C when it has written `interrupt_at`."""
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", "100", "rows", "40"], stdin=follower, check=True)
    child = subprocess.Popen(argv, stdin=follower, stdout=follower, stderr=follower, env=env)
    os.close(follower)
    said, deadline = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 0.2)[0]:
                try:
                    data = os.read(leader, 65536)
                except OSError:  # the last end of the terminal was closed
                    break
                if not data:
                    break
                said += data
                if interrupt_at and interrupt_at in said:
                    child.send_signal(signal.SIGINT)
                    interrupt_at = None
        return child.wait(timeout=60), said.decode(errors="replace")
    finally:
        child.kill()
        child.wait()
        os.close(leader)


def test_bars_on_a_terminal():
    path = scratch("stages.yaml")
    with Target(log=False) as target:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"squall: 1\ntargets: {{ api: \"{target.url('')}\" }}\nflow: [ {{ http: GET / }} ]\n"
                      "load: [ { ramp: 10 -> 100/s, over: 1s }, { hold: 100/s, for: 1500ms } ]\n")
        env = {**os.environ, "TERM": "xterm"}
        env.pop("NO_COLOR", None)
        code, said = on_a_terminal([SQUALL, "run", path, "--trust", "off"], env)
        assert code == 0, said
        assert "━" in said and "\x1b[" in said and "users" in said, said
        assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1, "the cursor comes back"
        code, said = on_a_terminal([SQUALL, "run", path, "--trust", "off"], {**env, "TERM": "dumb"})
        assert code == 0 and "━" not in said and re.search(r"1s [\d.]+/s", said), said


def test_cursor_comes_back_after_ctrl_c():
    with Target("--delay", "1ms", log=False) as target:
        argv = [SQUALL, "run", target.url(), "-u", "2", "-d", "60s"]
        code, said = on_a_terminal(argv, {**os.environ, "TERM": "xterm"}, interrupt_at=b"users")
        assert code == 130, (code, said)
        assert said.count("\x1b[?25l") == said.count("\x1b[?25h"), said
        assert "interrupted" in said.lower(), said


def test_first_scenario_shortened():
    """What the quick start runs, against the target that it starts, with a second for each stage."""
    path = scratch("first.yaml")
    with open(os.path.join(ROOT, "scenarios", "first.yaml"), encoding="utf-8") as text:
        short = re.sub(r"(over|for): \ds", r"\1: 700ms", text.read()).replace("warmup: 2s", "warmup: 300ms")
    with open(path, "w", encoding="utf-8") as out:
        out.write(short)
    with Target("--delay", "lognormal(3ms,0.6)") as target:
        summary, _ = run(path, env={**os.environ, "SQUALL_TARGET": target.url("")}, expect=None)
        logged = len(target.stop().log())
    assert summary["exit_code"] in (0, 99), summary["exit_code"]  # 99: this machine is slow
    assert [step["name"] for step in summary["steps"]] == ["list products", "show product", "place order"]
    begun = summary["totals"]["begun"] + summary["warmup"]["totals"]["begun"]
    assert summary["totals"]["ok"] == summary["totals"]["begun"] and logged == begun, (summary["totals"], logged)
    checks = {check["name"]: check for check in summary["checks"]}
    assert checks["order is taken"]["failed"] == 0 < checks["order is taken"]["passed"], checks


def test_plugins_of_a_folder_that_others_may_write():
    folder = scratch("open-to-all")
    os.mkdir(folder)
    plugins = os.path.join(os.path.dirname(os.path.dirname(SQUALL)), "lib", "squall")
    shutil.copy(os.path.join(plugins, "null.so"), folder)
    os.chmod(folder, 0o777)
    ended = squall("plugin", "show", os.path.join(folder, "null.so"))
    assert ended.returncode == 2 and f"others may write the folder {folder}" in ended.err, (ended.returncode, ended.err)
    # One of its name elsewhere is taken instead, and this one is named.
    ended = squall("run", "null://x", "-n", 1, "--plugin-dir", folder, "--quiet", "--trust", "off")
    assert ended.returncode == 0 and f"others may write the folder {folder}" in ended.err, (ended.returncode, ended.err)
    os.chmod(folder, 0o755)
    ended = squall("run", "null://x", "-n", 1, "--plugin-dir", folder, "--quiet", "--trust", "off")
    assert ended.returncode == 0 and not ended.err, ended.err


def test_group_by_an_unknown_tag():
    """Told before anything is sent, with the nearest tag there is."""
    path = scratch("tags.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write('squall: 1\ntargets: { a: { url: "http://127.0.0.1:1", tags: { service: shop } } }\nload: [ { users: 1, for: 1s } ]\n'
                  "flow: [ { http: GET /, tags: { kind: read } } ]\n")
    for arguments, words in ((("run", path, "--group-by", "servise"), "--group-by: there is no tag `servise`; did you mean `service`?"),
                             (("run", path, "--group-by", "zzz"), "there is no tag `zzz`; there is service, kind"),
                             (("run", path, "--group-by", "kind", "--group-by", "knd"), "did you mean `kind`?"),
                             (("check", "http://127.0.0.1:1/", "--group-by", "kind"), "since no step of a flow has tags")):
        ended = squall(*arguments)
        assert ended.returncode == 2 and words in ended.err, (arguments, ended.returncode, ended.err)
    ended = squall("check", path, "--group-by", "kind", "--group-by=service")
    assert ended.returncode == 0 and "groups\n  by kind\n  by service\n" in ended.out, (ended.out, ended.err)


def test_summary_of_the_contract():
    """The keys that other programs read are there."""
    with Target(log=False) as target:
        summary, _ = run(target.url(), "-n", 5)
    assert summary["schema"] == "squall.summary/1"
    for path in ("verdict.trusted", "verdict.complete", "verdict.reasons", "journeys.due", "journeys.duration_ns.p99", "totals.begun",
                 "totals.bytes_in", "warmup.totals.begun", "warmup.journeys.due", "steps.0.latency_ns.lower_bounds", "steps.0.tags",
                 "steps.0.latency_ok_ns.p99_99", "steps.0.service_ns.stddev", "steps.0.phases_ns.wait", "steps.0.metrics", "transactions",
                 "thresholds", "errors", "checks", "generator.self_delay_ns.p99", "generator.send_lag_ns", "generator.receive_lag_ns",
                 "generator.cpu_ns", "generator.rss_bytes_max", "generator.notes", "started_at", "duration_ns", "seed", "scenario"):
        value = summary
        for key in path.split("."):
            value = value[int(key) if key.isdigit() else key]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", summary["started_at"])
    assert json.dumps(summary)


if __name__ == "__main__":
    main(globals())
