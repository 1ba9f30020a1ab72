"""Many devices: 15,000 sessions in one worker and 30,000 in two, against two brokers, from more local addresses than one
has ports for. All connect before the load, all stay, and messages go through."""
import resource

from brokers import Mosquitto
from harness import main, missing, scratch, squall_run

PER_WORKER = 15000

SCENARIO = """
squall: 1
targets:
  one: {{ url: "{one}", client-id: "one-${{user.id}}", keep-alive: 10m, source: 127.0.0.2-127.0.0.4 }}
  two: {{ url: "{two}", client-id: "two-${{user.id}}", keep-alive: 10m, source: 127.0.0.2-127.0.0.4 }}
load:
  first: {{ users: [first], stages: [ {{ hold: {rate}/s, for: 1s, users: {first} }} ] }}
  second: {{ users: [second], stages: [ {{ hold: {rate}/s, for: 1s, users: {second} }} ] }}
users:
  first: {{ flow: [ {{ mqtt: "publish first/${{user.id}}", target: one, name: first, qos: 1 }} ] }}
  second: {{ flow: [ {{ mqtt: "publish second/${{user.id}}", target: two, name: second, qos: 1 }} ] }}
"""


def enough_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < PER_WORKER + 1000:
        missing(f"a limit of {PER_WORKER + 1000} open files a process (it is {hard})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(workers, devices):
    path = scratch(f"many-{workers}.yaml")
    with Mosquitto() as one, Mosquitto() as two:
        with open(path, "w", encoding="utf-8") as out:
            out.write(SCENARIO.format(one=one.url()[:-1], two=two.url()[:-1], rate=500, first=devices // 2, second=devices // 2))
        summary = squall_run(path, "-w", workers, "--trust", "off", seconds=100)
    assert summary["totals"]["ok"] == summary["totals"]["begun"] == 1000, (summary["totals"], summary["errors"])
    generator = summary["generator"]
    assert generator["connections_max"] == devices, generator
    # What one device takes, its user and all, stays far below a buffer's size.
    assert generator["rss_bytes_max"] < (40 << 20) * workers + devices * 4096, generator


def test_15000_in_one_worker():
    connect(1, PER_WORKER)


def test_30000_in_two_workers():
    connect(2, 2 * PER_WORKER)


if __name__ == "__main__":
    enough_descriptors()
    main(globals())
