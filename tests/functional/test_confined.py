"""A scenario from elsewhere reads no file outside its folder, by whichever key it names one, by `..`, by an absolute path, or by a
link; and a file that it may read it may, so that each refusal is about the place."""
import os

from harness import main, scratch, squall

HTTP, MQTT, GRPC = 'targets: { t: { url: "http://127.0.0.1:1" } }', 'targets: { t: { url: "mqtt://127.0.0.1:1" } }', "grpc://127.0.0.1:1"
LOAD, FLOW = "load: [ { users: 1, for: 1s } ]", "flow: [ { http: GET / } ]"
# One entry for each key that names a file: the text of a scenario, and what is in a file that it would take.
KEYS = {
    "csv": (f"{HTTP}\n{LOAD}\ndata: {{ d: {{ csv: FILE }} }}\n{FLOW}", "a,b\n1,2\n"),
    "json": (f"{HTTP}\n{LOAD}\ndata: {{ d: {{ json: FILE }} }}\n{FLOW}", '[ { "a": 1 } ]'),
    "jsonl": (f"{HTTP}\n{LOAD}\ndata: {{ d: {{ jsonl: FILE }} }}\n{FLOW}", '{ "a": 1 }\n'),
    "include": (f"{HTTP}\n{LOAD}\ninclude: FILE\n{FLOW}", "squall: 1\nvars: { a: 1 }\n"),
    "script": (f"{HTTP}\n{LOAD}\nusers: {{ u: {{ script: FILE }} }}", "return function(user) user.http.get('/') end\n"),
    "script in a flow": (f"{HTTP}\n{LOAD}\nflow: [ {{ script: FILE }} ]", "return function(user) user.http.get('/') end\n"),
    "shape": (f"{HTTP}\nload: {{ shape: FILE, level: users, for: 2s }}\n{FLOW}", "return { shape = function(t) return 1 end }\n"),
    "file": (f"{HTTP}\n{LOAD}\nflow: [ {{ http: PUT /, file: FILE }} ]", "x"),
    "multipart": (f"{HTTP}\n{LOAD}\nflow: [ {{ http: POST /, multipart: {{ f: \"@FILE\" }} }} ]", "x"),
    "payload-file": (f"{MQTT}\n{LOAD}\nflow: [ {{ mqtt: publish a, payload-file: FILE }} ]", "x"),
    "proto": (f'targets: {{ t: {{ url: "{GRPC}", proto: FILE }} }}\n{LOAD}\nflow: [ {{ grpc: a.B/C }} ]',
              'syntax = "proto3";\npackage a;\nmessage M {}\nservice B { rpc C(M) returns (M); }\n'),
}


def check(key, name):
    path = scratch("inside/s.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("squall: 1\n" + KEYS[key][0].replace("FILE", name) + "\n")
    return squall("check", path)


def test_each_key():
    os.mkdir(scratch("inside"))
    for number, (key, (_, content)) in enumerate(KEYS.items()):
        name = f"f{number}.proto" if key == "proto" else f"f{number}"
        for folder in ("inside/", ""):
            with open(scratch(folder + name), "w", encoding="utf-8") as out:
                out.write(content)
        done = check(key, name)
        if "no protocol" in done.err or "built without" in done.err:
            print(f"SKIP: {key}: {done.err.strip()}")  # the plugin was not built
            continue
        assert done.returncode == 0, (key, done.err)
        os.symlink(scratch(name), scratch(f"inside/link-{name}"))
        for outside in (f"../{name}", scratch(name), f"link-{name}", f"../inside/../{name}", "/etc/passwd"):
            done = check(key, outside)
            assert done.returncode == 2 and ("outside of the scenario's folder" in done.err or "folder" in done.err), (key, outside, done.returncode, done.err)


def test_names_that_vary_name_no_file():
    """A value of the environment is the only part of a file's name that another can choose, and it is looked at like the rest."""
    os.makedirs(scratch("inside"), exist_ok=True)
    with open(scratch("secret.csv"), "w", encoding="utf-8") as out:
        out.write("a\n1\n")
    path = scratch("inside/v.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'squall: 1\n{HTTP}\n{LOAD}\ndata: {{ d: {{ csv: "${{env.WHERE}}" }} }}\n{FLOW}\n')
    done = squall("check", path, env={**os.environ, "WHERE": "../secret.csv"})
    assert done.returncode == 2 and "outside of the scenario's folder" in done.err, done.err


if __name__ == "__main__":
    main(globals())
