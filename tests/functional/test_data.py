"""Data feeds: which rows reach the server, from how many workers, in which order, and what a large file costs."""
import collections
import json
import os
import resource
import subprocess

from harness import SQUALL, Target, main, scratch, squall
from proof import Run


def write(name, text):
    path = scratch(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def people(count):
    return "name,note\n" + "".join(f'u{i},"a, ""b"" {i}"\n' for i in range(count))


def walk(text, *flags, code=0):
    """The paths that the server saw, in its order, and the summary."""
    with Target() as target:
        path = write("data.yaml", 'squall: 1\ntargets: { api: "' + target.url("") + '" }\n' + text)
        with Run(path, *flags) as process:
            assert process.end(code) < 60, process.err
            summary = process.summary()
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            return [json.loads(line)["label"].split(" ")[1].strip("/") for line in log], summary


def test_rows_are_shared_without_overlap():
    """Each row once before the end, whatever the order and the number of workers; then the run ends or they come again."""
    write("people.csv", people(101))
    for order in ("sequential", "shuffle"):
        for workers in (1, 2):
            text = ("data: { people: { csv: people.csv, order: " + order + ", at-end: stop } }\n"
                    'flow: [ { http: "GET /${people.name}" } ]\n')
            for load in ("[ { users: 4, for: 30s } ]", "[ { hold: 2000/s, for: 30s, users: 8 } ]"):
                seen, summary = walk("load: " + load + "\n" + text, "-w", workers)
                assert sorted(seen) == sorted(f"u{i}" for i in range(101)), (order, workers, collections.Counter(seen).most_common(3))
                assert summary["journeys"]["due"] == summary["journeys"]["completed"] == 101, summary["journeys"]
    seen, _ = walk("load: [ { users: 3, iterations: 202 } ]\ndata: { people: { csv: people.csv, order: shuffle } }\n"
                   'flow: [ { http: "GET /${people.name}" } ]\n', "-w", 1)
    assert set(collections.Counter(seen).values()) == {2}, collections.Counter(seen)


def test_the_seed_gives_the_order():
    write("people.csv", people(50))
    text = ("load: [ { users: 1, iterations: 50 } ]\ndata: { people: { csv: people.csv, order: shuffle } }\n"
            'flow: [ { http: "GET /${people.name}" } ]\n')
    first, again, other = (walk(text, "-w", 1, "--seed", seed)[0] for seed in (1, 1, 2))
    assert first == again and first != other and sorted(first) == sorted(other)
    assert walk(text.replace("shuffle", "sequential"), "-w", 1)[0] == [f"u{i}" for i in range(50)]


def test_one_row_for_each_user():
    """A user keeps its row from setup to teardown, and no other has it."""
    write("people.csv", people(20))
    seen, _ = walk("load: [ { users: 20, iterations-per-user: 3, for: 30s } ]\n"
                   "data: { people: { csv: people.csv, scope: one-per-user, order: shuffle, at-end: stop } }\n"
                   'users: { u: { setup: [ { http: "GET /in/${people.name}/${user.id}" } ], flow: [ { http: "GET /walk/${people.name}/${user.id}" } ],'
                   ' teardown: [ { http: "GET /out/${people.name}/${user.id}" } ] } }\n', "-w", 2)
    rows = collections.defaultdict(set)
    for path in seen:
        part, name, user = path.split("/")
        rows[user].add(name)
    assert len(rows) == 20 and all(len(names) == 1 for names in rows.values()), rows
    assert len({name for names in rows.values() for name in names}) == 20
    assert collections.Counter(path.split("/")[0] for path in seen) == {"in": 20, "walk": 60, "out": 20}


def test_all_rows_for_each_user():
    write("people.csv", people(5))
    text = ("data: { people: { csv: people.csv, scope: per-user, at-end: stop } }\n"
            'flow: [ { http: "GET /${user.id}/${people.name}" } ]\n')
    seen, summary = walk("load: [ { users: 4, for: 30s } ]\n" + text, "-w", 2)
    for user in range(1, 5):
        assert [path for path in seen if path.startswith(f"{user}/")] == [f"{user}/u{i}" for i in range(5)], seen
    assert summary["journeys"]["completed"] == 20


def test_setup_takes_the_row_of_the_first_journey():
    write("people.csv", people(30))
    seen, _ = walk("load: [ { users: 3, iterations: 12 } ]\ndata: { people: people.csv }\n"
                   'users: { u: { setup: [ { http: "GET /in/${people.name}" } ], flow: [ { http: "GET /walk/${people.name}" } ] } }\n', "-w", 1)
    walked = [path.split("/")[1] for path in seen if path.startswith("walk")]
    assert sorted(walked) == sorted(f"u{i}" for i in range(12)), walked
    assert {path.split("/")[1] for path in seen if path.startswith("in")} <= set(walked)


def test_formats():
    """Quotes, members of members, numbers and truths, names that are no words."""
    write("rows.csv", 'id;"odd key"\r\n1;"x; ""y"""\r\n')
    write("rows.json", '[ { "id": 1, "tags": ["a", "b"], "deep": { "n": 2.5 }, "odd key": "\\u00e9" } ]')
    write("rows.jsonl", '{"id": 7, "ok": true}\n')
    _, summary = walk(r"""
load: [ { users: 1, iterations: 1 } ]
data:
  c: { csv: rows.csv, separator: ";" }
  j: rows.json
  l: { jsonl: rows.jsonl, order: random }
  h: { csv: rows.csv, separator: ";", columns: [first, second], order: random }
flow:
  - http: GET /
    check:
      csv: c.id == "1" and c["odd key"] == 'x; "y"'
      json: j.id == 1 and j.deep.n == 2.5 and j.tags[-1] == "b" and size(j.tags) == 2 and j["odd key"] == "é"
      jsonl: l.id + 1 == 8 and l.ok
      header: in(h.first, "id", "1")
""")
    assert len(summary["checks"]) == 4 and all(check["failed"] == 0 for check in summary["checks"]), summary["checks"]


def test_refused():
    write("people.csv", people(3))
    outside = os.path.join(os.path.dirname(scratch().rstrip("/")), "squall-outside.csv")
    with open(outside, "w", encoding="utf-8") as file:
        file.write("name\nx\n")
    os.symlink(outside, scratch("link.csv"))
    write("bad.csv", "a,b\n1,2\n3\n")
    cases = {
        "data: { p: people.csv }\nflow: [ { http: 'GET /${p.nmae}' } ]": "people.csv has no column 'nmae'; did you mean `p.name`?",
        "data: { p: people.csv }\nflow: [ { http: 'GET /${p}' } ]": "`p` is a feed; write the column behind it",
        "data: { p: link.csv }\nflow: [ { http: GET / } ]": "lies outside of the scenario's folder",
        "data: { p: ../squall-outside.csv }\nflow: [ { http: GET / } ]": "lies outside of the scenario's folder",
        "data: { p: gone.csv }\nflow: [ { http: GET / } ]": "'gone.csv' is not there",
        "data: { p: bad.csv }\nflow: [ { http: GET / } ]": "bad.csv:3: this row has 1 field and there are 2 columns",
        "data: { p: { csv: people.csv, order: random, at-end: stop } }\nflow: [ { http: GET / } ]": "have no end to stop at",
        "data: { p: { csv: people.csv, order: shufle } }\nflow: [ { http: GET / } ]": "did you mean shuffle",
        "data: { p: { csv: people.csv, scope: one-per-user, at-end: stop } }\nflow: [ { http: 'GET /${p.name}' } ]": "3 rows for 9 users",
        "data: { p: people.csv }\nsetup: [ { http: 'GET /${p.name}' } ]\nflow: [ { http: GET / } ]": "`p` has no row here",
        "data: { p: people.csv }\nvars: { p: 1 }\nflow: [ { http: GET / } ]": "`p` is a feed already",
        "data: { p: { csv: people.csv, at-end: stop } }\nusers: { u: { setup: [ { http: 'GET /${p.name}' } ], flow: [ { http: GET / } ] } }":
            "gives each row to one journey",
    }
    for text, wanted in cases.items():
        path = write("refused.yaml", 'squall: 1\ntargets: { a: "http://127.0.0.1:1" }\nload: [ { users: 9, for: 1s } ]\n' + text + "\n")
        done = squall("check", path)
        assert done.returncode == 2 and wanted in done.err and "refused.yaml:" in done.err, (text, done.err)
    os.unlink(outside)


def test_a_large_file_costs_little():
    """Ten million rows, of which the program keeps an index of at most 8 MiB."""
    path = scratch("big.csv")
    with open(path, "wb") as file:
        file.write(b"n,text\n")
        for _ in range(10):
            file.write(b"1234567,abcdefgh\n" * 1_000_000)
    text = 'squall: 1\ntargets: { a: "http://127.0.0.1:1" }\nload: [ { users: 1, for: 1s } ]\nflow: [ { http: GET / } ]\n'
    write("small.yaml", text)
    write("big.yaml", text + "data: { big: { csv: big.csv, order: shuffle } }\n")
    peak = []
    for name in ("small.yaml", "big.yaml"):
        # the peak of the largest child so far: so the small one goes first
        done = subprocess.run([SQUALL, "check", scratch(name)], capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        peak.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    assert "10,000,000 rows, 2 columns, shuffled" in done.stdout, done.stdout
    sanitized = 2 if "Sanitizer" in open(SQUALL, "rb").read().decode("latin-1") else 1  # freed memory is kept for a while
    assert peak[1] - peak[0] < sanitized * 48 * 1024, peak
    os.unlink(path)


if __name__ == "__main__":
    main(globals())
