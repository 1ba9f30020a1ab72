"""The three gRPC servers that squall is tested against do the same thing, as seen by an independent client (grpcio's):
whatever squall's tests find is then squall's."""
import sys

from harness import need_module
import grpc_servers

grpc = need_module("grpc")
descriptor_pool = need_module("google.protobuf.descriptor_pool")
from google.protobuf import descriptor_pb2, message_factory  # noqa: E402


def types():
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(open(grpc_servers.PROTOSET, "rb").read()).file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName("interop." + name))


def observe(port):
    """What one server does, as a list of facts."""
    message, seen = types(), []
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(kind, method, request, answer):
        return getattr(channel, kind)("/interop.Interop/" + method, request_serializer=lambda value: value.SerializeToString(),
                                      response_deserializer=message(answer).FromString)

    def status(result):
        try:
            value = result() if callable(result) else list(result)
            return ("OK", value)
        except grpc.RpcError as error:
            return (error.code().name, error.details())

    request, stream = message("Request"), message("StreamRequest")
    unary = call("unary_unary", "Unary", "Request", "Answer")
    answer, done = unary.with_call(request(payload={"body": b"x" * 271828}, answer_bytes=314159), timeout=60,
                                   metadata=[("x-echo-initial", "a b"), ("x-echo-trailing-bin", b"\x00\xff\x0a")])
    seen.append((len(answer.payload.body), answer.received_bytes, answer.number))
    seen.append(sorted((name, value) for name, value in done.initial_metadata() if name.startswith("x-echo")))
    seen.append(sorted((name, value) for name, value in done.trailing_metadata() if name.startswith("x-echo")))
    seen.append(status(lambda: unary(request(end={"code": 2, "message": "\t\nbeware \u2602 %"}), timeout=60)))
    seen.append(status(lambda: unary(request(delay_ms=4000), timeout=2))[0])
    empty = call("unary_unary", "Empty", "Nothing", "Nothing")
    seen.append(status(lambda: empty(message("Nothing")(), timeout=60))[0])
    seen.append(status(lambda: call("unary_unary", "Missing", "Nothing", "Nothing")(message("Nothing")(), timeout=60))[0])
    nowhere = channel.unary_unary("/interop.Nowhere/Unary", request_serializer=lambda value: b"", response_deserializer=lambda value: value)
    seen.append(status(lambda: nowhere(None, timeout=60))[0])

    parts = [{"answer_bytes": size} for size in (31415, 9, 2653, 58979)]
    download = call("unary_stream", "Download", "StreamRequest", "Answer")
    seen.append([(len(item.payload.body), item.number) for item in download(stream(parts=parts), timeout=60)])
    ended = download(stream(parts=parts[:1], end={"code": 8, "message": "enough"}), timeout=60)
    seen.append((len(next(ended).payload.body), status(ended)))
    upload = call("stream_unary", "Upload", "StreamRequest", "Summary")
    summary = upload(iter(stream(payload={"body": b"y" * size}) for size in (27182, 8, 1828, 45904)), timeout=60)
    seen.append((summary.messages, summary.received_bytes))
    duplex = call("stream_stream", "Duplex", "StreamRequest", "Answer")
    seen.append([(len(item.payload.body), item.received_bytes, item.number) for item in duplex(
        iter(stream(parts=[part], payload={"body": b"z" * size}) for part, size in zip(parts, (1, 2, 3, 4))), timeout=60)])
    seen.append([item.number for item in duplex(iter(()), timeout=60)])
    channel.close()
    return seen


def main():
    expected = None
    for name, start in grpc_servers.IMPLEMENTATIONS.items():
        with start() as server:
            seen = observe(server.port)
            calls = server.stop()
        expected = expected or seen
        for first, here in zip(expected, seen):
            assert first == here, f"{name}: {here!r}, and the first server {first!r}"
        assert calls == 9, f"{name} counted {calls} calls"
    assert expected[0] == (314159, 271828, 1), expected
    print("ok: three servers agree on", len(expected), "observations")


sys.exit(main())
