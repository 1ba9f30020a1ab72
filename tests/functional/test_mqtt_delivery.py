"""Deliveries told exactly: what a proxy repeats, swallows and swaps is what the run reports, wills and what other runs have left
included; what is lost with a connection is redelivered where the session is kept."""
import signal

from brokers import Mosquitto, deliveries
from harness import main, scratch, squall_run
from mqtt_wire import HEADER, PUBLISH, Proxy
from proof import MS, SECOND, Run

def step_of(summary, name=None):
    rows = [row for row in summary["steps"] if name is None or row["name"] == name]
    assert len(rows) == 1, [row["name"] for row in summary["steps"]]
    return rows[0]


class Mischief:
    """Repeats every 7th message of a subscriber, swallows every 11th, and lets every 13th pass the one before it."""

    def __init__(self):
        self.repeated = self.swallowed = self.swapped = self.passed = 0

    def __call__(self, packets, state):
        out = []
        for kind, _, body, whole in packets:
            if kind != PUBLISH or b"SQM1" not in body:
                out.append(whole)
                continue
            sequence = HEADER.unpack_from(body, body.index(b"SQM1"))[3]
            if sequence % 11 == 0:
                self.swallowed += 1
                continue
            self.passed += 1
            held = state.pop("held", None)
            if held:
                out += [whole, held]
                self.swapped += 1
            elif sequence % 13 == 0:
                state["held"] = whole
            else:
                out.append(whole)
                if sequence % 7 == 0:
                    out.append(whole)
                    self.repeated += 1
        return out


def test_repeated_swallowed_and_swapped():
    mischief = Mischief()
    with Mosquitto() as broker, Proxy(broker.port, mischief) as proxy:
        summary = squall_run(proxy.url("t"), "-u", 1, "-r", "1000/s", "-d", "1s", "--subscribers", 1, "--trust", "off")
        assert summary["totals"]["ok"] == 1000, summary["totals"]
    step = step_of(summary)
    assert mischief.swallowed == 1000 // 11 and mischief.repeated > 100 and mischief.swapped > 60, vars(mischief)
    assert mischief.passed == 1000 - mischief.swallowed
    # One held at the end is never let go.
    held = mischief.passed - step["metrics"]["delivery_ns"]["count"]
    assert held in (0, 1), (held, vars(mischief))
    assert deliveries(step) == {"expected": 1000, "delivered": mischief.passed - held,
                                  "undelivered": mischief.swallowed + held}, step["deliveries"]
    assert summary["totals"]["deliveries"] == step["deliveries"] and step["deliveries"]["rate_per_s"] > 0, summary["totals"]
    assert step["metrics"]["duplicate_messages"] == mischief.repeated, (step["metrics"], vars(mischief))
    assert step["metrics"]["out_of_order_messages"] == mischief.swapped, (step["metrics"], vars(mischief))


def test_thresholds():
    """What was lost, and how late the rest came, can fail a run, also where the subscription is made in a setup."""
    with Mosquitto() as broker, Proxy(broker.port, Mischief()) as proxy:
        path = scratch("delivery-thresholds.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""squall: 1
ready-before-load: true
targets: {{ broker: {{ url: "{proxy.url('')}" }} }}
load: [ {{ hold: 500/s, for: 1s, users: 1 }} ]
setup: [ {{ name: listen, mqtt: subscribe t }} ]
flow: [ {{ name: tell, mqtt: publish t, qos: 1, size: 64, track: true }} ]
thresholds:
  - rate(undelivered) < 1%
  - listen: count(undelivered) >= {500 // 11}
  - listen: p99(delivery) < 60s
  - rate(delivered) > 90%
  - count(duplicate_messages) == 0
""")
        summary = squall_run(path, "--trust", "off", expect=99)
    lost, counted, late, came, twice = summary["thresholds"]
    assert [row["pass"] for row in summary["thresholds"]] == [False, True, True, True, False], summary["thresholds"]
    assert lost["actual"] * 500 == counted["actual"] in (500 // 11, 500 // 11 + 1), (lost, counted)
    assert came["actual"] == 1 - lost["actual"], (came, lost)


def test_over_workers():
    """Publishers and subscribers in several workers, wildcards and a shared subscription: each group gets all of it once."""
    path = scratch("groups.yaml")
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}" }} }}
ready-before-load: true
load:
  - {{ users: 12, iterations: 600 }}
users:
  all:
    weight: 1
    setup: [ {{ mqtt: "subscribe m/#", name: everything, qos: 1 }} ]
    flow: [ {{ mqtt: "publish m/a", qos: 1, track: true }} ]
  one:
    weight: 1
    setup: [ {{ mqtt: "subscribe m/b", name: one topic, qos: 1 }} ]
    flow: [ {{ mqtt: "publish m/b", qos: 1, track: true }} ]
  group:
    weight: 1
    setup: [ {{ mqtt: "subscribe $share/g/m/+", name: shared, qos: 1 }} ]
    flow: [ {{ mqtt: "publish m/c/d", qos: 2, track: true }} ]
""")
        summary = squall_run(path, "-w", 2, "--trust", "off")
    sent = {row["name"]: row["ok"] for row in summary["steps"] if row["name"].startswith("publish")}
    a, b, c = (sent[f"publish m/{topic}"] for topic in ("a", "b", "c/d"))
    assert a + b + c == 600 and min(a, b, c) > 0, sent
    for name, expected in (("everything", 4 * (a + b + c)), ("one topic", 4 * b), ("shared", a + b)):
        assert deliveries(step_of(summary, name)) == {"expected": expected, "delivered": expected, "undelivered": 0}, \
            (name, step_of(summary, name)["deliveries"], sent)


def test_wills():
    """A dropped device's will reaches who listens; a device that says goodbye has none."""
    path = scratch("wills.yaml")
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets:
  watch: {{ url: "{broker.url()[:-1]}", client-id: "watch-${{user.id}}" }}
  fleet: {{ url: "{broker.url()[:-1]}", client-id: "dev-${{user.id}}", will-topic: "wills/${{user.id}}", will-payload: gone, will-track: true }}
load: [ {{ users: 1, iterations: 30 }} ]
flow:
  - {{ mqtt: "subscribe wills/#", target: watch, name: listen }}
  - {{ mqtt: connect, target: fleet }}
  - {{ mqtt: drop, target: fleet }}
  - {{ mqtt: "await wills/+", target: watch, check: {{ "the will": 'contains(body, "gone")' }} }}
  - {{ mqtt: connect, target: fleet, name: again }}
  - {{ mqtt: disconnect, target: fleet }}
  - {{ mqtt: ping, target: watch }}
""")
        summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == 7 * 30, (summary["totals"], summary["errors"])
    assert summary["checks"][0]["passed"] == 30, summary["checks"]
    listened = step_of(summary, "listen")["metrics"]
    assert listened["delivered_messages"] == listened["will_ns"]["count"] == 30, listened


def test_wills_over_workers():
    """Devices are dropped in two workers, and one listener in one of them gets all wills: each has its time, once."""
    path, devices, rounds = scratch("wills2.yaml"), 20, 5
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets:
  watch: {{ url: "{broker.url()[:-1]}", client-id: "watch-${{user.id}}" }}
  fleet: {{ url: "{broker.url()[:-1]}", client-id: "dev-${{user.id}}", will-topic: "wills/${{user.id}}", will-payload: gone, will-track: true }}
ready-before-load: true
load:
  listeners: {{ users: [listener], stages: [ {{ users: 1, for: 5s }} ] }}
  devices: {{ users: [device], stages: [ {{ users: {devices}, iterations-per-user: {rounds} }} ] }}
users:
  listener:
    setup: [ {{ mqtt: "subscribe wills/#", target: watch, name: listen }} ]
    flow: [ {{ think: 100ms }} ]
  device:
    setup: [ {{ mqtt: connect, target: fleet }} ]
    flow:
      - {{ mqtt: drop, target: fleet }}
      - {{ mqtt: connect, target: fleet, name: again }}
    teardown: [ {{ mqtt: disconnect, target: fleet }} ]
""")
        summary = squall_run(path, "-w", 2, "--trust", "off")
    assert summary["totals"]["ok"] == summary["totals"]["begun"] == 2 * devices * rounds, (summary["totals"], summary["errors"])
    listened = step_of(summary, "listen")["metrics"]
    assert listened["delivered_messages"] == listened["will_ns"]["count"] == devices * rounds, listened
    assert 0 < listened["will_ns"]["min"] <= listened["will_ns"]["max"] < 10 * SECOND, listened["will_ns"]
    assert listened["unexpected_messages"] == listened["untracked_messages"] == 0, listened


def test_messages_of_another_run():
    """Tracked messages and a will of a squall beside this one: nobody here expects them, and no delivery is counted wrong for
    them, though publishers have the same numbers in both."""
    mine, other = scratch("mine.yaml"), scratch("other.yaml")
    with Mosquitto() as broker:
        with open(mine, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}" }} }}
ready-before-load: true
load: [ {{ users: 1, iterations: 1 }} ]
users:
  device:
    setup: [ {{ mqtt: "subscribe both/#", name: listen, qos: 1 }} ]
    flow:
      - repeat: 11
        flow: [ {{ mqtt: "await both/+", name: of the other }} ]
      - {{ mqtt: publish both/a, qos: 1, count: 5, track: true }}
      - repeat: 5
        flow: [ {{ mqtt: "await both/+" }} ]
""")
        with open(other, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}", will-topic: both/will, will-track: true }} }}
load: [ {{ users: 1, iterations: 1 }} ]
flow:
  - {{ mqtt: connect }}
  - {{ mqtt: publish both/a, qos: 1, count: 10, track: true }}
  - {{ mqtt: drop }}
""")
        with Run(mine, quiet=False) as process:
            process.running()
            assert squall_run(other, "--trust", "off")["totals"]["ok"] == 3
            process.end()
        summary = process.summary()
    assert summary["totals"]["ok"] == 17, (summary["totals"], summary["errors"])
    listened = step_of(summary, "listen")
    metrics = listened["metrics"]
    assert metrics["unexpected_messages"] == 11 and metrics["delivered_messages"] == 5, metrics
    assert deliveries(listened) == {"expected": 5, "delivered": 5, "undelivered": 0}, listened
    assert metrics["duplicate_messages"] == metrics["out_of_order_messages"] == metrics["will_ns"]["count"] == 0, metrics


def test_a_kept_session_gets_what_it_missed():
    """Offline backlog: messages of QoS 1 for a subscriber that is away come when it is back, once each."""
    path = scratch("backlog.yaml")
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets:
  device: {{ url: "{broker.url()[:-1]}", client-id: device, clean-start: false, session-expiry: 1h }}
  server: {{ url: "{broker.url()[:-1]}", client-id: server }}
load: [ {{ users: 1, iterations: 5 }} ]
flow:
  - {{ mqtt: connect, target: device, check: {{ "known": "header(\\"session-present\\") == \\"0\\" or iteration > 0" }} }}
  - {{ mqtt: "subscribe orders/#", target: device, qos: 1 }}
  - {{ mqtt: disconnect, target: device }}
  - {{ mqtt: "publish orders/${{iteration}}", target: server, qos: 1, count: 10, track: true }}
  - {{ mqtt: connect, target: device, name: back, check: {{ "its session": 'header("session-present") == "1"' }} }}
  - repeat: 10
    flow: [ {{ mqtt: "await orders/${{iteration}}", target: device }} ]
  - {{ mqtt: ping, target: device, name: acknowledgements have arrived }}
  - {{ mqtt: disconnect, target: device, name: bye }}
""")
        summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == 5 * 17, (summary["totals"], summary["errors"])
    assert all(check["failed"] == 0 for check in summary["checks"]), summary["checks"]
    assert sum(row["metrics"]["duplicate_messages"] for row in summary["steps"]) == 0, summary["steps"]
    assert sum(row["metrics"]["delivery_ns"]["count"] for row in summary["steps"] if row["metrics"].get("delivery_ns")) == 50, summary["steps"]


def test_acknowledgements_that_wait():
    """ack-delay: what comes with QoS 1 or 2 is acknowledged so much later, and the broker waits for it."""
    path, delay_ms = scratch("acks.yaml"), 100
    with Mosquitto("max_inflight_messages 2") as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}", client-id: slow, version: 3.1.1, ack-delay: {delay_ms}ms }} }}
load: [ {{ users: 1, iterations: 1 }} ]
flow:
  - {{ mqtt: "subscribe slow/#", qos: 1 }}
  - {{ mqtt: "publish slow/a", qos: 1, count: 6 }}
  - repeat: 6
    flow: [ {{ mqtt: "await slow/+", name: await }} ]
""")
        summary = squall_run(path, "--trust", "off")
    await_ns = step_of(summary, "await")["latency_ns"]
    assert await_ns["count"] == 6 == step_of(summary, "await")["ok"], summary["totals"]
    # The third waits for the acknowledgements of the two before; the broker then forgets its own limit.
    assert delay_ms * MS <= await_ns["max"] < 20 * delay_ms * MS, await_ns


def test_a_broker_that_restarts():
    """All devices come back by themselves, subscriptions included, and the run goes on."""
    with Mosquitto() as broker:
        with Run(broker.url("t"), "-u", 30, "-r", "100/s", "-d", "6s", "--qos", 1, "--subscribers", 3, quiet=False) as process:
            process.running()
            broker.signal(signal.SIGKILL)
            broker.child.wait()
            with Mosquitto(port=broker.port):
                process.end()
        summary = process.summary()
    step = step_of(summary)
    assert step["ok"] > 200 and summary["totals"]["begun"] == 600, summary["totals"]
    lost = [error for error in summary["errors"] if error["text"].startswith("connection lost to")]
    assert sum(error["count"] for error in lost) >= 30, summary["errors"]
    assert step["metrics"]["suback_ns"]["count"] >= 3, step["metrics"]
    assert step["metrics"]["delivered_messages"] > 3 * 100, step["metrics"]


if __name__ == "__main__":
    main(globals())
