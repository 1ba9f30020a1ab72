"""What MQTT 5 added, on mosquitto: properties of messages and wills arrive as they were sent, options of subscriptions are kept,
payloads come from texts, files and chance; and a limit on what is tracked is told."""
from brokers import Mosquitto
from harness import main, scratch, squall_run


def run(broker, steps, target="", more="", users=1, journeys=1):
    """One class of users that walks the steps against targets `a` and `b`: both of the broker, `target` is of `b`."""
    path = scratch("five.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"""
squall: 1
targets:
  a: {{ url: "{broker.url()[:-1]}", client-id: "a-${{user.id}}"{more} }}
  b: {{ url: "{broker.url()[:-1]}", client-id: "b-${{user.id}}"{target} }}
load: [ {{ users: {users}, iterations: {journeys} }} ]
flow:
{steps}
""")
    summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == summary["totals"]["begun"], (summary["totals"], summary["errors"])
    for check in summary["checks"]:
        assert check["failed"] == 0 and check["passed"] == users * journeys, check
    return summary


def metric(summary, name):
    found = [row["metrics"].get(name, 0) for row in summary["steps"]]
    return sum(value["count"] if isinstance(value, dict) else value for value in found)


def test_properties_of_messages():
    with Mosquitto() as broker:
        run(broker, """
  - { mqtt: subscribe p/#, target: a, qos: 1, subscription-id: 7, properties: { who: me } }
  - mqtt: publish p/a
    target: b
    qos: 1
    payload: "{}"
    payload-format: 1
    content-type: application/json
    response-topic: answers/here
    correlation-data: number 4
    expiry: 60s
    properties: { trace: abc, span: "${user.id}" }
  - mqtt: await p/+
    target: a
    check:
      format: header("payload-format-indicator") == "1"
      type: header("content-type") == "application/json"
      response: header("response-topic") == "answers/here"
      correlation: header("correlation-data") == "number 4"
      expiry: number(header("message-expiry-interval")) > 0 and number(header("message-expiry-interval")) <= 60
      subscription: header("subscription-identifier") == "7"
      of the user's: header("trace") == "abc" and header("span") == "1"
      body: body == "{}"
""".replace("of the user's", "\"the user's\""))


def test_options_of_subscriptions():
    """No Local, Retain As Published and Retain Handling: a message of one's own does not come, a retain flag stays, and what was
    retained comes or not."""
    with Mosquitto() as broker:
        summary = run(broker, """
  - { mqtt: subscribe own/#, target: a, no-local: true, name: no local }
  - { mqtt: publish own/a, target: a, qos: 1 }
  - { mqtt: publish own/b, target: b, qos: 1 }
  - { mqtt: await own/+, target: a, check: { "of the other": 'header("topic") == "own/b"' } }
  - { mqtt: subscribe kept/plain, target: a }
  - { mqtt: subscribe kept/flag, target: a, retain-as-published: true }
  - { mqtt: publish kept/plain, target: b, qos: 1, retain: true, payload: one }
  - { mqtt: publish kept/flag, target: b, qos: 1, retain: true, payload: two }
  - { mqtt: await kept/plain, target: a, check: { "it lost its flag": 'header("retain") == "0"' } }
  - { mqtt: await kept/flag, target: a, check: { "it has its flag": 'header("retain") == "1"' } }
  - { mqtt: subscribe kept/#, target: b, retain-handling: 2, name: none of the past }
  - { mqtt: ping, target: b }
  - { mqtt: unsubscribe kept/#, target: b }
  - { mqtt: subscribe kept/#, target: b, retain-handling: 1, name: for a new one }
  - { mqtt: await kept/flag, target: b, check: { "from before": 'header("retain") == "1" and body == "two"' } }
  - { mqtt: subscribe kept/#, target: b, retain-handling: 1, name: for an old one }
  - { mqtt: ping, target: b, name: and nothing more came }
""")
        steps = {row["name"]: row["metrics"] for row in summary["steps"]}
        assert steps["no local"]["delivered_messages"] == 1, steps["no local"]
        assert metric(summary, "retained_messages") == metric(summary, "retained_ns") == 2, steps


def test_wills():
    """Delay, retain flag and properties of a will; a DISCONNECT that wants it published; a connection that is reset."""
    with Mosquitto() as broker:
        summary = run(broker, """
  - { mqtt: subscribe wills/#, target: a, qos: 1 }
  - { mqtt: connect, target: b }
  - { mqtt: disconnect, target: b, reason: 4 }
  - { mqtt: await wills/b, target: a, name: said goodbye, check: { "its properties": 'header("why") == "test" and body == "gone"' } }
  - { mqtt: connect, target: b, name: again }
  - { mqtt: drop, target: b, reset: true }
  - { mqtt: await wills/b, target: a, name: was reset }
  - { mqtt: unsubscribe wills/#, target: a }
  - { mqtt: subscribe wills/+, target: a }
  - { mqtt: await wills/b, target: a, name: was kept, check: { "retained": 'header("retain") == "1"' } }
""", target=", will-topic: wills/b, will-payload: gone, will-qos: 1, will-retain: true, will-delay: 2s, session-expiry: 10s, "
            "will-properties: { why: test }")
        rows = {row["name"]: row["latency_ns"] for row in summary["steps"]}
        for name in ("said goodbye", "was reset"):
            assert rows[name]["min"] >= 1_000_000_000, (name, rows[name])  # less what passed before it was waited for


def test_a_session_that_the_goodbye_keeps():
    with Mosquitto() as broker:
        run(broker, """
  - { mqtt: connect, target: b, check: { "known to nobody": 'header("session-present") == "0"' } }
  - { mqtt: disconnect, target: b, session-expiry: 100s, properties: { bye: now } }
  - { mqtt: connect, target: b, clean-start: "false", name: again, check: { "kept": 'header("session-present") == "1"' } }
  - { mqtt: disconnect, target: b, name: for good }
""", target=", session-expiry: 50s, properties: { model: test }")


def test_payloads():
    with open(scratch("payload.bin"), "wb") as out:
        out.write(b"from a file\0\xff")
    with Mosquitto() as broker:
        run(broker, """
  - { mqtt: subscribe data/#, target: a, qos: 1 }
  - { mqtt: publish data/text, target: b, qos: 1, payload: "user ${user.id}, ${iteration}" }
  - { mqtt: await data/text, target: a, check: { "a text": 'matches(body, "user 1, [012]")' } }
  - { mqtt: publish data/file, target: b, qos: 1, payload-file: payload.bin }
  - { mqtt: await data/file, target: a, check: { "a file": 'size(body) == 13 and contains(body, "from a file")' } }
  - { mqtt: publish data/size, target: b, qos: 1, payload: "abc", size: 300B }
  - { mqtt: await data/size, target: a, check: { "filled up": 'size(body) == 300 and matches(body, "abcx+")' } }
  - { mqtt: publish data/noise, target: b, qos: 1, size: 300B, fill: random }
  - { mqtt: await data/noise, target: a, check: { "random": 'size(body) == 300 and not matches(body, ".*xxxxxx.*")' } }
""", journeys=3)


def test_a_limit_of_what_is_tracked():
    """Three publishers and one subscriber make three pairs; with room for two the third one's messages are counted and no more."""
    path = scratch("tracked.yaml")
    with Mosquitto() as broker:
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
squall: 1
targets: {{ a: {{ url: "{broker.url()[:-1]}", delivery-track: 2 }} }}
load: [ {{ users: 3, iterations-per-user: 10 }} ]
flow: [ {{ mqtt: publish t, qos: 1, subscribers: 1 }} ]
""")
        summary = squall_run(path, "--trust", "off")
    assert summary["totals"]["ok"] == 30, summary["totals"]
    assert metric(summary, "delivered_messages") == 30 and metric(summary, "untracked_messages") == 10, summary["steps"]
    assert metric(summary, "delivery_ns") == 20, summary["steps"]


if __name__ == "__main__":
    main(globals())
