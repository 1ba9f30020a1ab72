"""A scenario in parts: flows that others call, included files, variables from the command line."""
import collections
import json
import os

from harness import Target, main, scratch, squall
from proof import Run

HEAD = 'squall: 1\nload: [ { users: 1, iterations: 2 } ]\n'


def write(name, text):
    path = scratch(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def paths(text, *flags):
    with Target() as target:
        path = write("main.yaml", HEAD + text)
        with Run(path, *flags, env={**os.environ, "SHOP": target.url("")}) as process:
            assert process.end(0) < 60, process.err
            summary = process.summary()
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            return [json.loads(line)["label"].split(" ")[1] for line in log], summary


def refused(text, *flags):
    done = squall("check", write("main.yaml", HEAD + text), *flags)
    assert done.returncode == 2, (text, done.out, done.err)
    return done.err


TARGET = 'targets: { shop: "${env.SHOP:-http://127.0.0.1:1}" }\n'


def test_called_flows():
    seen, summary = paths(TARGET + """
flows:
  look: [ { http: "GET /look/${what}" } ]
  twice:
    - repeat: 2
      flow: [ { call: look, with: { what: "n${user.id}" } } ]
users:
  a: { setup: [ { call: look, with: { what: "'in'" } } ], flow: [ { call: twice }, { transaction: t, flow: [ { call: look, with: { what: 7 } } ] } ] }
""")
    assert seen == ["/look/in"] + ["/look/n1", "/look/n1", "/look/7"] * 2, seen
    assert [step["name"] for step in summary["steps"] if step["count"]] == ["GET /look/${what}"], summary["steps"]
    plan = squall("check", scratch("main.yaml")).out
    assert plan.count("call     look") == 3, plan


def test_called_flows_refused():
    for flow, wanted in {
        "call: lok": "there is no flow `lok` to call; did you mean look",
        "call: [look]": "the name of a flow is needed here",
        "call: itself": "the flow `itself` calls itself here",
        "call: ping": "the flow `ping` calls itself here",
    }.items():
        err = refused(TARGET + "flows: { look: [ { http: / } ], itself: [ { call: itself } ], ping: [ { call: pong } ], pong: [ { call: ping } ] }\n"
                      "flow: [ { http: / }, { " + flow + " } ]\n")
        assert wanted in err, (flow, err)
    # Each level calls the next one ten times: told before it is built.
    levels = "".join(f"  f{i}: [ " + ", ".join([f"{{ call: f{i + 1} }}"] * 10) + " ]\n" for i in range(12))
    assert "more than 200,000 entries" in refused(TARGET + "flows:\n" + levels + "  f12: [ { http: / } ]\nflow: [ { call: f0 } ]\n")


def test_includes():
    write("common/targets.yaml", "squall: 1\n" + TARGET + "include: common/more.yaml\n")
    write("common/more.yaml", "squall: 1\ninclude: [ common/targets.yaml ]\nvars: { what: more }\ndata: { rows: common/rows.csv }\n"
                              "flows: { look: [ { http: \"GET /look/${what}/${rows.n}\" } ] }\n")
    write("common/rows.csv", "n\n1\n2\n")
    seen, _ = paths("include: [ common/targets.yaml ]\nvars: { else: 1 }\nflow: [ { call: look } ]\n")
    assert seen == ["/look/more/1", "/look/more/2"], seen


def test_includes_refused():
    write("a.yaml", "squall: 1\nvars: { x: 1 }\n")
    write("flow.yaml", "squall: 1\nflow: [ { http: / } ]\n")
    write("old.yaml", "vars: { x: 1 }\n")
    write("bad.yaml", "squall: 1\nflows: { f: [ { http: 'GET /${nobody}' } ] }\n")
    outside = os.path.join(os.path.dirname(scratch().rstrip("/")), "squall-outside.yaml")
    with open(outside, "w", encoding="utf-8") as file:
        file.write("squall: 1\n")
    for text, wanted in {
        "include: gone.yaml\n": "main.yaml:3:10: the file 'gone.yaml' is not there",
        "include: ../squall-outside.yaml\n": "lies outside of the scenario's folder",
        "include: old.yaml\n": "old.yaml:1:1: an included file begins with the version",
        "include: flow.yaml\n": "flow.yaml:2:1: `flow` is not known in an included file; did you mean `flows`?",
        "include: a.yaml\nvars: { x: 2 }\n": "a.yaml:2:9: `x` stands in `vars` of another file too",
        "include: bad.yaml\nflow: [ { call: f } ]\n" + TARGET: "bad.yaml:2:31: `nobody` is not known",
    }.items():
        err = refused(text)
        assert wanted in err, (text, err)
    os.unlink(outside)


def test_set():
    text = TARGET + 'vars: { page: 1, who: "nobody" }\nusers: { a: { vars: { who: "class" }, flow: [ { http: "GET /${page + 1}/${who}" } ] } }\n'
    assert paths(text)[0] == ["/2/class"] * 2
    assert paths(text, "--set", "page=41", "--set", "who=a=b", "-w", 2)[0] == ["/42/a=b"] * 2
    assert "--set pge: the scenario has no variable of that name; did you mean page?" in refused(text, "--set", "pge=1")
    assert "write a variable's name and its value" in refused(text, "--set", "page")
    done = squall("check", "http://127.0.0.1:1/", "--set", "page=1")
    assert done.returncode == 2 and "the URL form has no variables" in done.err, done.err


if __name__ == "__main__":
    main(globals())
