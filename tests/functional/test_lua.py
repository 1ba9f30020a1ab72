"""Users who walk a script: what they send, what is counted, and what a script cannot do."""
import collections
import json
import os

from brokers import Mosquitto
from harness import Target, main, need, scratch, squall
from proof import Run

LOAD = "load: [ { users: 2, iterations: 20 } ]\n"


def write(name, text):
    path = scratch(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def scenario(script, url, more=""):
    write("user.lua", script)
    return write("lua.yaml", 'squall: 1\ntargets: { api: "' + url + '" }\n' + (more if "load:" in more else LOAD + more) +
                 "users: { s: { script: user.lua } }\n")


def run(script, *flags, more="", code=0):
    """The requests that the server saw, and the summary."""
    with Target() as target:
        with Run(scenario(script, target.url(""), more), *flags) as process:
            assert process.end(code) < 100, process.err
            summary = process.summary()
        target.stop()
        with open(target.log_path, encoding="utf-8") as log:
            return collections.Counter(json.loads(line)["label"] for line in log), summary


def body(text):
    return "return function(user)\n" + text + "\nend\n"


def test_a_journey():
    write("people.csv", "name,age\nann,30\nbob,40\n")
    seen, summary = run("""
local function buy(user, id)
  return user.http.post("/echo", { name = "buy", body = json.encode({ id = id, note = 'a "b"', list = { 1, 2.5, true } }) })
end

return function(user)
  local page = user.http.get("/products?page=" .. user.random(1, 3), { name = "list products" })
  user.check("is ok", page.ok and page.status == 200 and page.outcome == "ok" and page.latency > 0)
  user.check("has a body", #page.body == 128)
  user.think("1ms", "2ms")
  local bought = buy(user, user.id)
  local got = bought:json()
  user.check("json", got.id == user.id and got.list[2] == 2.5 and got.note == 'a "b"' and bought:json("list[2]") == true)
  user.check("header", bought:header("Content-Length") == tostring(#bought.body) and bought:header("none") == nil)
  user.http("GET /cart", { headers = { ["x-user"] = user.id } })
  user.http{ method = "DELETE", path = "/computed/" .. user.id }
  user.vars.count = (user.vars.count or 0) + 1
  user.http.get("/row/" .. user.data.people.name .. "/" .. user.base64("x y"))
  local missing = user.http.get("/x?status=404", { name = "missing" })
  user.check("rejected", not missing.ok and missing.status == 404 and missing.outcome == "rejected")
  user.check("match", user.match("a=12&b=3", "a=(\\\\d+)&b=(\\\\d+)") == "12" and user.match("x", "y") == nil)
end
""", "-w", 2, more="vars: { count: 0 }\ndata: { people: people.csv }\n")
    assert sum(seen[f"GET /products?page={i}"] for i in range(1, 4)) == 20, seen
    assert seen["POST /echo"] == seen["GET /cart"] == 20
    assert seen["DELETE /computed/1"] + seen["DELETE /computed/2"] == 20, seen
    assert seen["GET /row/ann/eCB5"] + seen["GET /row/bob/eCB5"] == 20, seen
    steps = {step["name"]: step["count"] for step in summary["steps"]}
    assert steps == {"list products": 20, "buy": 20, "GET /cart": 20, "GET /row/...": 20, "missing": 20, "user.lua: http": 20}, steps
    assert {check["name"]: (check["passed"], check["failed"]) for check in summary["checks"]} == {
        name: (20, 0) for name in ("has a body", "header", "is ok", "json", "match", "rejected")}, summary["checks"]
    assert summary["journeys"]["failed"] == 20  # a rejected step fails its journey, as in a flow


def test_the_seed_gives_the_walk():
    script = body('user.http.get("/" .. user.random(1, 1000000)); user.think("0s", "1ms")')
    each = "load: [ { users: 2, iterations-per-user: 10, for: 60s } ]\n"
    first, again, other = (run(script, "-w", 1, "--seed", seed, more=each)[0] for seed in (1, 1, 2))
    assert first == again and first != other


def test_errors_fail_their_journey():
    _, summary = run("""
return function(user)
  local list = user.http.get("/a")
  if user.iteration() % 4 == 1 then error("not today") end
  if user.iteration() % 4 == 2 then local none = nil; none.x = 1 end
  if user.iteration() % 4 == 3 then user.http.get("/a", { boddy = "x" }) end
end
""", "-w", 1)
    journeys = summary["journeys"]
    assert journeys["due"] == 20 and journeys["completed"] + journeys["failed"] == 20 and 10 <= journeys["failed"] <= 15, journeys
    errors = {error["text"]: error["count"] for error in summary["errors"]}
    assert errors["user.lua:4: not today"] >= 4 and sum(errors.values()) == journeys["failed"], errors
    assert "user.lua:5: attempt to index local 'none' (a nil value)" in errors, errors
    assert "user.lua:6: http has no option `boddy`; did you mean `body`?" in errors, errors


def test_limits():
    """A loop without end, one that catches its error, and memory without end: each ends its journey, others go on."""
    for text, wanted in {
        "while true do end": "user.lua:4: more than 1000000 instructions without a step or a pause",
        "while true do pcall(function() while true do end end) end": "instructions without a step",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(2e6) .. i end": "user.lua: the scripts of this worker hold more than 256 MiB",
        "return ('x'):rep(1e9)": "user.lua: the scripts of this worker hold more than 256 MiB",
        "local f; f = function() return 1 + f() end f()": "stack overflow",
        "return ('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40))": "string.find takes plain texts here",
    }.items():
        _, summary = run(body('user.http.get("/a")\nif user.id == 1 then\n' + text + "\nend\nuser.http.get('/b')"), "-w", 1,
                         more="load: [ { users: 2, iterations-per-user: 2, for: 60s } ]\n")
        errors = {error["text"]: error["count"] for error in summary["errors"]}
        assert len(errors) == 1 and wanted in list(errors)[0], (text, errors)
        assert summary["journeys"]["completed"] == 2 and summary["journeys"]["failed"] == 2, summary["journeys"]


FORBIDDEN = ("io", "os", "package", "debug", "ffi", "jit", "require", "load", "loadstring", "dofile", "loadfile", "coroutine", "collectgarbage",
             "setfenv", "getfenv", "newproxy", "module", "math.random", "string.dump", "string.gsub")


def test_the_sandbox():
    lines = "\n".join(f'user.check("no {name}", {name} == nil)' for name in FORBIDDEN)
    _, summary = run(body('user.http.get("/a")\n' + lines))
    assert {check["name"]: check["failed"] for check in summary["checks"]} == {f"no {name}": 0 for name in FORBIDDEN}, summary["checks"]
    assert summary["journeys"]["failed"] == 0
    # Trusted, it has all of Lua.
    _, summary = run(body('user.http.get("/a")\nuser.check("os", os.getenv("HOME") ~= nil and io and require("ffi") and jit.status())'), "--trust-scenario")
    assert summary["checks"][0]["failed"] == 0 and summary["journeys"]["failed"] == 0


def test_bytecode():
    write("code.lua", "\x1bLJ\x02")
    path = write("code.yaml", 'squall: 1\ntargets: { api: "http://127.0.0.1:1" }\n' + LOAD + "users: { s: { script: code.lua } }\n")
    done = squall("check", path)
    assert done.returncode == 2 and "code.lua" in done.err and "bytecode" in done.err, done.err


def test_check_runs_no_code():
    path = scenario("while true do end\n" + body('user.http.get("/a")'), "http://127.0.0.1:1")
    done = squall("check", path)
    assert done.returncode == 0 and "script   user.lua" in done.out, done.err
    for script, wanted in {
        body("user.http.get("): "user.lua:3: unexpected symbol",
        body('user.http.get("/a", { target = "shop" })'): "user.lua:2: there is no target `shop`",
    }.items():
        done = squall("check", scenario(script, "http://127.0.0.1:1"))
        assert done.returncode == 2 and wanted in done.err, (script, done.err)
    with Target() as target:
        for script, wanted in {
            "while true do end": "instructions without a step",
            "return 5": "user.lua: returns no function",
            'error("early")': "user.lua:1: early",
            "user.http.get('/')": "attempt to index global 'user'",
        }.items():
            done = squall("run", scenario(script, target.url("")))
            assert done.returncode == 2 and wanted in done.err, (script, done.returncode, done.err)


def test_try_shows_a_journey():
    with Target() as target:
        done = squall("try", scenario(body('local x = user.http.get("/a")\nprint("got", x.status)\nuser.http.get("/b?status=500")'), target.url("")),
                      "--log-level", "info")
        assert "> GET /a HTTP/1.1" in done.out and "= GET /b?status=500: rejected" in done.out and done.returncode == 99, done.out
        assert "info: user.lua: got 200" in done.err, done.err


def test_try_shows_what_a_script_checks():
    """Its checks stand below the answer that they were made of, and what ended it early is told; both make exit 99."""
    with Target() as target:
        for more, code, wanted in (("", 0, "  ✓ held\n"), ('user.check("broken", false)', 99, "  ✓ held\n  ✗ broken\n"),
                                   ("user.nothing()", 99, "= the script failed: user.lua:4:")):
            script = body('local x = user.http.get("/a")\nuser.check("held", x.ok)\n' + more)
            done = squall("try", scenario(script, target.url("")))
            assert done.returncode == code and wanted in done.out, (more, done.returncode, done.out)


def test_ten_thousand_users():
    """In one worker: each is a coroutine with state of its own."""
    _, summary = run(body("""
user.seen = (user.seen or 0) + 1
user.http.get("/a")
user.check("own state", user.seen == user.iteration() + 1)
user.think("100ms", "900ms")
"""), "-w", 1, "-c", 64, more="load: [ { users: 10000, iterations: 20000 } ]\n")
    assert summary["journeys"]["completed"] == 20000 and summary["checks"][0]["passed"] == 20000, summary["journeys"]
    assert summary["generator"]["users_max"] == 10000
    assert summary["generator"]["rss_bytes_max"] < 1 << 30


def test_shape():
    write("shape.lua", "return { shape = function(t) if t < 1 then return 100 * t end return 100 end }\n")
    text = 'squall: 1\ntargets: { api: "http://127.0.0.1:1" }\nload: { shape: %s, level: %s, for: 3s }\nflow: [ { http: GET / } ]\n'
    done = squall("check", write("shape.yaml", text % ("shape.lua", "rate")))
    assert "ramp 0 -> 100/s over 1s" in done.out and done.out.count("hold 100/s for 1s") == 2 and "250 journeys expected" in done.out, done.out + done.err
    done = squall("check", write("shape.yaml", text % ("shape.lua", "users")))
    assert "hold 0 users for 1s" in done.out and done.out.count("hold 100 users for 1s") == 2, done.out + done.err
    for source, wanted in {
        "return { shape = function(t) return -1 end }": "shape(0) gave -1",
        "return { shape = function(t) return os.time() end }": "bad.lua:1: attempt to index global 'os'",
        "return { shape = function(t) while true do end end }": "instructions",
        "return { shape = function(t) return 0 end }": "zero all the time",
        "return 5": "there is no shape",
    }.items():
        write("bad.lua", source)
        done = squall("check", write("bad.yaml", text % ("bad.lua", "rate")), "--trust-scenario")
        assert done.returncode == 2 and wanted in done.err, (source, done.err)


def test_secrets_of_a_script():
    env = {**os.environ, "SQUALL_TEST_WORD": "opensesame42"}
    with Target() as target:
        path = scenario(body('user.http.get("/" .. user.vars.word)\nprint(user.vars.word)\nerror("no " .. user.vars.word)'), target.url(""),
                        'vars: { word: "${secret.SQUALL_TEST_WORD}" }\n')
        for command in ("run", "try"):
            done = squall(command, path, "--log-level", "info", env=env)
            assert "opensesame42" not in done.out + done.err and "***" in done.out + done.err, done.out + done.err


MQTT = """
return function(user)
  local topic = "a/" .. user.id
  user.check("session", user.mqtt.connect():header("session-present") == "0")
  user.mqtt.subscribe(topic .. "/#", { qos = 1, name = "subscribe" })
  local sent = user.mqtt.publish(topic .. "/x", { name = "publish", payload = json.encode({ n = user.iteration() }), qos = 1 })
  user.check("sent", sent.ok and sent.latency > 0)
  local got = user.mqtt.await(topic .. "/x", { name = "await" })
  user.check("received", got.ok and got:json("n") == user.iteration() and got:header("topic") == topic .. "/x")
  user.mqtt.ping()
  user.mqtt.publish("plain/words", { count = 3 })
  user.mqtt.unsubscribe(topic .. "/#", { name = "unsubscribe" })
  user.mqtt.disconnect()
end
"""


def run_at(url, script, more, code=0, target=""):
    """The summary of a run of the script against a server of another protocol."""
    write("user.lua", script)
    path = write("lua.yaml", f'squall: 1\ntargets: {{ s: {{ url: "{url}"{target} }} }}\n{more}\nusers: {{ s: {{ script: user.lua }} }}\n')
    with Run(path) as process:
        assert process.end(code) < 100, process.err
        return process.summary()


def all_held(summary, names, count):
    assert {check["name"]: (check["passed"], check["failed"]) for check in summary["checks"]} == dict.fromkeys(names, (count, 0)), (
        summary["checks"], summary["errors"])


def test_steps_of_mqtt():
    """Each verb is a word; what none has is refused with the one that is meant."""
    with Mosquitto() as broker:
        summary = run_at(broker.url(), MQTT, "load: [ { users: 3, iterations: 12 } ]")
        all_held(summary, ("session", "sent", "received"), 12)
        counts = {step["name"]: step["count"] for step in summary["steps"] if step["count"]}
        assert counts == {name: 12 for name in ("user.lua: mqtt connect", "subscribe", "publish", "await", "user.lua: mqtt ping", "publish plain/words",
                                          "unsubscribe", "user.lua: mqtt disconnect")}, counts
        assert summary["totals"]["ok"] == summary["totals"]["begun"] == 96 and summary["journeys"]["completed"] == 12, summary["totals"]
        summary = run_at(broker.url(), body('user.mqtt.connect()\nuser.mqtt.publsh("a")'), "load: [ { users: 1, iterations: 1 } ]")
        assert [error["text"] for error in summary["errors"]] == ["user.lua:3: mqtt cannot `publsh`; did you mean `publish`?"], summary["errors"]


def test_steps_of_grpc():
    """A call is words and a message; a stream is one too."""
    with Target(protocol="grpc") as target:
        summary = run_at(f"grpc://127.0.0.1:{target.port}", """
return function(user)
  local one = user.grpc("squall.demo.Demo/Unary", { message = { tag = "t" .. user.id, size = "5" } })
  user.check("unary", one.ok and one.status_name == "OK" and one:json("tag") == "t" .. user.id)
  local many = user.grpc("squall.demo.Demo/Upload", { name = "upload", message = { payload = "aGVsbG8=" }, ["repeat"] = 2 })
  user.check("upload", many.ok and many:json().receivedMessages == "2" and many:json("receivedBytes") == "10")
  local size = user.random(1, 9)
  local table = user.grpc{ method = "squall.demo.Demo/Unary", name = "as a table", expect = "OK", message = { size = tostring(size) } }
  user.check("table", table.ok and #table:json().payload == 4 * math.ceil(size / 3))
end
""", "load: [ { users: 3, iterations: 12 } ]")
        all_held(summary, ("unary", "upload", "table"), 12)
        assert {step["name"]: step["count"] for step in summary["steps"] if step["count"]} == {"squall.demo.Demo/Unary": 12, "upload": 12, "as a table": 12}, summary["steps"]
        # What is wrong with a message is known when it is sent, and what must be known before, when the script is read.
        url = f"grpc://127.0.0.1:{target.port}"
        summary = run_at(url, body('user.grpc("squall.demo.Demo/Unary", { message = { sise = "5" } })'), "load: [ { users: 1, iterations: 1 } ]")
        assert summary["totals"]["unsent"] == 1 and "sise" in summary["errors"][0]["text"], summary["errors"]
        for script, wanted in {'user.grpc("squall.demo.Demo/" .. user.id)': "method: cannot hold variables",
                               'user.grpc("squall.demo.Demo/Upload", { send = { {} } })': "send: a script gives one message"}.items():
            write("user.lua", body(script))
            done = squall("run", write("lua.yaml", f'squall: 1\ntargets: {{ s: "{url}" }}\n{LOAD}users: {{ s: {{ script: user.lua }} }}\n'))
            assert done.returncode == 2 and wanted in done.err, (script, done.returncode, done.err)


def test_several_protocols_in_one_script():
    with Mosquitto() as broker, Target() as web:
        write("user.lua", body('local said = user.http.post("/echo", { body = "from http" })\n'
                               'user.mqtt.publish("t", { payload = said.body, qos = 1 })\nuser.check("both", said.body == "from http")'))
        path = write("lua.yaml", f'squall: 1\ntargets: {{ web: "{web.url("")}", broker: "{broker.url()}" }}\n{LOAD}users: {{ s: {{ script: user.lua }} }}\n')
        with Run(path) as process:
            process.end(0)
            summary = process.summary()
    all_held(summary, ("both",), 20)
    assert {(step["name"], step["protocol"]) for step in summary["steps"] if step["count"]} == {("POST /echo", "http"), ("publish t", "mqtt")}, summary["steps"]


def test_transactions():
    """One within another, one that gives something back, one that an error ends, and one whose error is caught."""
    _, summary = run("""
return function(user)
  local code, text = user.transaction("buy", function(path)
    user.http.get(path)
    user.transaction("pay", function() user.http.get("/pay"); user.think("2ms") end)
    return 7, "ok"
  end, "/cart")
  user.check("what it gives", code == 7 and text == "ok")
  user.transaction("rejected", function() user.http.get("/x?status=500", { name = "x" }) end)
  pcall(function() user.transaction("caught", function() user.http.get("/a"); error("no") end) end)
  user.transaction("after", function() user.http.get("/a") end)
  if user.iteration() % 2 == 1 then
    user.transaction("outer", function() user.transaction("inner", function() user.http.get("/a"); error("not today") end) end)
  end
end
""")
    rows = {row["name"]: (row["count"], row["failed"]) for row in summary["transactions"]}
    odd = summary["errors"] and next(error["count"] for error in summary["errors"] if "not today" in error["text"])
    assert 8 <= odd <= 12, summary["errors"]
    assert rows == {"buy": (20, 0), "pay": (20, 0), "rejected": (20, 20), "caught": (20, 20), "after": (20, 0), "outer": (odd, odd), "inner": (odd, odd)}, rows
    shortest = {row["name"]: row["duration_ns"]["min"] for row in summary["transactions"]}
    assert shortest["buy"] >= shortest["pay"] * 0.98 and shortest["pay"] >= 1.9e6, shortest
    for script, wanted in {'user.transaction("a" .. user.id, function() end)': "user.lua:2: this transaction's name stands nowhere",
                           'user.transaction("a")': 'user.lua:2: write transaction("name", function() ... end)',
                           "local f f = function() user.transaction('deep', f) end f()": "transactions are nested too deeply"}.items():
        _, summary = run(body(script), more="load: [ { users: 1, iterations: 2 } ]\n")
        assert len(summary["errors"]) == 1 and wanted in summary["errors"][0]["text"], (script, summary["errors"])


def test_misspelt_names():
    """A name that is nil is told with its place, and with what may have been meant."""
    for script, wanted in {
        'user.http.gett("/a")': "user.lua:2: http has no `gett`; did you mean `GET`? If not, write http(\"GETT ...\")",
        'local http = user.http\nhttp.psot("/a")': "user.lua:3: http has no `psot`; did you mean `POST`?",
        'user.chek("a", true)': "user.lua:2: attempt to call field 'chek' (a nil value); did you mean `check`?",
        'user.htp.get("/a")': "user.lua:2: attempt to index field 'htp' (a nil value); did you mean `http`?",
        'user.http.get("/a"):jsn()': "user.lua:2: attempt to call method 'jsn' (a nil value); did you mean `json`?",
        "json.encod({})": "user.lua:2: attempt to call field 'encod' (a nil value); did you mean `encode`?",
        "prnt(1)": "user.lua:2: attempt to call global 'prnt' (a nil value); did you mean `print`?",
        "user.xyzzyxyzzy()": "user.lua:2: attempt to call field 'xyzzyxyzzy' (a nil value)",
    }.items():
        _, summary = run(body(script), more="load: [ { users: 1, iterations: 1 } ]\n")
        texts = [error["text"] for error in summary["errors"]]
        assert len(texts) == 1 and texts[0].startswith(wanted) and (wanted.endswith("value)") is (texts[0] == wanted and "mean" not in wanted)), (script, texts)
    # A method of one's own is no mistake.
    seen, _ = run(body('user.http.purge("/a")\nuser.http("GETT /a")'), more="load: [ { users: 1, iterations: 1 } ]\n")
    assert seen == {"PURGE /a": 1, "GETT /a": 1}, seen


if __name__ == "__main__":
    first = squall("check", scenario(body('user.http.get("/")'), "http://127.0.0.1:1"))
    if "built without LuaJIT" in first.err:
        need("LuaJIT, when squall was built")
    main(globals())
