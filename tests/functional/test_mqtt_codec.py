"""The MQTT codec against another implementation, mqtt-packet for Node.js: packets that it generates must be read as what
they are, and what our encoder makes of them it must read as the packet that it began with."""
import json
import os
import subprocess

from harness import main, missing, need

HERE = os.path.dirname(os.path.abspath(__file__))
# Where Debian's node-mqtt-packet stands; a Node.js that is not Debian's does not look there by itself.
NODE_PATH = "/usr/share/nodejs"


def node(*arguments, **options):
    path = os.environ.get("NODE_PATH", "") + ":" + NODE_PATH
    return subprocess.run([need("node"), os.path.join(HERE, "lib", "mqtt_packets.js"), *arguments], capture_output=True,
                          text=True, timeout=60, check=False, env={**os.environ, "NODE_PATH": path}, **options)


def test_packets_of_another_implementation():
    generated = node("generate")
    if "Cannot find module 'mqtt-packet'" in generated.stderr:
        missing("node-mqtt-packet")
    assert generated.returncode == 0, generated.stderr
    packets = [json.loads(line) for line in generated.stdout.splitlines()]
    assert len(packets) > 2000, len(packets)
    lines = "".join(f"{packet['version']} {packet['side']} {packet['hex']}\n" for packet in packets)
    ours = subprocess.run([os.environ["MQTT_TRANSCODE"]], input=lines, capture_output=True, text=True, timeout=60,
                          check=True).stdout.split("\n")
    answers = []
    for number, packet in enumerate(packets):
        text, again = ours[2 * number], ours[2 * number + 1]
        assert text == packet["text"], f"{packet['hex']}\n  ours   {text}\n  theirs {packet['text']}"
        answers.append(json.dumps({"version": packet["version"], "hex": packet["hex"], "again": again}))
    compared = node("compare", input="\n".join(answers))
    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.strip() == f"{len(packets)} the same", compared.stdout


if __name__ == "__main__":
    main(globals())
