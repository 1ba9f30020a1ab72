"""squall target grpc, as grpcio's client sees it: all four kinds, statuses, deadlines, reflection, health; counts equal
the log."""
import time

from demo_client import Demo, fields, grpc, grpc_target, status
from harness import counts_match_log, main, squall_run


def demo_log(target):
    """The log's lines of the demo service: reflection is in it, too."""
    return [line for line in counts_match_log(target.stop()) if line["label"].startswith("/squall.demo.Demo/")]


def test_all_four_kinds():
    with grpc_target("--size", "33") as target, Demo(target) as demo:
        answer = demo.unary(payload=b"x" * 271828, size="314159", tag="a-1")
        assert (len(answer.payload), answer.number, answer.received_messages, answer.received_bytes, answer.tag) == \
            (314159, 1, 1, 271828, "a-1")
        assert len(demo.unary().payload) == 33
        parts = [{"size": size} for size in ("31415", "9", "2653", "58979")] + [{"count": 3}]
        answers = list(demo.download(parts=parts, tag="d"))
        assert [(len(answer.payload), answer.number) for answer in answers] == \
            [(31415, 1), (9, 2), (2653, 3), (58979, 4), (33, 5), (33, 6), (33, 7)]
        answer = demo.upload({"payload": b"y" * size, "size": "5"} for size in (27182, 8, 1828, 45904))
        assert (len(answer.payload), answer.received_messages, answer.received_bytes) == (5, 4, 27182 + 8 + 1828 + 45904)
        assert demo.upload([]).received_messages == 0
        answers = list(demo.chat({"payload": b"z" * size, "parts": [{"size": str(size), "count": size}], "tag": str(size)}
                                 for size in (1, 2, 3)))
        assert [(len(answer.payload), answer.tag, answer.received_bytes) for answer in answers] == \
            [(1, "1", 1)] + [(2, "2", 3)] * 2 + [(3, "3", 6)] * 3
        assert list(demo.chat([])) == []
        log = demo_log(target)
    assert [line["label"].rsplit("/", 1)[1] for line in log] == \
        ["Unary", "Unary", "Download", "Upload", "Upload", "Chat", "Chat"]
    assert all(line["outcome"] == "answered" and line["status"] == 0 for line in log)
    assert log[0]["bytes"] > 314159 and log[2]["bytes"] > sum(map(len, (b"",))) + 31415 + 2653 + 58979


def test_ping_pong_answers_at_once():
    with grpc_target() as target, Demo(target) as demo:
        sent, seen = [], []

        def asks():
            for number in range(50):
                while len(seen) < number:
                    time.sleep(0.0005)
                sent.append(number)
                yield {"tag": str(number)}

        for answer in demo.chat(asks(), timeout=60):
            seen.append(answer.tag)
        assert seen == [str(number) for number in range(50)]
        assert len(demo_log(target)) == 1


def test_statuses():
    with grpc_target() as target, Demo(target) as demo:
        assert status(lambda: demo.unary(status="NOT_FOUND", message="\t\nbeware \u2602 %")) == ("NOT_FOUND", "\t\nbeware \u2602 %")
        assert status(lambda: demo.unary(status="16")) == ("UNAUTHENTICATED", "")
        answers = demo.download(parts=[{}, {}], status="RESOURCE_EXHAUSTED", message="enough")
        assert next(answers).number == 1 and next(answers).number == 2
        assert status(answers) == ("RESOURCE_EXHAUSTED", "enough")
        assert status(lambda: demo.upload([{}, {"status": "ABORTED"}]))[0] == "ABORTED"
        chat = demo.chat([{}, {"status": "DATA_LOSS", "parts": [{}]}, {}])
        assert [next(chat).number, next(chat).number] == [1, 2] and status(chat)[0] == "DATA_LOSS"
        for wrong, what in (({"delay": "soon"}, "delay: "), ({"size": "-1"}, "size: "), ({"status": "FINE"}, "status: "),
                            ({"parts": [{}, {}]}, "parts: "), ({"parts": [{"count": 2}]}, "parts: "), ({"tag": "x" * 201}, "tag: "), ({"stall": "2h"}, "stall: "),
                            ({"fault": 99}, "fault: "), ({"http_status": 99}, "http_status: ")):
            code, text = status(lambda values=wrong: demo.unary(**values))
            assert code == "INVALID_ARGUMENT" and text.startswith(what), (wrong, code, text)
        assert status(demo.download(parts=[{}] * 17))[0] == "INVALID_ARGUMENT"
        assert status(demo.chat([{}, {"close": True}]))[0] == "INVALID_ARGUMENT"
        missing = demo.method("unary_unary", "/squall.demo.Demo/Missing", "squall.demo.Ask", "squall.demo.Answer")
        assert status(lambda: missing(demo.ask(), timeout=60))[0] == "UNIMPLEMENTED"
        nowhere = demo.method("unary_unary", "/nowhere.Service/Unary", "squall.demo.Ask", "squall.demo.Answer")
        assert status(lambda: nowhere(demo.ask(), timeout=60))[0] == "UNIMPLEMENTED"
        log = demo_log(target)
    assert [line["status"] for line in log[:5]] == [5, 16, 8, 10, 15], log


def test_flags_apply():
    with grpc_target("--status", "OK:1,UNAVAILABLE:1", "--size", "uniform(10,20)", "--delay", "3ms") as target:
        with Demo(target) as demo:
            seen = set()
            for _ in range(60):
                try:
                    seen.add(len(demo.unary().payload))
                except grpc.RpcError as error:
                    seen.add(error.code().name)
            assert "UNAVAILABLE" in seen and seen - {"UNAVAILABLE"} <= set(range(10, 21)) and len(seen) > 2, seen
            assert demo.unary(status="OK", delay="1ms").number == 1
            log = demo_log(target)
    assert [line["delay_ns"] for line in log] == [3_000_000] * 60 + [1_000_000]
    assert sum(line["status"] == 14 for line in log) + sum(line["status"] == 0 for line in log) == len(log)


def test_deadlines():
    with grpc_target() as target, Demo(target) as demo:
        assert status(lambda: demo.unary(delay="30s", timeout=2))[0] == "DEADLINE_EXCEEDED"
        answers = demo.download(parts=[{}, {"delay": "30s"}], timeout=2)
        assert next(answers).number == 1 and status(answers)[0] == "DEADLINE_EXCEEDED"
        assert demo.unary(delay="100ms", timeout=60).number == 1
        counts_match_log(target.stop())


def test_parts_pause():
    with grpc_target() as target, Demo(target) as demo:
        began = time.monotonic()
        assert len(list(demo.download(parts=[{"delay": "50ms", "count": 4}]))) == 4
        assert time.monotonic() - began >= 0.2
        assert len(list(demo.chat([{"delay": "60ms"}, {"delay": "70ms"}, {"parts": [{"delay": "80ms"}]}]))) == 3
        assert time.monotonic() - began >= 0.41
        assert [line["delay_ns"] for line in demo_log(target)] == [0, 60_000_000]


def test_stall_holds_all_calls():
    with grpc_target() as target, Demo(target) as demo:
        demo.unary()
        slow = demo._demo("unary_unary", "Unary").future(demo.ask(delay="1s"), timeout=60)
        stall = demo._demo("unary_unary", "Unary").future(demo.ask(stall="2s"), timeout=60)
        assert slow.result().number == stall.result().number == 1
        log = demo_log(target)
    slow, = (line for line in log if line["delay_ns"] == 1_000_000_000)
    stalled, = (line for line in log[1:] if line is not slow)
    assert stalled["answer_ns"] - stalled["arrival_ns"] >= 2_000_000_000
    assert slow["answer_ns"] >= stalled["arrival_ns"] + 2_000_000_000, log


def test_cancel_and_close():
    with grpc_target() as target, Demo(target) as demo:
        call = demo._demo("unary_unary", "Unary").future(demo.ask(delay="30s"), timeout=60)
        answers = demo.download(parts=[{"count": 1 << 30}])
        next(answers)
        answers.cancel()
        call.cancel()
        assert demo.unary().number == 1
        assert demo.unary(close=True).number == 1
        assert demo.unary().number == 1  # on another connection
        log = demo_log(target)
        assert target.counts()["connections"] == 2
    assert [line["outcome"] for line in log if line["status"] == 0].count("aborted") == 2, log


def test_many_calls_at_once():
    with grpc_target("--delay", "uniform(0,20ms)", "--streams", "50") as target, Demo(target) as demo:
        unary = demo._demo("unary_unary", "Unary")
        calls = [unary.future(demo.ask(tag=str(i), size=str(i)), timeout=60) for i in range(400)]
        for i, call in enumerate(calls):
            answer = call.result()
            assert (answer.tag, len(answer.payload)) == (str(i), i)
        assert len(demo_log(target)) == 400


def test_compression_and_sizes():
    with grpc_target("--max-message", "1MiB") as target:
        with Demo(target, options=[("grpc.default_compression_algorithm", 2)]) as demo:
            assert demo.unary(payload=b"c" * 500_000).received_bytes == 500_000
            code, text = status(lambda: demo.unary(payload=b"c" * (2 << 20)))
            assert code == "RESOURCE_EXHAUSTED" and "--max-message" in text, (code, text)
        with Demo(target) as demo:
            assert status(lambda: demo.unary(payload=b"c" * (2 << 20)))[0] == "RESOURCE_EXHAUSTED"
            assert status(lambda: demo.upload({"payload": b"c" * (2 << 20)} for _ in range(3)))[0] == "RESOURCE_EXHAUSTED"
            assert demo.upload({"payload": b"c" * 900_000} for _ in range(20)).received_bytes == 18_000_000
        counts_match_log(target.stop())


def test_health():
    with grpc_target("--status", "INTERNAL", "--delay", "1s") as target, Demo(target) as demo:
        types = "grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse"
        request = demo.type(types[0])
        check = demo.method("unary_unary", "/grpc.health.v1.Health/Check", *types)
        assert check(request(), timeout=60).status == 1
        assert check(request(service="squall.demo.Demo"), timeout=60).status == 1
        assert status(lambda: check(request(service="squall.demo.Other"), timeout=60))[0] == "NOT_FOUND"
        watch = demo.method("unary_stream", "/grpc.health.v1.Health/Watch", *types)
        for service, expected in (("squall.demo.Demo", 1), ("squall.demo.Demo.Unary", 3)):
            states = watch(request(service=service), timeout=60)
            assert next(states).status == expected
            states.cancel()
        assert status(watch(request(), timeout=0.2))[0] == "DEADLINE_EXCEEDED"
        counts_match_log(target.stop())


def test_reflection():
    for version in ("v1", "v1alpha"):
        package = "grpc.reflection." + version
        with grpc_target() as target, Demo(target) as demo:
            demo.learn(package + ".ServerReflection", package)
            demo.learned.add(package)
            request = demo.type(package + ".ServerReflectionRequest")
            info = demo.method("stream_stream", f"/{package}.ServerReflection/ServerReflectionInfo",
                               package + ".ServerReflectionRequest", package + ".ServerReflectionResponse")
            symbols = ["squall.demo.Demo", "squall.demo.Demo.Chat", "squall.demo.Ask", "squall.demo.Ask.tag",
                       "squall.demo.GOAWAY", "grpc.health.v1.HealthCheckResponse.ServingStatus"]
            unknown = ["squall.demo", "squall.demo.Demo.Nope", "squall.demo.Ask.nope", "Ask", "", "squall.demo.Demo.Chat.x"]
            questions = [request(list_services="*")] + \
                [request(host="h", file_containing_symbol=symbol) for symbol in symbols + unknown] + \
                [request(file_by_filename=name) for name in ("demo.proto", "other.proto")] + \
                [request(all_extension_numbers_of_type="squall.demo.Ask"), request()]
            answers = list(info(iter(questions), timeout=60))
            assert [answer.original_request for answer in answers] == questions
            assert sorted(service.name for service in answers[0].list_services_response.service) == [
                "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
                "squall.demo.Demo"]
            kinds = [answer.WhichOneof("message_response") for answer in answers[1:]]
            assert kinds == ["file_descriptor_response"] * len(symbols) + ["error_response"] * len(unknown) + \
                ["file_descriptor_response", "error_response", "all_extension_numbers_response", "error_response"], kinds
            assert [answer.error_response.error_code for answer in answers if answer.HasField("error_response")] == \
                [5] * len(unknown) + [5, 3]
            assert answers[1].valid_host == "h"
            names = {number: value for number, value in fields(answers[1].file_descriptor_response.file_descriptor_proto[0])}
            assert names[1] == b"demo.proto"
            counts_match_log(target.stop())


def test_squall_runs_on_reflection_alone():
    for scheme, flags, client in ("grpc", (), ()), ("grpcs", ("--tls",), ("-k",)):
        with grpc_target("--delay", "2ms", *flags) as target:
            url = f"{scheme}://127.0.0.1:{target.port}/squall.demo.Demo/"
            summary = squall_run(url + "Unary", "-n", "200", "-u", "10", *client, "--data", '{"size": "100", "tag": "t"}')
            log = [line for line in counts_match_log(target.stop()) if "Demo" in line["label"]]
        assert summary["totals"]["ok"] == len(log) == 200, summary["totals"]


main(globals())
