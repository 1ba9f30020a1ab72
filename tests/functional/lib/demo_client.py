"""A client of `squall target grpc` that knows nothing but reflection: its own messages come from the target, too."""
from harness import Target, need_module

grpc = need_module("grpc")
need_module("google.protobuf.descriptor_pool")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

REFLECTION = "grpc.reflection.v1"


def fields(data):
    """(number, value) of each field of a message that has varints and bytes alone."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        yield tag >> 3, value


class Demo:
    """A channel; demo.unary({...}) and so on give what grpc gives, status(...) the name and text of how a call ended."""

    def __init__(self, target, options=(), channel=None):
        self.channel = channel or grpc.insecure_channel(f"127.0.0.1:{target.port}", options=list(options))
        self.pool = descriptor_pool.DescriptorPool()
        self.factory = message_factory.MessageFactory(self.pool)
        self.learned = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def learn(self, symbol, version=REFLECTION):
        """Asks for the file of a symbol, by a question and an answer that are encoded by hand."""
        question = bytes([4 << 3 | 2, len(symbol)]) + symbol.encode()
        ask = self.channel.stream_stream(f"/{version}.ServerReflection/ServerReflectionInfo")
        answer, = ask(iter([question]), timeout=60)
        files = [value for number, part in fields(answer) if number == 4 for _, value in fields(part)]
        assert len(files) == 1, answer
        self.pool.Add(descriptor_pb2.FileDescriptorProto.FromString(files[0]))

    def type(self, name):
        package = name.rsplit(".", 1)[0]
        if package not in self.learned:
            self.learn(name)
            self.learned.add(package)
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def method(self, kind, path, request, answer):
        return getattr(self.channel, kind)(path, request_serializer=self.type(request).SerializeToString,
                                           response_deserializer=self.type(answer).FromString)

    def ask(self, **values):
        return self.type("squall.demo.Ask")(**values)

    def _demo(self, kind, name):
        return self.method(kind, "/squall.demo.Demo/" + name, "squall.demo.Ask", "squall.demo.Answer")

    def unary(self, timeout=60, **values):
        return self._demo("unary_unary", "Unary")(self.ask(**values), timeout=timeout)

    def download(self, timeout=60, **values):
        return self._demo("unary_stream", "Download")(self.ask(**values), timeout=timeout)

    def upload(self, asks, timeout=60, **options):
        return self._demo("stream_unary", "Upload")((self.ask(**ask) for ask in asks), timeout=timeout, **options)

    def chat(self, asks, timeout=60):
        return self._demo("stream_stream", "Chat")((self.ask(**ask) for ask in asks), timeout=timeout)


def status(call):
    """The status and its message; of a function that makes the call, or of a stream."""
    try:
        call() if callable(call) and not hasattr(call, "cancel") else list(call)
        return "OK", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


def grpc_target(*flags, **options):
    return Target(*flags, protocol="grpc", **options)
