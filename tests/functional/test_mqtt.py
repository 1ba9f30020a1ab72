"""The mqtt plugin against real brokers: every kind of step in both versions, and counts that equal the broker's own."""
import os
import re

from brokers import Ejabberd, Mosquitto
from certificates import Authority
from harness import free_port, main, scratch, squall, squall_run

EVERY_STEP = """
squall: 1
targets:
  broker:
    url: {url}
    version: "{version}"
    client-id: "{version}-dev-${{user.id}}"
    username: u${{user.id}}@localhost
    password: secret
    will-topic: wills/${{user.id}}
    will-payload: gone
load: [ {{ users: 4, iterations: 40 }} ]
flow:
  - mqtt: connect
    check: {{ "a new session": 'header("session-present") == "0"' }}
  - mqtt: subscribe a/${{user.id}}/#
    qos: 2
  - mqtt: publish a/${{user.id}}/0
    payload: hello ${{iteration}}
  - mqtt: await a/${{user.id}}/0
    contains: hello
    check: {{ "the payload": 'contains(body, "hello")', "the topic": 'matches(header("topic"), "a/.*/0")' }}
  - mqtt: publish a/${{user.id}}/1
    qos: 1
    size: 200
    track: true
  - mqtt: publish a/${{user.id}}/2
    qos: 2
    count: 5
    track: true
  - mqtt: await a/${{user.id}}/1
  - repeat: 5
    flow:
      - mqtt: await a/${{user.id}}/2
        check: {{ "its QoS": 'header("qos") == "2"' }}
  - mqtt: ping
  - mqtt: unsubscribe a/${{user.id}}/#
  - mqtt: publish a/${{user.id}}/keep
    retain: true
    qos: 1
    payload: kept
  - mqtt: subscribe
    filters: [ "b/+/c", {{ topic: "a/${{user.id}}/keep", qos: 1 }} ]
  - mqtt: await a/${{user.id}}/keep
    check: {{ "retained": 'header("retain") == "1"' }}
  - mqtt: publish a/${{user.id}}/keep
    name: clear
    retain: true
    qos: 1
  - mqtt: disconnect
  - mqtt: connect
    name: connect again
  - mqtt: drop
"""
JOURNEYS = 40


def steps(summary):
    return {row["name"]: row for row in summary["steps"]}


def total(summary, metric):
    """A counter, or the count of a histogram, over all steps."""
    found = [row.get("metrics", {}).get(metric, 0) for row in summary["steps"]]
    return sum(value["count"] if isinstance(value, dict) else value for value in found)


def every_step(url, version):
    path = scratch(f"every-{version}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(EVERY_STEP.format(url=url, version=version))
    summary = squall_run(path, "--trust", "off")
    totals = summary["totals"]
    assert totals["ok"] == totals["begun"] == 21 * JOURNEYS, (totals, summary["errors"])
    for check in summary["checks"]:
        assert check["passed"] == JOURNEYS * (5 if check["name"] == "its QoS" else 1) and check["failed"] == 0, check
    for metric, count in (("connack_ns", 2), ("suback_ns", 2), ("unsuback_ns", 1), ("puback_ns", 3), ("pubrec_ns", 5),
                          ("pubcomp_ns", 5), ("qos2_ns", 5), ("ping_ns", 1), ("delivery_ns", 6),
                          ("duplicate_messages", 0), ("out_of_order_messages", 0), ("unexpected_messages", 0)):
        assert total(summary, metric) == count * JOURNEYS, (metric, total(summary, metric), count * JOURNEYS)
    # A broker may acknowledge a retained message before it has stored or forgotten it.
    assert total(summary, "retained_ns") >= JOURNEYS, total(summary, "retained_ns")
    return summary


def test_every_step_on_mosquitto():
    with Mosquitto() as broker:
        for version in ("3.1.1", "5"):
            summary = every_step(broker.url(), version)
            assert total(summary, "retained_ns") == JOURNEYS, total(summary, "retained_ns")


def test_every_step_on_ejabberd():
    with Ejabberd() as broker:
        for version in ("3.1.1", "5"):
            every_step(broker.url(), version)


def test_url_form():
    """Every message of every user reaches every subscriber, at each QoS."""
    with Mosquitto() as broker:
        for qos in (0, 1, 2):
            summary = squall_run(broker.url(f"load/{qos}"), "-u", 20, "-r", "500/s", "-d", "1s", "--qos", qos,
                                 "--subscribers", 3, "--trust", "off")
            assert summary["totals"]["ok"] == summary["totals"]["begun"] == 500, summary["totals"]
            (step,) = summary["steps"]
            assert step["metrics"]["delivered_messages"] == 3 * 500, step["metrics"]
            assert step["metrics"]["delivery_ns"]["count"] == 3 * 500, step["metrics"]
            assert total(summary, "duplicate_messages") == total(summary, "out_of_order_messages") == 0


def test_a_certificate_for_each_device():
    """TLS where the broker wants a certificate and takes its name for the user's: each device shows its own."""
    farm = Authority()
    farm.issue("broker")
    for user in (1, 2, 3):
        farm.issue(str(user))
    # The topic of each device's own name is all that it may publish to and read.
    access = farm.write("acl", "pattern readwrite own/%u\n")
    for name in ("root.pem", "broker.crt", "broker.key", "acl"):
        os.chmod(farm.path(name), 0o644)
    lines = (f"listener {free_port()} 127.0.0.1\ncafile {farm.path('root.pem')}\ncertfile {farm.path('broker.crt')}\n"
             f"keyfile {farm.path('broker.key')}\nrequire_certificate true\nuse_identity_as_username true\nacl_file {access}")
    port = re.search(r"listener (\d+)", lines).group(1)
    with Mosquitto(lines) as broker:
        assert broker.port
        path = farm.write("fleet.yaml", f"""
squall: 1
targets:
  fleet: {{ url: "mqtts://127.0.0.1:{port}", client-id: "dev-${{user.id}}", tls: {{ ca: root.pem, cert: "${{user.id}}.pem" }} }}
load: [ {{ users: 3, iterations: 30 }} ]
flow:
  - {{ mqtt: "subscribe own/${{user.id}}", qos: 1, name: subscribe }}
  - {{ mqtt: "publish own/${{user.id}}", qos: 1, payload: mine, name: publish }}
  - {{ mqtt: "await own/${{user.id}}", name: await, check: {{ mine: 'body == "mine"' }} }}
""")
        summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == 90 == summary["totals"]["begun"], (summary["totals"], summary["errors"])
    assert summary["checks"][0]["passed"] == 30, summary["checks"]
    assert all(row["deliveries"]["expected"] == 0 or row["deliveries"]["expected"] is None for row in summary["steps"] if "deliveries" in row)


def test_the_broker_counts_the_same():
    """What mosquitto says in $SYS of messages that it received and connections that it has."""
    path = scratch("sys.yaml")
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}" }} }}
load: [ {{ users: 20, iterations: 1000 }} ]
flow: [ {{ mqtt: publish a/b, qos: 1, payload: x }} ]
""")
        assert squall_run(path, "--trust", "off")["totals"]["ok"] == 1000
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}" }} }}
load: [ {{ users: 1, iterations: 1 }} ]
flow:
  - mqtt: subscribe $SYS/broker/publish/messages/received
  - {{ mqtt: await $SYS/broker/publish/messages/received, contains: "1000", check: {{ "a thousand": 'body == "1000"' }} }}
""")
        summary = squall_run(path, "--trust", "off")
        assert summary["totals"]["ok"] == 2 and summary["checks"][0]["passed"] == 1, (summary["totals"], summary["errors"])


def test_examples_of_the_docs_load():
    """Each scenario of docs/mqtt.md, completed where it shows a part."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "mqtt.md"), encoding="utf-8") as text:
        blocks = re.findall(r"```yaml\n(.*?)```", text.read(), re.S)
    assert len(blocks) >= 3, blocks
    for block in blocks:
        more = "" if re.search("^load:", block, re.M) else "load: [ { users: 1, for: 1s } ]\n"
        more += "" if re.search("^(flow|users):", block, re.M) else "flow: [ { mqtt: publish a } ]\n"
        path = scratch("example.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write("squall: 1\n" + block + more)
        with open(scratch("1.pem"), "w", encoding="utf-8") as out:
            out.write("")
        checked = squall("check", path, env={**os.environ, "PASSWORD": "none"})
        assert checked.returncode == 0, (block, checked.err)


if __name__ == "__main__":
    main(globals())
