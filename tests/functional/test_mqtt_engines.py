"""The two engines, squall's own and Paho's, on the same scenario and the same brokers: every step that both have, the same counts
and codes, which are the broker's too. (That their medians agree is a matter of times: test_mqtt_stall.py.)"""
import os

from brokers import Ejabberd, Mosquitto, deliveries
from harness import SQUALL, main, missing, scratch, squall, squall_run

SCENARIO = """
squall: 1
targets:
  broker:
    url: "{url}"
    version: "{version}"
    client-id: "{name}-{version}-${{user.id}}"
    username: u${{user.id}}@localhost
    password: secret
    will-topic: wills/${{user.id}}
    will-payload: gone
    {engine}
load: [ {{ users: 4, iterations: 40 }} ]
flow:
  - {{ mqtt: connect, name: connect }}
  - {{ mqtt: "subscribe a/${{user.id}}/#", name: subscribe, qos: 2 }}
  - {{ mqtt: "publish a/${{user.id}}/0", name: publish 0, payload: hello }}
  - {{ mqtt: "await a/${{user.id}}/0", name: await, check: {{ "the payload": 'body == "hello"', "the topic": 'matches(header("topic"), "a/.*/0")' }} }}
  - {{ mqtt: "publish a/${{user.id}}/1", name: publish 1, qos: 1, track: true, size: 200 }}
  - {{ mqtt: "publish a/${{user.id}}/2", name: publish 2, qos: 2, count: 5, track: true }}
  - {{ mqtt: "await a/${{user.id}}/1", name: await 1 }}
  - repeat: 5
    flow: [ {{ mqtt: "await a/${{user.id}}/2", name: await 2, check: {{ "its QoS": 'header("qos") == "2"' }} }} ]
  - {{ mqtt: "unsubscribe a/${{user.id}}/#", name: unsubscribe }}
  - {{ mqtt: "publish a/${{user.id}}/keep", name: keep, qos: 1, retain: true, payload: kept }}
  - {{ mqtt: subscribe, name: several, filters: [ "b/+", {{ topic: "a/${{user.id}}/keep", qos: 1 }} ] }}
  - {{ mqtt: "await a/${{user.id}}/keep", name: await kept, check: {{ "it was kept": 'header("retain") == "1" and body == "kept"' }} }}
  - {{ mqtt: disconnect, name: disconnect }}
"""
SHARED = ("connack_ns", "suback_ns", "unsuback_ns", "puback_ns", "qos2_ns", "delivery_ns", "duplicate_messages",
          "out_of_order_messages", "unexpected_messages", "delivered_messages")


def count(value):
    return value["count"] if isinstance(value, dict) else value


def success(row):
    """A step's codes, where a publish's 16, no matching subscribers, is 0: of a PUBACK that says yes the library does not tell which
    yes it was."""
    codes = dict(row["codes"])
    if row["name"] == "keep" and "16" in codes:
        codes["0"] = codes.get("0", 0) + codes.pop("16")
    return codes


def walk(engine, broker, version):
    path = scratch(f"{engine}-{version}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(SCENARIO.format(url=broker.url()[:-1], engine=f"engine: {engine}" if engine else "", name=engine or "own", version=version))
    summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == summary["totals"]["begun"] == 17 * 40, (engine, version, summary["totals"], summary["errors"])
    return {"checks": summary["checks"],
            "steps": [(row["name"], row["count"], success(row), [count(row["metrics"].get(name, 0)) for name in SHARED])
                      for row in summary["steps"]]}


def test_both_engines_agree():
    for kind in (Mosquitto, Ejabberd):
        with kind() as broker:
            for version in ("3.1.1", "5"):
                own, paho = walk("", broker, version), walk("paho", broker, version)
                assert own["checks"] == paho["checks"], (own["checks"], paho["checks"])
                for one, other in zip(own["steps"], paho["steps"]):
                    assert one == other, (kind, version, one, other)


def test_the_broker_counts_the_same():
    """What mosquitto says in $SYS of PUBLISH packets that it received, and of those that it sent to the subscribers."""
    for scheme in ("mqtt", "mqtt-paho"):
        with Mosquitto() as broker:
            summary = squall_run(f"{scheme}://127.0.0.1:{broker.port}/t", "-u", 5, "-r", "1000/s", "-d", "1s", "--qos", 1,
                                 "--subscribers", 3, "--trust", "off")
            (step,) = summary["steps"]
            assert step["ok"] == 1000 and step["metrics"]["delivered_messages"] == 3000, (scheme, step)
            path = scratch("sys.yaml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"""
squall: 1
targets: {{ broker: {{ url: "{broker.url()[:-1]}" }} }}
load: [ {{ users: 1, iterations: 1 }} ]
flow:
  - mqtt: subscribe $SYS/broker/publish/messages/+
  - {{ mqtt: await $SYS/broker/publish/messages/received, contains: "1000", check: {{ "a thousand": 'body == "1000"' }} }}
""")
            told = squall_run(path, "--trust", "off")
            assert told["totals"]["ok"] == 2 and told["checks"][0]["passed"] == 1, (scheme, told["totals"], told["errors"])


def test_load_with_subscribers():
    with Mosquitto() as broker:
        summary = squall_run(f"mqtt-paho://127.0.0.1:{broker.port}/t", "-u", 5, "-r", "200/s", "-d", "1s", "--qos", 1, "--subscribers",
                             2, "--trust", "off", "-w", 2)
        (step,) = summary["steps"]
        assert step["ok"] == 200 and deliveries(step) == {"expected": 400, "delivered": 400, "undelivered": 0}, step


def test_what_it_cannot_do():
    for line, option in (("mqtt: ping", ""), ("mqtt: drop", ""), ("{ mqtt: publish a, content-type: text }", ""),
                         ("mqtt: publish a", ", auth-method: TOKEN"), ("mqtt: publish a", ", will-track: true")):
        path = scratch("cannot.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f'squall: 1\ntargets: {{ b: {{ url: "mqtt://127.0.0.1", engine: paho{option} }} }}\n'
                      f"load: [ {{ users: 1, iterations: 1 }} ]\nflow: [ {line} ]\n")
        checked = squall("check", path)
        assert checked.returncode == 2 and "not with engine: paho" in checked.err, (line, checked.err)


def test_many_users_are_advised_against():
    path = scratch("many.yaml")
    for users, said in ((500, False), (501, True)):
        with open(path, "w", encoding="utf-8") as out:
            out.write(f'squall: 1\ntargets: {{ b: {{ url: "mqtt://127.0.0.1", engine: paho }} }}\n'
                      f"load: [ {{ users: {users}, iterations: 1 }} ]\nflow: [ {{ mqtt: publish a }} ]\n")
        checked = squall("check", path)
        assert checked.returncode == 0 and ("users in one worker" in checked.err) == said, (users, checked.err)


def test_engine_of_the_url_form():
    plan = squall("check", "mqtt://127.0.0.1:1/a", "--engine", "paho")
    assert plan.returncode == 0 and "(mqtt-paho, " in plan.out, (plan.out, plan.err)


def test_nobody_listens():
    summary = squall("run", "mqtt-paho://127.0.0.1:1/t", "-u", 1, "-d", "1s", "--quiet")
    assert summary.returncode == 3, (summary.returncode, summary.err)


if __name__ == "__main__":
    if not os.path.exists(os.path.join(os.path.dirname(SQUALL), "..", "lib", "squall", "mqtt-paho.so")):
        missing("mqtt-paho.so: build with libpaho-mqtt-dev")
    main(globals())
