"""The interop service on grpcio. Its messages come from a descriptor set, so that no generated code is needed.

    server.py DESCRIPTOR_SET      prints "listening PORT", and on SIGTERM "calls N"
"""
import signal
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

calls = 0
lock = threading.Lock()


def messages(path):
    """Message classes of the package, by name."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(open(path, "rb").read())
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    names = [message.name for file in files.file for message in file.message_type]
    return {name: factory.GetPrototype(pool.FindMessageTypeByName("interop." + name)) for name in names}


def begin(context):
    global calls
    with lock:
        calls += 1
    fields = context.invocation_metadata()
    initial = [(name, value) for name, value in fields if name == "x-echo-initial"]
    trailing = [(name, value) for name, value in fields if name == "x-echo-trailing-bin"]
    if initial:
        context.send_initial_metadata(initial)
    if trailing:
        context.set_trailing_metadata(trailing)


def finish(context, end):
    if end.code:
        context.set_code(next(code for code in grpc.StatusCode if code.value[0] == end.code))
        context.set_details(end.message)


class Interop:
    def __init__(self, types):
        self.types = types

    def empty(self, _request, context):
        begin(context)
        return self.types["Nothing"]()

    def answer(self, request, size, number):
        return self.types["Answer"](payload={"body": bytes(max(size, 0))}, received_bytes=len(request.payload.body), number=number)

    def unary(self, request, context):
        begin(context)
        time.sleep(request.delay_ms / 1000)
        finish(context, request.end)
        return self.answer(request, request.answer_bytes, 1)

    def parts(self, request, number):
        for part in request.parts:
            number += 1
            time.sleep(part.delay_ms / 1000)
            yield self.answer(request, part.answer_bytes, number)

    def download(self, request, context):
        begin(context)
        yield from self.parts(request, 0)
        finish(context, request.end)

    def upload(self, requests, context):
        begin(context)
        summary = self.types["Summary"]()
        for request in requests:
            summary.messages += 1
            summary.received_bytes += len(request.payload.body)
            if request.end.code:
                finish(context, request.end)
                break
        return summary

    def duplex(self, requests, context):
        begin(context)
        number = 0
        for request in requests:
            for answer in self.parts(request, number):
                number += 1
                yield answer
            if request.end.code:
                finish(context, request.end)
                return


def handlers(types):
    service = Interop(types)
    rows = {
        "Empty": (grpc.unary_unary_rpc_method_handler, service.empty, "Nothing"),
        "Unary": (grpc.unary_unary_rpc_method_handler, service.unary, "Request"),
        "Download": (grpc.unary_stream_rpc_method_handler, service.download, "StreamRequest"),
        "Upload": (grpc.stream_unary_rpc_method_handler, service.upload, "StreamRequest"),
        "Duplex": (grpc.stream_stream_rpc_method_handler, service.duplex, "StreamRequest"),
    }
    methods = {name: make(method, types[request].FromString, lambda message: message.SerializeToString())
               for name, (make, method, request) in rows.items()}
    return grpc.method_handlers_generic_handler("interop.Interop", methods)


def main():
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=[("grpc.max_receive_message_length", 16 << 20)])
    server.add_generic_rpc_handlers((handlers(messages(sys.argv[1])),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("listening", port, flush=True)
    over.wait()
    server.stop(0).wait()
    print("calls", calls, flush=True)


main()
