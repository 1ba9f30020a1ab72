"""Sections of `compare` about what users cost: a flow of varying steps, TLS, and connections that wait."""
import os
import re
import time

from common import median, scratch, spread, table, tool_path, written
from harness import Process, wait_until

# Two classes by weight walk three steps: path and header are rendered anew, a check is evaluated, and the first answer's
# token goes into the other two.
FLOW = """squall: 1
targets: {{ shop: "{url}" }}
load: [ {{ users: {users}, {length} }} ]
users:
  visitor:
    weight: 3
    flow: &steps
      - http: GET /items/${{random.int(1, 100000)}}
        headers: {{ accept: application/json, x-user: "u${{user.id}}" }}
        check: {{ "is ok": status == 200 }}
        save: {{ token: body.next.token }}
      - http: GET /items/${{iteration}}/${{token}}
        headers: {{ accept: application/json, authorization: "Bearer ${{token}}" }}
        check: {{ "is ok": status == 200 }}
      - http: GET /items/mine?token=${{token}}&user=${{user.id}}
        headers: {{ accept: application/json, authorization: "Bearer ${{token}}" }}
        check: {{ "is ok": status == 200 }}
  buyer: {{ flow: *steps }}
"""

IDLE = """squall: 1
targets: {{ a: {{ url: "{url}", connect-timeout: 60s{tls} }} }}
load: [ {{ users: {users}, for: 300s }} ]
flow: [ {{ http: GET /bench }}, {{ think: 290s }} ]
"""

# Few of the users have something to do at a time: an open load's pool is as large as the worst that may come.
POOL = """squall: 1
targets: {{ a: {{ url: "{url}", connections: 8 }} }}
load: [ {{ hold: 100/s, for: 300s, users: {users} }} ]
flow: [ {{ http: GET /bench }} ]
"""


def flow_command(bench, length):
    path = written("flow.yaml", FLOW.format(url=bench.nginx.url("").rstrip("/"), users=bench.options.connections, length=length))
    return [bench.options.squall, "run", path, "-w", 1, "--quiet", "--trust", "off", "--out", scratch("flow.json")]


def tls_commands(bench, seconds, requests=None):
    """For so many seconds; squall, where told, for so many requests."""
    options = bench.options
    length = ["-n", requests] if requests else ["-d", f"{seconds}s"]
    return {"squall": [options.squall, "run", bench.tls_url, "-k", "-u", options.connections, *length, "-w", 1, "--quiet", "--trust", "off",
                       "--out", scratch("tls.json")],
            "wrk": [tool_path(bench, "wrk") or "wrk", "-t1", f"-c{options.connections}", f"-d{seconds}s", bench.tls_url]}


def rounds_of(bench, argv, base):
    """CPU a request and its ratio to that of `base` in the same round, by name, of as many rounds as are asked for."""
    costs, ratios = {name: [] for name in argv}, {name: [] for name in argv}
    names = list(argv)
    for turn in range(bench.options.rounds):
        cost = {}
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            result = bench.run(argv[name])
            if result and result["requests"] > 0:
                cost[name] = result["cpu"] / result["requests"]
        for name, value in cost.items():
            costs[name].append(1e6 * value)
            if base in cost:
                ratios[name].append(value / cost[base])
    return costs, ratios


def print_rounds(costs, ratios, base):
    rows = [[name, len(costs[name]), f"{median(costs[name]):.2f}", spread(costs[name]), f"{median(ratios[name]):.2f}", spread(ratios[name])]
            for name in costs]
    table(["tool", "rounds", "CPU us a request", "least to most", f"x {base} (same round)", "least to most"], rows)


def missing(bench, names):
    found = [name for name in names if not tool_path(bench, name)]
    if found:
        print(f"Not found, so not measured: {', '.join(found)}.\n")
    return found


def flow(bench):
    options = bench.options
    print(f"## A flow of three steps: {options.connections} users, {options.seconds} s, {options.rounds} rounds\n")
    if missing(bench, ["floor", "squall"]):
        return
    seconds, connections = f"{options.seconds}s", options.connections
    argv = {"floor": [tool_path(bench, "floor"), "--connections", connections, "--seconds", options.seconds, bench.url],
            "squall, one GET": [options.squall, "run", bench.url, "-u", connections, "-d", seconds, "-w", 1, "--quiet", "--trust", "off",
                                "--out", scratch("get.json")],
            "squall, the flow": flow_command(bench, f"for: {seconds}")}
    print_rounds(*rounds_of(bench, argv, "floor"), "floor")


def tls(bench):
    options = bench.options
    print(f"## TLS 1.3, HTTP/1.1: {options.connections} keep-alive connections, {options.seconds} s, {options.rounds} rounds\n")
    if missing(bench, ["squall", "wrk"]):
        return
    print_rounds(*rounds_of(bench, tls_commands(bench, options.seconds), "wrk"), "wrk")


# ---- users that think ----


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return [int(child) for child in text.read().split()]


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(r"VmRSS:\s+(\d+) kB", text.read()).group(1)) * 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as text:
        words = text.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def thinking(bench, url, users):
    """(resident bytes, CPU of a core) of two workers whose users have all had one answer each and think."""
    secure = url.startswith("https")
    text = IDLE.format(url=url.rsplit("/", 1)[0], users=users, tls=", tls: { insecure: true }" if secure else "")
    return measured(bench, text, users)


def in_pool(bench, url, users):
    """The same, of an open load that goes on."""
    return measured(bench, POOL.format(url=url.rsplit("/", 1)[0], users=users), 100)


def measured(bench, text, answers):
    """Of two workers that have had so many answers."""
    path = written("idle.yaml", text)
    before = bench.served()
    with Process([bench.options.squall, "run", path, "-w", "2", "--trust", "off"]) as process:
        # Each look at nginx's count is a request too.
        looks = iter(range(1, 1 << 30))
        wait_until(lambda: bench.served() - before - next(looks) >= answers, f"{answers} answers", 120)
        workers = children(process.pid)
        time.sleep(1)  # the last snapshot with an answer in it goes out
        start, cpu = time.monotonic(), sum(map(cpu_seconds, workers))
        time.sleep(2)
        used = (sum(map(cpu_seconds, workers)) - cpu) / (time.monotonic() - start)
        bytes_resident = sum(map(resident, workers))
        process.child.kill()  # its workers end with it
    return bytes_resident, used


def idle(bench):
    users = bench.options.users
    print(f"## {users:,} users in think time, a connection each, two workers\n")
    if missing(bench, ["squall"]):
        return
    rows = []
    for name, url, aim in (("plain", bench.url, 4), ("TLS 1.3", bench.tls_url, 24)):
        few, many = thinking(bench, url, 100), thinking(bench, url, users + 100)
        rows.append([name, f"{(many[0] - few[0]) / users / 1024:.2f}", aim, f"{100 * many[1]:.1f} %"])
    few, many = in_pool(bench, bench.url, 100), in_pool(bench, bench.url, users + 100)
    rows.append(["none: in the pool of an open load of 100/s", f"{(many[0] - few[0]) / users / 1024:.2f}", "-", "-"])
    table(["connections", "KiB a user", "aimed at, at most", "CPU of a core while they think"], rows)
