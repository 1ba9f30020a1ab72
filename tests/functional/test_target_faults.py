"""squall target where it does what a server should not do, or need not: each parameter and flag, seen on the wire."""
from frames import PREFACE, WINDOW, Frames, hf
from harness import Target, Wire, counts_match_log, main, squall

CANCEL, REFUSED, CALM = 8, 7, 11


def kinds(wire, stream):
    """The kinds of frames that came on a stream, in order."""
    return [type(frame).__name__ for frame in wire.seen if frame.stream_id == stream]


def settings_of(target):
    with Frames(target.port) as wire:
        return next(frame.settings for frame in [wire.read(), wire.read()] if isinstance(frame, hf.SettingsFrame))


def test_stream_resets():
    with Target() as target, Frames(target.port) as wire:
        for query, code, head, size in (("rst=cancel", CANCEL, 0, 0), ("rst=ENHANCE_YOUR_CALM", CALM, 0, 0), ("rst=7@0", REFUSED, 1, 0),
                                        ("rst=0xff", 400, 1, None), ("rst=4000000000@3k&size=10k", 4000000000, 1, 3000),
                                        ("rst=cancel@1k&size=10", CANCEL, 1, 10)):
            answer = wire.get("/?" + query)
            if code == 400:
                assert answer.status == 400, query
                continue
            assert (answer.reset, len(answer.blocks), len(answer.body), answer.ended) == (code, head, size, False), (query, vars(answer))
        assert wire.get("/").status == 200
        log = counts_match_log(target.stop())
    assert [line["outcome"] for line in log] == ["reset"] * 3 + ["answered"] + ["reset"] * 2 + ["answered"]


def test_goaway():
    with Target() as target:
        with Frames(target.port) as wire:
            slow, gone = wire.request("/?delay=300ms"), wire.request("/?delay=10s")
            wire.request("/?goaway=enhance-your-calm@1&delay=100ms")
            assert wire.answer(slow).status == 200  # what GOAWAY names is answered, the rest never
            wire.read_to_end()
            assert wire.goaways == [(1, CALM)] and kinds(wire, gone) == [] and kinds(wire, 5) == []
        with Frames(target.port) as wire:
            assert wire.get("/?goaway=no-error").status == 200
            wire.read_to_end()
            assert wire.goaways == [(1, 0)]
        with Frames(target.port) as wire:
            assert wire.get("/?goaway=0@4").status == 400 and wire.get("/?goaway=0@2147483647").status == 200
            wire.read_to_end()
            assert wire.goaways == [(2147483647, 0)]
        log = counts_match_log(target.stop())
    outcomes = {line["label"]: line["outcome"] for line in log}
    assert outcomes["GET /?delay=10s"] == "reset" and outcomes["GET /?goaway=enhance-your-calm@1&delay=100ms"] == "reset", outcomes
    assert target.counts()["aborted"] == 0 and target.counts()["malformed"] == 0
    with Target("--close-after", "2", "--goaway", "internal-error") as target:
        with Frames(target.port) as wire:
            assert wire.get("/").status == 200 and wire.get("/").status == 200
            wire.read_to_end()
            assert wire.goaways == [(3, 2)]
        target.stop()
        assert target.counts()["malformed"] == 0


def test_answers_that_hang_or_come_in_parts():
    with Target() as target, Frames(target.port) as wire, Wire(target.port) as old:
        stuck, head = wire.request("/?hang=100&size=1k"), wire.request("/?hang=0")
        answer = wire.get("/?pace=30@20ms&size=100")
        assert [len(frame.data) for frame in answer.data_frames if frame.data] == [30, 30, 30, 10]
        assert len(wire.streams[stuck].body) == 100 and not wire.streams[stuck].ended
        assert kinds(wire, head) == ["HeadersFrame"]
        assert len(old.get("/?pace=30@20ms&size=100")[2]) == 100
        assert len(old.get("/?pace=3k@5ms&size=10k&chunked=1")[2]) == 10000
        old.send("GET /?hang=100&size=1k HTTP/1.1\r\nHost: a\r\n\r\n")
        old._until(b"\r\n\r\n")
        old._exactly(100)
        log = counts_match_log(target.stop())
    by_label = {line["label"]: line for line in log}
    assert {line["outcome"] for line in log if "hang" in line["label"]} == {"aborted"}
    paced = [line for line in log if line["label"] == "GET /?pace=30@20ms&size=100"]
    assert len(paced) == 2 and all(line["answer_ns"] - line["arrival_ns"] >= 60_000_000 for line in paced), paced
    assert by_label["GET /?hang=100&size=1k"]["bytes"] > 100


def test_interim_answers_fields_and_trailers():
    with Target() as target, Frames(target.port, settings={hf.SettingsFrame.MAX_HEADER_LIST_SIZE: 1 << 20}) as wire:
        answer = wire.get("/?hints=3&trailers=2&size=5")
        assert [dict(block).get(":status") for block in answer.blocks] == ["103"] * 3 + ["200", None]
        assert len(answer.blocks[-1]) == 2 and answer.body == b"xxxxx"
        assert len(wire.get("/?trailers=1&size=0").blocks) == 2
        wire.decoder.max_header_list_size = 1 << 20
        for size in (10, 5000, 60000, 300000):
            answer = wire.get(f"/?fields={size}")
            assert sum(len(value) for name, value in answer.blocks[0] if name == "x-filler") == size
        assert "ContinuationFrame" in [type(frame).__name__ for frame in wire.seen]
        assert wire.get("/?fields=1MiB").status == 400 and wire.get("/?hints=101").status == 400
        counts_match_log(target.stop())


def test_padding():
    with Target() as target, Frames(target.port) as wire:
        for pad in (1, 100, 255):
            stream = wire.request(f"/?pad={pad}&size=10")
            assert wire.answer(stream).body == b"x" * 10
            frames = [frame for frame in wire.seen if frame.stream_id == stream and hasattr(frame, "pad_length")]
            assert frames and all("PADDED" in frame.flags for frame in frames), frames
            assert {frame.pad_length + 1 for frame in frames} == {pad}, frames
        assert wire.get("/?pad=256").status == 400
        counts_match_log(target.stop())


def test_promises_settings_and_raw_frames():
    with Target() as target, Frames(target.port, settings={hf.SettingsFrame.ENABLE_PUSH: 0}) as wire:
        for promised in (2, 4):
            stream = wire.request("/?push=1")
            assert wire.answer(stream).status == 200 and kinds(wire, stream)[0] == "PushPromiseFrame"
            frame = next(frame for frame in wire.seen if frame.stream_id == stream)
            assert frame.promised_stream_id == promised and dict(wire.decoder.decode(frame.data))[":path"] == "/"
        wire.get("/?settings=3:7,4:0")
        assert wire.seen[-3].settings == {3: 7, 4: 0} or {3: 7, 4: 0} in [getattr(frame, "settings", None) for frame in wire.seen]
        for wrong in ("2:1", "4:2147483648", "5:1", "0:1", "3", "3:1," * 9 + "3:1"):
            assert wire.get("/?settings=" + wrong).status == 400, wrong
        ping = hf.PingFrame(0, opaque_data=b"squalls!").serialize()
        update = hf.WindowUpdateFrame(1, window_increment=1).serialize()
        update = update[:5] + b"\xff\xff\xff\xff" + update[9:]
        stream = wire.request("/?raw=" + (ping + update).hex())
        assert wire.answer(stream).status == 200 and kinds(wire, stream)[0] == "WindowUpdateFrame"
        assert any(isinstance(frame, hf.PingFrame) and frame.opaque_data == b"squalls!" for frame in wire.seen)
        for wrong in ("", "0", "xy", "00" * 64):
            assert wire.get("/?raw=" + wrong).status == 400, wrong
        counts_match_log(target.stop())


def test_settings_that_nobody_acknowledges_are_bounded():
    with Target() as target, Frames(target.port, automatic=False) as wire:
        outcomes = [wire.get("/?settings=3:100").reset for _ in range(20)]
        assert outcomes == [None] * 16 + [CALM] * 4, outcomes
        counts_match_log(target.stop())


def test_flags_of_the_connection():
    with Target("--streams", "3", "--window", "10") as target:
        found = settings_of(target)
        assert (found[hf.SettingsFrame.MAX_CONCURRENT_STREAMS], found[WINDOW]) == (3, 10)
        with Frames(target.port) as wire:
            assert wire.get("/echo", b"y" * 1000, method="POST").body == b"y" * 1000
            for _ in range(4):  # one more than was allowed, and the client knows
                wire.request("/?delay=10s")
            assert wire.read_to_end().goaways == [(7, 1)], wire.goaways
        log = counts_match_log(target.stop())
    assert [line["outcome"] for line in log] == ["answered"] + ["aborted"] * 3 and target.counts()["malformed"] == 1
    with Target("--window", "100", "--no-window-updates") as target, Frames(target.port) as wire:
        stream = wire.head("/drop", method="POST", end=False)
        wire.send(stream)
        wire.until(lambda: wire.peer_window == 100)
        wire.send(hf.DataFrame(stream.stream_id, data=b"y" * 100))
        assert wire.get("/").status == 200
        assert not any(isinstance(frame, hf.WindowUpdateFrame) for frame in wire.seen)
        target.stop()


def test_one_version_alone():
    with Target("--only", "1.1") as target:
        with Wire(target.port) as wire:
            assert wire.send(PREFACE).answer()[0] == 400
        with Wire(target.port) as wire:
            assert wire.get("/")[0] == 200
        assert target.stop().counts()["malformed"] == 1
    with Target("--only", "2") as target:
        with Frames(target.port, preface=False) as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.read_to_end()
            assert wire.goaways, wire.seen
        with Frames(target.port) as wire:
            assert wire.get("/").status == 200
        assert target.stop().counts()["malformed"] == 1


def test_on_the_older_version_they_are_refused():
    with Target() as target, Wire(target.port) as wire:
        for query in ("rst=8", "goaway=0", "hints=1", "fields=1", "trailers=1", "pad=1", "push=1", "settings=3:1", "raw=00"):
            status, _, body = wire.get("/?" + query)
            assert status == 400 and b"HTTP/2" in body, query
        counts_match_log(target.stop())


def test_bad_command_lines():
    for flags, words in ((("--only", "3"), "--only"), (("--goaway", "never"), "--goaway"), (("--streams", "1001"), "--streams"),
                         (("--window", "3GiB"), "--window")):
        refused = squall("target", "--listen", "127.0.0.1:0", *flags)
        assert refused.returncode == 2 and words in refused.err, (refused.returncode, refused.err)


main(globals())
