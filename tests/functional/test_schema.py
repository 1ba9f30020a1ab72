"""The JSON Schema of scenarios: a validator that is not ours takes every scenario and every example, and refuses what is misspelt."""
import glob
import json
import os
import re

from harness import main, need_module, squall

jsonschema = need_module("jsonschema")
yaml = need_module("yaml")

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Loader(yaml.SafeLoader):
    """Scalars as YAML 1.2's core schema has them: `on` is a text, and a key is what is written."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rows if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def schema():
    done = squall("check", "--schema")
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def validator():
    made = schema()
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def faults(check, text):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in check.iter_errors(yaml.load(text, Loader))]


def installed():
    """Names and schemes of the protocols whose plugins were built: the schema knows no others."""
    rows = [line.split() for line in squall("plugin", "list").out.splitlines()[1:]]
    return {word for row in rows for word in [row[0], *row[2].split(",")]}


def speaks(text, schemes):
    rooms = "|".join(sorted(os.listdir(os.path.join(ROOT, "protocols"))))
    missing = set(re.findall(r"(\w+)://", text) + re.findall(rf"\b({rooms}): ", text)) - schemes
    if missing:
        print(f"SKIP one text: no plugin for {missing}")
    return not missing


def test_every_scenario():
    check, count, schemes = validator(), 0, installed()
    for path in glob.glob(os.path.join(ROOT, "scenarios", "**", "*.yaml"), recursive=True):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = speaks(text, schemes) and faults(check, text)
        assert not found, (path, found)
        count += 1
    assert count >= 8


def blocks():
    """YAML blocks of the pages; and whether the loader refuses it."""
    for name in ("scenario.md", "lua.md", "http.md", "grpc.md", "mqtt.md"):
        with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as file:
            for block, after in re.findall(r"```yaml\n(.*?)```\n(```error)?", file.read(), re.S):
                yield "squall: 1\n" * ("squall:" not in block) + block, bool(after)


def test_every_example():
    check, count, schemes = validator(), 0, installed()
    for block, refused in blocks():
        if refused or not speaks(block, schemes):
            continue
        found = faults(check, block)
        assert not found, (block, found)
        count += 1
    assert count >= 15


def test_what_is_misspelt():
    """What an editor should mark: keys, words of a choice, values of the wrong kind."""
    check = validator()
    good = """squall: 1
targets: { a: { url: "http://127.0.0.1:1", timeout: 5s, tls: { insecure: true } } }
data: { people: { csv: people.csv, order: shuffle } }
load: [ { users: 0 -> 5, over: 10s }, { hold: 10/s, for: 1m, arrivals: poisson } ]
users:
  a:
    weight: 3
    flow:
      - http: GET /
        headers: { x: "1" }
        check: { ok: status == 200 }
      - think: 1s..3s
      - if: x == 1
        flow: [ { http: / } ]
thresholds: [ p99(latency) < 1s, { when: count(failed) > 1, abort: true } ]
group-by: [ kind, tier ]
"""
    assert not faults(check, good), faults(check, good)
    for before, after in (("targets:", "target:"), ("timeout:", "timeuot:"), ("insecure:", "insecur:"), ("order: shuffle", "order: shufle"),
                          ("over:", "ovr:"), ("poisson", "often"), ("weight:", "wieght:"), ("headers:", "header:"), ("check:", "chek:"),
                          ("think:", "thinks:"), ("if:", "iff:"), ("abort:", "abrt:"), ("5s", "soon"), ("http: GET /", "htp: GET /"),
                          ('{ x: "1" }', "[ 1 ]"), ("group-by:", "groupby:"), ("[ kind, tier ]", "{ kind: tier }"), ("squall: 1", "squall: 2")):
        changed = good.replace(before, after, 1)
        assert changed != good and faults(check, changed), after


def test_options_are_described():
    step = schema()["definitions"]["step of http"]
    method = step["properties"]["method"]
    assert step["additionalProperties"] is False and step["required"] == ["http"]
    assert method["default"] == "GET" and method["description"], method
    shown = squall("plugin", "show", "http").out
    for name, row in step["properties"].items():
        own = name in ("http", "target", "name", "check", "save", "tags")
        assert own or re.search(rf"^\s+{re.escape(name)}\b", shown, re.M), name
        assert "description" in row, name


def test_every_reference_leads_somewhere():
    """A key's kind of value is a definition: a row that names none would be found by who meets that key."""
    made = schema()
    named = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(made)))
    assert named <= set(made["definitions"]), named - set(made["definitions"])


def test_only_of_check():
    done = squall("run", "--schema")
    assert done.returncode == 2 and "--schema belongs to squall check" in done.err, done.err


if __name__ == "__main__":
    main(globals())
