"""squall target: its flags, its per-request overrides, HTTP/1.1 as it must be spoken, and an exact log."""
import signal
import socket
import subprocess
import time

from harness import SQUALL, Target, Wire, counts_match_log, main, scratch, squall, wait_until


def test_plain_answer_and_log():
    with Target() as target:
        before = time.monotonic_ns()
        with Wire(target.port) as wire:
            for i in range(5):
                status, headers, body = wire.get(f"/some/path?i={i}")
                assert (status, len(body), headers["content-length"]) == (200, 128, "128")
        after = time.monotonic_ns()
        log = counts_match_log(target.stop())
    assert [line["label"] for line in log] == [f"GET /some/path?i={i}" for i in range(5)]
    assert all(before <= line["arrival_ns"] <= after for line in log)
    assert {line["conn"] for line in log} == {1}
    assert all(line["bytes"] > 128 and line["status"] == 200 for line in log)


def test_flags_for_every_answer():
    with Target("--status", "503", "--size", "uniform(10,20)", "--chunked", "--delay", "3ms") as target:
        with Wire(target.port) as wire:
            sizes = set()
            for _ in range(50):
                status, headers, body = wire.get("/")
                assert status == 503 and headers["transfer-encoding"] == "chunked" and "content-length" not in headers
                sizes.add(len(body))
        assert min(sizes) >= 10 and max(sizes) <= 20 and len(sizes) > 3, sizes
        log = counts_match_log(target.stop())
    assert all(line["delay_ns"] == 3_000_000 for line in log)


def test_status_mix_is_seeded():
    seen = []
    for seed in ("1", "1", "2"):
        with Target("--status", "200:0.5,503:0.5", "--delay", "uniform(0,1us)", "--seed", seed) as target:
            with Wire(target.port) as wire:
                for _ in range(100):
                    wire.get("/")
            seen.append([(line["status"], line["delay_ns"]) for line in counts_match_log(target.stop())])
    assert seen[0] == seen[1] and seen[0] != seen[2]
    assert 20 < sum(status == 503 for status, _ in seen[0]) < 80


def test_overrides():
    with Target("--delay", "1ms") as target, Wire(target.port) as wire:
        assert wire.get("/?status=404")[0] == 404
        assert len(wire.get("/a?size=4k")[2]) == 4000
        assert len(wire.get("/a?size=4KiB")[2]) == 4096
        assert len(wire.get("/?size=0")[2]) == 0
        assert len(wire.get("/?size=uniform%287%2C7%29")[2]) == 7
        status, headers, body = wire.get("/?chunked=1&size=10000")
        assert headers["transfer-encoding"] == "chunked" and len(body) == 10000
        assert wire.get("/?delay=20ms")[0] == 200
        assert wire.get("/?delay=uniform(1ms,2ms)")[0] == 200
        assert wire.get("/?status=204")[2] == b"" and wire.get("/?status=304")[0] == 304
        for wrong in ("delay=soon", "status=99", "status=1000", "size=-1", "size=2GiB", "stall=2h", "reset=yes", "delay=%zz", "close"):
            status, _, body = wire.get("/?" + wrong)
            assert status == 400 and wrong.split("=")[0].encode() in body, (wrong, status, body)
        assert wire.get("/?close=1")[1]["connection"] == "close" and wire.at_end()
        log = counts_match_log(target.stop())
    by_label = {line["label"]: line for line in log}
    assert by_label["GET /?delay=20ms"]["delay_ns"] == 20_000_000
    assert 1_000_000 <= by_label["GET /?delay=uniform(1ms,2ms)"]["delay_ns"] <= 2_000_000
    assert by_label["GET /?status=404"]["status"] == 404


def test_large_answers_arrive_whole():
    with Target() as target, Wire(target.port) as wire:
        assert len(wire.get("/?size=20MiB")[2]) == 20 << 20
        assert len(wire.get("/?size=3MiB&chunked=1")[2]) == 3 << 20
        target_log = counts_match_log(target.stop())
    assert target_log[0]["bytes"] > 20 << 20


def test_bodies_and_echo():
    with Target() as target, Wire(target.port) as wire:
        post = "POST {} HTTP/1.1\r\nHost: a\r\n{}\r\n"
        text = bytes(range(256)) * 400
        assert wire.send(post.format("/echo", f"Content-Length: {len(text)}\r\n")).send(text).answer()[2] == text
        wire.send(post.format("/echo", "Transfer-Encoding: chunked\r\n"))
        wire.send("5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n")
        assert wire.answer()[2] == b"hello world"
        assert wire.send(post.format("/echo", "Content-Length: 0\r\n")).answer()[2] == b""
        big = b"y" * (1 << 20)
        assert wire.send(post.format("/echo", f"Content-Length: {len(big)}\r\n")).send(big).answer()[2] == big
        status, _, _ = wire.send(post.format("/echo", f"Content-Length: {len(big) + 1}\r\n")).send(big + b"y").answer()
        assert status == 413
        assert wire.send(post.format("/drop", f"Content-Length: {len(big)}\r\n")).send(big).answer()[0] == 200
        log = counts_match_log(target.stop())
    assert [line["label"] for line in log] == ["POST /echo"] * 5 + ["POST /drop"]


def test_expect_continue():
    with Target() as target, Wire(target.port) as wire:
        wire.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer()[0] == 100
        assert wire.send("abc").answer()[2] == b"abc"
        # Behind a request that is still waiting the interim answer must wait as well.
        wire.send("GET /?delay=50ms HTTP/1.1\r\nHost: a\r\n\r\n"
                  "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert [wire.answer()[0], wire.answer()[0]] == [200, 100]
        assert wire.send("def").answer()[2] == b"def"
        counts_match_log(target.stop())


def test_head_has_no_body():
    with Target() as target, Wire(target.port) as wire:
        status, headers, _ = wire.get("/?size=77", method="HEAD")
        assert status == 200 and headers["content-length"] == "77"
        assert len(wire.get("/?size=5")[2]) == 5


def test_pipelining_answers_in_order():
    with Target() as target, Wire(target.port) as wire:
        delays = ["20ms", "0", "5ms", "0"] * 500
        wire.send("".join(f"GET /?size={i}&delay={delay} HTTP/1.1\r\nHost: a\r\n\r\n" for i, delay in enumerate(delays)))
        for i in range(len(delays)):
            assert len(wire.answer()[2]) == i
        counts_match_log(target.stop())


def test_more_requests_at_once_than_a_connection_may_have():
    with Target() as target, Wire(target.port) as wire:
        wire.send("GET / HTTP/1.1\r\nHost:\r\n\r\n" * 2500)  # in one read, mostly
        for _ in range(2500):
            assert wire.answer()[0] == 200
        counts_match_log(target.stop())


def test_every_split_gives_the_same():
    text = (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            b"GET /?size=3 HTTP/1.1\r\nHost: a\r\n\r\n")
    with Target() as target:
        for cut in range(1, len(text), 3):
            with Wire(target.port) as wire:
                wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wire.send(text[:cut])
                time.sleep(0.001)  # only makes it likely that the halves are read apart
                wire.send(text[cut:])
                assert (wire.answer()[2], wire.answer()[2]) == (b"abcde", b"xxx"), cut
        assert target.stop().counts()["malformed"] == 0


def test_versions_and_keep_alive():
    with Target() as target:
        with Wire(target.port) as wire:
            assert wire.send("GET / HTTP/1.0\r\n\r\n").answer()[1]["connection"] == "close" and wire.at_end()
        with Wire(target.port) as wire:
            old = "GET /?chunked=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
            for _ in range(2):
                _, headers, body = wire.send(old).answer()
                assert headers["connection"] == "keep-alive" and len(body) == 128
        with Wire(target.port) as wire:
            assert wire.get("/", "Connection: close\r\n")[1]["connection"] == "close" and wire.at_end()


def test_close_after():
    with Target("--close-after", "3") as target:
        with Wire(target.port) as wire:
            assert ["connection" in wire.get("/")[1] for _ in range(3)] == [False, False, True]
            assert wire.at_end()
        with Wire(target.port) as wire:
            wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
            assert [wire.answer()[0] for _ in range(3)] == [200] * 3 and wire.at_end()
        counts_match_log(target.stop())
        assert target.counts()["answered"] == 6


MALFORMED = [
    b"GET / HTTP/1.1\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /\r\nHost: a\r\n\r\n", b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2000,
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\n",
]


def test_malformed_gets_400_and_the_end():
    with Target() as target:
        for text in MALFORMED:
            with Wire(target.port) as wire:
                status, headers, _ = wire.send(text).answer()
                assert status == 400 and headers["connection"] == "close" and wire.at_end(), text
        # Behind a good request that waits, the good answer comes first.
        with Wire(target.port) as wire:
            wire.send(b"GET /?delay=20ms HTTP/1.1\r\nHost: a\r\n\r\n" + MALFORMED[0])
            assert [wire.answer()[0], wire.answer()[0]] == [200, 400] and wire.at_end()
        counts_match_log(target.stop())
        assert target.counts()["malformed"] == len(MALFORMED) + 1 and target.counts()["arrived"] == 1


def is_reset(wire):
    try:
        wire.answer()
    except ConnectionResetError:
        return True
    except EOFError:
        return False
    return False


def test_resets():
    with Target() as target:
        for _ in range(3):
            with Wire(target.port) as wire:
                assert wire.get("/")[0] == 200
                assert is_reset(wire.send("GET /?reset=1 HTTP/1.1\r\nHost: a\r\n\r\n"))
        counts_match_log(target.stop())
        assert target.counts()["reset"] == 3 and target.counts()["answered"] == 3
    with Target("--reset", "0.5") as target:
        resets = 0
        for _ in range(40):
            with Wire(target.port) as wire:
                resets += is_reset(wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        log = counts_match_log(target.stop())
        assert 5 < resets < 35 and resets == sum(line["outcome"] == "reset" for line in log)


def test_client_that_goes_away_is_logged():
    with Target("--delay", "60s") as target:
        with Wire(target.port) as wire:
            wire.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        with Wire(target.port) as wire:
            wire.send("GET /still-waiting HTTP/1.1\r\nHost: a\r\n\r\n")
            # Answered at once, on the same loop: what came before has been read by then.
            with Wire(target.port) as other:
                assert other.get("/?delay=0")[0] == 200
            log = counts_match_log(target.stop())
    assert [line["outcome"] for line in log].count("aborted") == 4 and len(log) == 5


def test_stall_window_holds_answers_back():
    with Target("--stall", "800ms@1s") as target:
        stop_at = time.monotonic() + 2.5
        with Wire(target.port) as first, Wire(target.port) as second:
            while time.monotonic() < stop_at:
                first.send("GET /?size=1 HTTP/1.1\r\nHost: a\r\n\r\n")
                second.get("/?delay=1ms")
                first.answer()
        log = counts_match_log(target.stop())
    answers = sorted(line["answer_ns"] for line in log)
    gaps = sorted((later - earlier, earlier) for earlier, later in zip(answers, answers[1:]))
    assert gaps[-1][0] >= 795_000_000, gaps[-3:]
    held = [line for line in log if line["arrival_ns"] < gaps[-1][1] + gaps[-1][0] <= line["answer_ns"]]
    assert held, "nothing was held back"


def test_stall_asked_for_by_a_request():
    with Target() as target:
        wires = [Wire(target.port) for _ in range(4)]
        for wire in wires:
            assert wire.get("/before")[0] == 200
        for i, wire in enumerate(wires):
            wire.send(f"GET /{'other' if i else '?stall=150ms'} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(wire.answer()[0] == 200 for wire in wires)
        log = counts_match_log(target.stop())
    stalled = next(line for line in log if "stall" in line["label"])
    assert stalled["delay_ns"] == 0
    for line in log:
        if line["label"] != "GET /before" and line["arrival_ns"] >= stalled["arrival_ns"]:
            assert line["answer_ns"] >= stalled["arrival_ns"] + 150_000_000, line


def test_ends_by_itself_and_by_signals():
    with Target("-d", "300ms") as target:
        assert target.wait() == 0 and target.counts()["connections"] == 0
    for number in (signal.SIGINT, signal.SIGTERM):
        with Target() as target, Wire(target.port) as wire:
            wire.get("/")
            counts_match_log(target.stop(number))


def test_many_connections():
    with Target() as target:
        wires = [Wire(target.port) for _ in range(300)]
        for wire in wires:
            wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(wire.answer()[0] == 200 for wire in wires)
        for wire in wires:
            wire.socket.close()
        counts_match_log(target.stop())
        assert target.counts()["connections"] == 300


def test_out_of_descriptors_is_survived():
    # A shell lowers the limit for the target alone.
    argv = ["sh", "-c", f'ulimit -n 32; exec "{SQUALL}" target --listen 127.0.0.1:0']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            port = int(child.stdout.readline().rsplit(":", 1)[1])
            wires = [Wire(port) for _ in range(40)]
            for wire in wires[:20]:
                assert wire.get("/")[0] == 200
            for wire in wires[:20]:
                wire.socket.close()
            for wire in wires[20:]:
                assert wire.get("/")[0] == 200
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()
    assert child.returncode == 0


def test_bad_command_lines():
    for arguments, text in [
            (["--listen", "0.0.0.0:0"], "--public"), (["--listen", "[::]:0"], "--public"), (["--listen", "nowhere"], "127.0.0.1:8080"),
            (["--listen", "127.0.0.1:99999"], "port"), (["--delay", "unifrm(1ms,2ms)"], "uniform"),
            (["--delay", "uniform(2ms,1ms)"], "above"), (["--delay", "2h"], "60s"), (["--stall", "3s"], "3s@5s"),
            (["--reset", "2"], "probability"), (["--status", "200:x"], "--status"), (["--size", "big"], "size"), (["--dely", "1"], "--delay"),
            (["--seed"], "value"), (["htp"], "http"), (["http", "more"], "more"), (["--log", "/nowhere/x"], "/nowhere/x")]:
        ended = squall("target", *arguments)
        assert ended.returncode == 2 and text in ended.err and not ended.out, (arguments, ended.returncode, ended.err)
    with Target(log=False) as target:
        ended = squall("target", "--listen", f"127.0.0.1:{target.port}")
        assert ended.returncode == 1 and "in use" in ended.err, ended.err
    assert "--stall" in squall("target", "--help").out and "--chunked" in squall("target", "http", "--help").out


def test_a_log_that_cannot_be_written_fails_the_end():
    with Target("--log", "/dev/full", log=False) as target:
        with Wire(target.port) as wire:
            wire.get("/")
        target.signal(signal.SIGTERM)
        assert target.wait() == 1 and "lost" in target.err, target.err
        assert target.counts()["answered"] == 1


def test_log_is_made_anew():
    path = scratch("again.jsonl")
    for _ in range(2):
        with Target("--log", path, log=False) as target:
            with Wire(target.port) as wire:
                wire.get("/")
            target.stop()
    with open(path, encoding="utf-8") as lines:
        assert len(lines.readlines()) == 1


def test_log_reaches_the_disk_while_running():
    with Target() as target, Wire(target.port) as wire:
        wire.get("/")
        wait_until(target.log, "the first line of the log")


main(globals())
