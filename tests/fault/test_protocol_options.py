"""Options with values that make no sense, of the command line and of scenarios, for HTTP/2, gRPC and MQTT on both engines: always
exit 2, and the option's name. Which options there are, and of which type, is read from `squall plugin show`, so new rows are
tried without a word here.
"""
import re
from concurrent.futures import ThreadPoolExecutor

from harness import main, scratch, squall
from protocols import PROTOCOLS, need_protocols

ONCE = "load: [ { users: 1, iterations: 1 } ]\n"
ABSURD = ("-1", "1e18", "99999999999999999999999", "ten", "")
ZERO_IS_FINE = ("drain", "warmup", "seed")
# Of `run` itself: the option and, where it takes a time, a number that lacks its unit.
COMMON = {"users": (), "rate": (), "duration": ("5",), "iterations": (), "connections": (), "workers": (), "warmup": ("5",), "timeout": ("5",),
          "drain": ("5",), "ramp": ("5",), "peak": (), "seed": ("1e18",), "arrivals": (), "preset": (), "trust": (), "log-level": ()}


def all_of(jobs):
    """Each job a list of arguments and the word that the error has to hold; two at a time."""
    def one(job):
        arguments, word = job
        ended = squall("check", *arguments)
        return None if ended.returncode == 2 and word in ended.err else (arguments, ended.returncode, ended.err)
    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(one, jobs) if failure]
    assert not failures, "\n".join(map(str, failures))


def rows_of(name):
    """(kind of option, its name, its type, its flag or None, the first of the steps that it is for or None)."""
    text = squall("plugin", "show", name).out
    for part in ("target", "step"):
        section = re.search(rf"^options of a {part}\n(.*?)(?:\n\n|\Z)", text, re.M | re.S)
        for row in re.split(r"\n(?=  \S)", section.group(1)):
            name, kind, rest = re.match(r"  ([a-z0-9-]+)\s+(choice|number|size|duration|yes/no|text|map|tree)(.*)", row, re.S).groups()
            flag = re.search(r"\(--([a-z0-9-]+)\s", rest)
            step = re.search(r"; of\s+([a-z]+)", rest)
            yield part, name, kind, flag and flag.group(1), step and step.group(1)


def test_flags_of_run():
    jobs = []
    for flag, more in COMMON.items():  # one table for all protocols
        values = [*ABSURD, *more] + ([] if flag in ZERO_IS_FINE else ["0"])
        jobs += [((*PROTOCOLS[3].arguments(1), f"--{flag}={value}"), flag) for value in values]
    all_of(jobs)


def test_flags_of_protocols():
    jobs = []
    for protocol in PROTOCOLS:
        for _, _, kind, flag, _ in rows_of({"h2": "http"}.get(protocol.name, protocol.name)):
            if flag and kind in ("number", "size", "duration", "choice") and flag != "h2":
                jobs += [((*protocol.arguments(1), f"--{flag}={value}"), flag) for value in (*ABSURD[:3], *(("5",) if kind == "duration" else ()))]
    assert len(jobs) > 30, len(jobs)
    all_of(jobs)


def test_options_in_scenarios():
    jobs = []
    for protocol in PROTOCOLS:
        if protocol.name in ("grpc-core", "mqtt-paho"):
            continue  # the same tables
        for part, name, kind, _, step in rows_of({"h2": "http"}.get(protocol.name, protocol.name)):
            if kind in ("text", "map", "tree") or name == "http":
                continue
            for value in ABSURD[:3]:
                text = f'"{value}"'
                verb = protocol.step.split(",")[0] if step in (None, "publish") else f"mqtt: {step}" + (" t" if "subscribe" in step else "")
                own = f", {name}: {text}" if part == "step" else ""
                path = protocol.scenario(1, f"{ONCE}flow: [ {{ {verb}{own} }} ]\n", f"{name}: {text}" if part == "target" else "")
                jobs.append(((path,), name))
    assert len(jobs) > 100, len(jobs)
    all_of(jobs)


def test_texts():
    """What a protocol cannot carry is refused before the run, and not by the peer as a lost connection."""
    grpc, core, mqtt, paho = (list(protocol.arguments(1)) for protocol in PROTOCOLS[1:])
    long = "a" * 65536
    jobs = [((*arguments, f"--authority={value}"), "authority") for arguments in (grpc, core) for value in ("a b", "a\nb", "a/b", "\xe4")]
    jobs += [((*arguments, "-H", f"x: {value}"), 'metadata "x"') for arguments in (grpc, core) for value in ("a\nb", "\x01", "\xe4")]
    jobs += [((*arguments, f"--data={value}"), "message") for arguments in (grpc, core) for value in ("", "5", '{"no-such": 1}', "[]", "{delay: {}}")]
    jobs += [((*arguments, "--data={"), "--data") for arguments in (grpc, core)]
    jobs += [((*arguments, f"--{flag}={long}"), flag) for arguments in (mqtt, paho) for flag in ("client-id", "username", "password")]
    jobs += [((*arguments, "--client-id=\udcff\udcfe"), "client-id") for arguments in (mqtt, paho)]  # bytes that are no UTF-8
    jobs += [(("http://127.0.0.1:1/", "--h2", "-H", value), word) for value, word in (
        ("x: a\nb", "header"), ("x: \x7f", "header"), ("a b: c", "header"), (": c", "-H"), ("", "-H"))]
    jobs += [(("http://127.0.0.1:1/", "--h2", "-X", value), "method") for value in ("", "A B", "A\n")]
    for protocol in PROTOCOLS[3:]:
        for value, word in (('"a/#"', "will-topic"), ('"+"', "will-topic"), ('"\\0"', "NUL")):
            jobs.append(((protocol.scenario(1, ONCE + "flow: [ { STEP } ]\n", f"will-topic: {value}"),), word))
    all_of(jobs)


def test_topics():
    def path(step):
        return PROTOCOLS[3].scenario(1, f"{ONCE}flow: [ {{ {step} }} ]\n")
    all_of([((path(step),), word) for step, word in (
        ('mqtt: publish a/#', "publish"), ('mqtt: publish a+/b', "publish"), ('mqtt: publish', "publish"), ('mqtt: subscribe a/#/b', "subscribe"),
        ('mqtt: subscribe a+', "subscribe"), ('mqtt: "publish a\\0b"', "NUL"), ('mqtt: subscribe $share/a', "subscribe"),
        (f'mqtt: publish {"a" * 65536}', "publish"), ('mqtt: publish t, payload-file: none', "payload-file"))])


if __name__ == "__main__":
    need_protocols()
    scratch()
    main(globals())
