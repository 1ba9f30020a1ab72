"""squall target on HTTP/2: the same behaviour as on HTTP/1.1, a stream each, in the order in which delays end."""
from frames import PREFACE, WINDOW, Frames, hf
from harness import Target, Wire, counts_match_log, main


def test_both_versions_on_one_port():
    with Target() as target:
        with Frames(target.port) as wire, Wire(target.port) as old:
            answer = wire.get("/some/path?i=1")
            assert (answer.status, len(answer.body), answer.headers["content-length"]) == (200, 128, "128")
            assert old.get("/")[0] == 200
        log = counts_match_log(target.stop())
    assert [line["label"] for line in log] == ["GET /some/path?i=1", "GET /"]
    assert log[0]["bytes"] > 128 and log[0]["status"] == 200


def test_flags_and_overrides():
    with Target("--status", "503", "--size", "uniform(10,20)", "--delay", "3ms") as target, Frames(target.port) as wire:
        answer = wire.get("/")
        assert answer.status == 503 and 10 <= len(answer.body) <= 20
        assert wire.get("/?status=404").status == 404
        assert len(wire.get("/?size=20MiB").body) == 20 << 20
        assert wire.get("/?size=0").body == b""
        assert "content-length" not in wire.get("/?chunked=1").headers
        answer = wire.get("/?size=77", method="HEAD")
        assert answer.headers["content-length"] == "77" and answer.body == b""
        assert wire.get("/?status=204").body == b""
        for wrong in ("delay=soon", "status=99", "size=-1", "close"):
            answer = wire.get("/?" + wrong)
            assert answer.status == 400 and wrong.split("=")[0].encode() in answer.body, wrong
        log = counts_match_log(target.stop())
    assert all(line["delay_ns"] == 3_000_000 for line in log)


def test_answers_come_when_their_delays_end():
    with Target() as target, Frames(target.port) as wire:
        delays = [300, 100, 200, 0, 150]
        heads = [wire.head(f"/?delay={delay}ms") for delay in delays]
        wire.send(*heads)  # at once, since they are timed from when each is read
        streams = [head.stream_id for head in heads]
        for stream in streams:
            assert wire.answer(stream).status == 200
        ended = [frame.stream_id for frame in wire.seen if "END_STREAM" in frame.flags]
        assert ended == [stream for _, stream in sorted(zip(delays, streams))], ended
        counts_match_log(target.stop())


def test_bodies_and_echo():
    with Target() as target, Frames(target.port) as wire:
        text = bytes(range(256)) * 2000
        assert wire.get("/echo", text, method="POST").body == text
        assert wire.get("/echo", b"", method="POST").body == b""
        streams = {wire.request("/echo", bytes([i]) * 5000, method="POST"): bytes([i]) * 5000 for i in range(20)}
        assert all(wire.answer(stream).body == body for stream, body in streams.items())
        assert wire.get("/echo", b"y" * ((1 << 20) + 1), method="POST").status == 413
        assert wire.get("/drop", b"y" * (3 << 20), method="POST").status == 200
        stream = wire.request("/echo", b"abc", method="POST", fields=[("expect", "100-continue")])
        assert wire.answer(stream).body == b"abc"
        assert [dict(block)[":status"] for block in wire.streams[stream].blocks] == ["100", "200"]
        log = counts_match_log(target.stop())
    assert log[0]["label"] == "POST /echo"


def test_every_split_gives_the_same():
    with Target() as target, Frames(target.port) as first:
        text = PREFACE + b"".join(frame.serialize() for frame in (
            hf.SettingsFrame(0), first.head("/echo", method="POST", end=False, stream=1), hf.DataFrame(1, data=b"ab"),
            hf.DataFrame(1, data=b"c", flags=["END_STREAM"]), first.head("/?size=3", stream=3)))
        for cut in range(1, len(text), 3):
            with Frames(target.port, preface=False) as wire:
                wire.send(text[:cut])
                wire.send(text[cut:])
                wire.until(lambda: sum("END_STREAM" in frame.flags for frame in wire.seen) == 2)
                assert (wire.streams[1].body, wire.streams[3].body) == (b"abc", b"xxx"), cut
        counts_match_log(target.stop())


def test_more_streams_than_allowed_are_refused():
    with Target() as target, Frames(target.port) as wire:
        wire.until(lambda: any(isinstance(frame, hf.SettingsFrame) and "ACK" in frame.flags for frame in wire.seen))
        limit = next(frame.settings[hf.SettingsFrame.MAX_CONCURRENT_STREAMS] for frame in wire.seen
                     if isinstance(frame, hf.SettingsFrame) and frame.settings)
        streams = [wire.request("/?delay=100ms") for _ in range(limit)]
        assert wire.answer(streams[-1]).status == 200
        counts_match_log(target.stop())


def test_windows_hold_answers_back():
    with Target() as target, Frames(target.port, settings={WINDOW: 10}, automatic=False) as wire:
        first, second = wire.request("/?size=25"), wire.request("/?size=5")
        assert len(wire.answer(second).body) == 5
        wire.until(lambda: len(wire.streams[first].body) == 10)
        for _ in range(2):
            wire.send(hf.WindowUpdateFrame(first, window_increment=10))
            before = len(wire.streams[first].data_frames)
            wire.until(lambda: len(wire.streams[first].data_frames) > before)
        wire.answer(first)
        assert [len(frame.data) for frame in wire.streams[first].data_frames] == [10, 10, 5]
        counts_match_log(target.stop())


def test_close_and_close_after():
    with Target("--close-after", "3") as target:
        with Frames(target.port) as wire:
            slow = wire.request("/?delay=200ms")
            assert wire.get("/?close=1").status == 200
            assert wire.goaways == [(3, 0)]
            assert wire.answer(slow).status == 200  # what was in flight is answered first
            wire.read_to_end()
        with Frames(target.port) as wire:
            for _ in range(3):
                assert wire.get("/").status == 200
            wire.read_to_end()
            assert wire.goaways == [(5, 0)]
        with Frames(target.port) as wire:  # a body on its way is waited for
            head = wire.head("/echo", method="POST", end=False)
            wire.send(head)
            assert wire.get("/?close=1").status == 200
            wire.send(hf.DataFrame(head.stream_id, data=b"late", flags=["END_STREAM"]))
            assert wire.answer(head.stream_id).body == b"late"
            wire.read_to_end()
        assert counts_match_log(target.stop()) and target.counts()["aborted"] == 0


def test_resets_and_clients_that_give_up():
    with Target() as target:
        with Frames(target.port) as wire:
            wire.request("/?delay=10s")
            wire.request("/?reset=1")
            wire.read_to_end()
        with Frames(target.port) as wire:
            stream = wire.request("/?delay=10s")
            wire.send(hf.RstStreamFrame(stream, error_code=8))
            assert wire.get("/").status == 200
            wire.request("/?delay=10s&gone=1")
            assert wire.get("/").status == 200
        log = counts_match_log(target.stop())
    outcomes = {line["label"]: line["outcome"] for line in log}
    assert outcomes == {"GET /?delay=10s": "aborted", "GET /?reset=1": "reset", "GET /": "answered",
                        "GET /?delay=10s&gone=1": "aborted"}, outcomes


def test_stall_holds_all_streams():
    with Target() as target, Frames(target.port) as wire:
        first, second = wire.request("/?delay=1s"), wire.request("/?stall=2s")
        wire.answer(first), wire.answer(second)
        log = counts_match_log(target.stop())
    assert all(line["answer_ns"] - log[0]["arrival_ns"] >= 2_000_000_000 for line in log), log


main(globals())
