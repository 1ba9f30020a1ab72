"""The message library against Google's: random messages of every kind of field are written by one and read by the other.

Needs python3-protobuf and protoc; the C side is tests/unit/grpc/message_tool.c.
"""
import importlib
import json
import math
import os
import random
import subprocess
import sys

from harness import main, need, need_module, scratch

TOOL = os.environ.get("GRPC_MESSAGE_TOOL")
SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "grpc")
ROUNDS = 300


def google():
    """The sample's classes and json_format, or a skip."""
    json_format = need_module("google.protobuf.json_format")
    folder = scratch("classes")
    os.makedirs(folder, exist_ok=True)
    subprocess.run([need("protoc"), f"-I{SAMPLES}", f"--python_out={folder}", "sample.proto", "old.proto"], check=True,
                   timeout=60, cwd=SAMPLES)
    sys.path.insert(0, folder)
    return importlib.import_module("sample_pb2"), importlib.import_module("old_pb2"), json_format


class Tool:
    def __init__(self, proto):
        self.child = subprocess.Popen([TOOL, os.path.join(SAMPLES, proto)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, encoding="utf-8")

    def __call__(self, verb, name, rest):
        self.child.stdin.write(f"{verb} {name} {rest}\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().rstrip("\n")
        assert answer.startswith("ok "), f"{verb} {name} {rest}: {answer!r}"
        return answer[3:]

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(timeout=20) == 0


def text_of(chance):
    return "".join(chance.choice(["a", "é", "€", "😀", '"', "\\", "\n", " ", "z"]) for _ in range(chance.randrange(9)))


def scalar_of(field, chance):
    kinds = type(field)
    wide = chance.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), chance.randrange(-(2**63), 2**63)])
    if field.type in (kinds.TYPE_DOUBLE, kinds.TYPE_FLOAT):
        value = chance.choice([0.0, 1.5, -0.1, 1e-30, 3e30, math.inf, -math.inf, chance.uniform(-1e6, 1e6)])
        return value
    if field.type in (kinds.TYPE_INT64, kinds.TYPE_SFIXED64, kinds.TYPE_SINT64):
        return wide
    if field.type in (kinds.TYPE_UINT64, kinds.TYPE_FIXED64):
        return wide % 2**64
    if field.type in (kinds.TYPE_UINT32, kinds.TYPE_FIXED32):
        return wide % 2**32
    if field.type in (kinds.TYPE_INT32, kinds.TYPE_SFIXED32, kinds.TYPE_SINT32):
        return (wide + 2**31) % 2**32 - 2**31
    if field.type == kinds.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type == kinds.TYPE_STRING:
        return text_of(chance)
    if field.type == kinds.TYPE_BYTES:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(7)))
    assert field.type == kinds.TYPE_ENUM, field.type
    return chance.choice([value.number for value in field.enum_type.values])


def json_value(chance, depth=0):
    kind = chance.randrange(6 if depth < 3 else 4)
    if kind < 4:
        return (None, chance.random() < 0.5, chance.randrange(1000) / 4, text_of(chance))[kind]
    if kind == 4:
        return [json_value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {text_of(chance): json_value(chance, depth + 1) for _ in range(chance.randrange(3))}


def fill_special(message, chance, json_format, sample):
    name = message.DESCRIPTOR.name
    if name == "Timestamp":
        message.FromNanoseconds(chance.randrange(-(10**18), 10**18))
    elif name == "Duration":
        message.FromNanoseconds(chance.randrange(-(10**15), 10**15))
    elif name == "FieldMask":
        message.FromJsonString(chance.choice(["a", "a,bC.dE", "fooBar"]))
    elif name == "Any":
        item = sample.Item(product_id=text_of(chance), count=chance.randrange(9))
        message.Pack(item)
    elif name in ("Struct", "Value", "ListValue"):
        made = {"Struct": lambda: {text_of(chance): json_value(chance)}, "Value": lambda: json_value(chance),
                "ListValue": lambda: [json_value(chance)]}[name]()
        json_format.ParseDict(made, message)
        message.SetInParent()
    else:
        return False
    return True


def fill(message, chance, json_format, sample, depth=0):
    if fill_special(message, chance, json_format, sample):
        return message
    for field in message.DESCRIPTOR.fields:
        if not field.has_default_value and field.label != field.LABEL_REQUIRED and chance.random() < 0.5:
            continue
        is_map = field.message_type and field.message_type.GetOptions().map_entry
        if is_map:
            key, value = field.message_type.fields
            for _ in range(chance.randrange(3)):
                made = scalar_of(key, chance)
                if value.message_type:
                    fill(getattr(message, field.name)[made], chance, json_format, sample, depth + 1)
                else:
                    getattr(message, field.name)[made] = scalar_of(value, chance)
        elif field.message_type:
            if depth > 2:
                continue
            if field.label == field.LABEL_REPEATED:
                for _ in range(chance.randrange(3)):
                    fill(getattr(message, field.name).add(), chance, json_format, sample, depth + 1)
            else:
                getattr(message, field.name).SetInParent()
                fill(getattr(message, field.name), chance, json_format, sample, depth + 1)
        elif field.label == field.LABEL_REPEATED:
            getattr(message, field.name).extend(scalar_of(field, chance) for _ in range(chance.randrange(4)))
        else:
            setattr(message, field.name, scalar_of(field, chance))
    return message


def compare(proto, cls, chance, json_format, sample):
    tool, name = Tool(proto), cls.DESCRIPTOR.full_name
    for _ in range(ROUNDS):
        message = fill(cls(), chance, json_format, sample)
        text = json_format.MessageToJson(message, indent=None, ensure_ascii=chance.random() < 0.5,
                                         preserving_proto_field_name=chance.random() < 0.5)
        for verb in ("encode", "holes"):
            read = cls.FromString(bytes.fromhex(tool(verb, name, text)))
            assert json_format.MessageToDict(read) == json_format.MessageToDict(message), f"{verb}: {text}"
        # Packed or not, the size is what Google's writes for the same message; but it leaves out an Any's empty value.
        assert "@type" in text or len(tool("encode", name, text)) == 2 * message.ByteSize(), text
        written = tool("decode", name, message.SerializeToString().hex())
        back = json_format.Parse(written, cls())
        # What has no presence is written with its default, so both sides are compared as messages.
        assert json_format.MessageToDict(back) == json_format.MessageToDict(message), f"{text}\n{written}"
        json.loads(written)
    tool.close()


def test_random_messages():
    sample, old, json_format = google()
    chance = random.Random(20261122)
    compare("sample.proto", sample.All, chance, json_format, sample)
    compare("old.proto", old.Old, chance, json_format, sample)


if __name__ == "__main__":
    if not TOOL:
        print("SKIP: squall was built without the grpc room")
        sys.exit(77)
    main(globals())
