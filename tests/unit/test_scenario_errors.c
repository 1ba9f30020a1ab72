/* Every refusal of a scenario file: file, line, column, cause and what to write. One row each. */
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers that it needs */

#define HEAD   "squall: 1\n"
#define TARGET HEAD "targets: { a: { url: \"web://127.0.0.1\" } }\n"
#define LOAD   TARGET "load: [ { users: 2, for: 1s } ]\n"
/* Ten lines, then thresholds. */
#define SCOPES                                                                                                               \
    LOAD "setup: [ { web: /login, name: login } ]\n"                                                                         \
         "flow:\n"                                                                                                           \
         "  - { web: /a, name: read it, tags: { kind: read }, check: { is ok: status == 200 } }\n"                            \
         "  - { web: /b, name: basket, tags: { kind: write, tier: gold } }\n"                                                \
         "  - transaction: buy\n    flow: [ { web: /c, check: { basket: status == 200 } } ]\nthresholds:\n"
#define FLOW   "flow: [ { web: / } ]\n"
/* The flow's first entry begins on line 5, column 5. */
#define STEP LOAD "flow:\n  - "

#define ELEVEN_WINDOWS                                                                                                 \
    "- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n"          \
    "- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n"          \
    "- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n"          \
    "- p99(latency) < 1s over any 300s\n- p99(latency) < 1s over any 300s\n"

static const struct {
    const char *text, *position, *error;
} rows[] = {
    /* YAML itself */
    {"", "1:1", "the file is empty"},
    {"# nothing\n", "1:1", "the file is empty"},
    {"a: [", "2:1", "not YAML"},
    {"a: b: c", "1:5", "not YAML"},
    {"squall: 1\n\tname: x\n", "2:1", "a tab"},
    {"squall: 1\nname: \xff\n", "2:7", "UTF-8"},
    {"squall: 1\nname: \"a\\0b\"\n", "2:7", "NUL"},
    {"squall: 1\n---\nsquall: 1\n", "2:1", "a second document"},
    {"squall: 1\nname: a\nname: b\n", "3:1", "`name` stands twice, first on line 2"},
    {"squall: 1\nname: *x\n", "2:7", "alias"},
    {"squall: 1\nname: &x [ *x ]\n", "2:12", "inside of its own anchor"},
    {"squall: 1\n<<: { name: a }\n", "2:1", "merge keys"},
    {"squall: 1\nname: !!str a\n", "2:7", "tags"},
    {"squall: 1\n[a]: b\n", "2:1", "a key must be a word"},
    /* the top */
    {"just words", "1:1", "is a map of keys"},
    {"name: x\n", "1:1", "begin the file with `squall: 1`"},
    {"squall: 2\n", "1:9", "write `squall: 1`"},
    {HEAD "nmae: x\n", "2:1", "did you mean `name`"},
    {HEAD "import: { x: y }\n", "2:1", "`import` is not part of this version"},
    {HEAD "zzzzzzzz: 1\n", "2:1", "known are squall, name"},
    {HEAD "name:\n" FLOW, "2:6", "a value is missing"},
    {HEAD "name: [a]\n", "2:7", "a single value is needed"},
    {HEAD "name: x ${user.id}\n", "2:7", "the same for the whole run"},
    {HEAD "name: x ${usr.id}\n", "2:11", "did you mean `user.id`"},
    {HEAD "name: \"x ${usr.id}\"\n", "2:12", "did you mean `user.id`"},
    {HEAD "name: ${env.SQUALL_NOT_SET}\n", "2:9", "SQUALL_NOT_SET is not set"},
    {HEAD "seed: many\n", "2:7", "'many' is not a whole number"},
    {HEAD "warmup: 3\n", "2:9", "'3' is not a duration"},
    {HEAD "drain: soon\n", "2:8", "'soon' is not a duration"},
    {HEAD "drain: ${secret.SQUALL_TEST}\n", "2:8", "'${secret.SQUALL_TEST}' is not a duration"},
    {HEAD "drain: 9000h\n", "2:8", "longer than a year"},
    /* targets */
    {HEAD FLOW, "1:1", "no targets"},
    {HEAD "targets: web://host\n", "2:10", "`targets` must be a map"},
    {HEAD "targets: { a: { } }\n", "2:15", "target `a` has no url"},
    {HEAD "targets: { a: { url: host } }\n", "2:22", "'host' is not a URL"},
    {HEAD "targets: { a: nowhere }\n", "2:15", "'nowhere' is not a URL"},
    {HEAD "targets: { a: { url: \"xyz://host\" } }\n", "2:22", "xyz"},
    {HEAD "targets: { a: { url: \"bus://host\" } }\n", "2:22", "write bus://host:PORT"},
    {HEAD "targets: { a: { url: \"web://host/path\" } }\n", "2:22", "'/path'; put that into the steps"},
    {HEAD "targets: { a: { url: \"web://h\", connectoins: 4 } }\n", "2:33", "did you mean `connections`"},
    {HEAD "targets: { a: { url: \"web://h\", connections: 0 } }\n", "2:46", "per-user"},
    {HEAD "targets: { a: { url: \"web://h\", connections: none } }\n", "2:46", "'none' is not a number of connections"},
    {HEAD "targets: { a: { url: \"web://h\", timeout: 0s } }\n", "2:42", "zero"},
    {HEAD "targets: { a: { url: \"web://h\", connect-timeout: x } }\n", "2:50", "'x' is not a duration"},
    {HEAD "targets: { a: { url: \"web://h\", tls: { insecure: true } } }\n", "2:38", "not a secure one"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: yes } }\n", "2:39", "`tls` must be a map"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { insecure: maybe } } }\n", "2:51", "neither true nor false"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { cert: x } } }\n", "2:47", "'x' is not there"},
    {HEAD "targets: { a: { url: \"webs://h\", connections: 4, tls: { cert: \"${user.id}.pem\" } } }\n" "load: [ { users: 2, for: 1s } ]\n" FLOW, "2:63",
     "share its connections"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { min-version: 1.1 } } }\n", "2:54", "write 1.2 or 1.3"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { key: \"${user.id}.pem\" } } }\n", "2:46", "without its certificate"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { insecre: true } } }\n", "2:41", "did you mean `insecure`"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { ca: no-such.pem } } }\n", "2:45", "is not there"},
    {HEAD "targets: { a: { url: \"webs://h\", tls: { ca: /etc/passwd } } }\n", "2:45",
     "outside of the scenario's folder"},
    {HEAD "targets: { a: { url: \"web://h\", version: three } }\n", "2:42", "not one of one, two"},
    {HEAD "targets: { a: { url: \"web://h\", agent: \"x${user.id}\" } }\n", "2:40", "same for the whole run"},
    {HEAD "targets: { a: { url: \"web://h\", agent: bad } }\n", "2:12", "target a: agent must not be bad"},
    /* load */
    {TARGET FLOW, "1:1", "no load"},
    {TARGET "load: { users: 1, for: 1s }\n", "3:7", "`load` must be a list"},
    {TARGET "load: [ 10/s ]\n", "3:9", "a stage is a map"},
    {TARGET "load: [ { for: 1s } ]\n", "3:9", "neither a rate nor users"},
    {TARGET "load: [ { hold: 1/s, ramp: 0 -> 1/s, for: 1s } ]\n", "3:9", "not both"},
    {TARGET "load: [ { hold: 1/s, fro: 1s } ]\n", "3:22", "did you mean `for`"},
    {TARGET "load: [ { rate: 1/s, for: 1s } ]\n", "3:11", "did you mean `hold`"},
    {TARGET "load: [ { hold: 1/s, for: 1s, warmup: 1s } ]\n", "3:31", "stands at the left margin of the scenario"},
    {TARGET "load: [ { hold: 1/s, for: 1s, pace: 2s } ]\n", "3:37", "`pace` belongs to users"},
    {TARGET "load: [ { users: 1, for: 1s, pace: 0s } ]\n", "3:36", "zero has no meaning here"},
    {TARGET "load: [ { hold: 1/s, iterations-per-user: 2 } ]\n", "3:43", "belongs to a load of users"},
    {TARGET "load: [ { users: 1, iterations-per-user: 2 }, { users: 2, for: 1s } ]\n", "3:42", "ends the whole load"},
    {TARGET "load: { stages: [ { hold: 1/s, for: 1s } ], pace: 1s }\n", "3:51", "`pace` belongs to users"},
    {TARGET "load: { stages: [ { hold: 1/s } ], iterations-per-user: 3 }\n", "3:57", "belongs to a load of users"},
    {TARGET "load: { stages: [ { users: 1 }, { users: 2 } ], iterations: 3 }\n", "3:19", "this stage has no end"},
    {TARGET "load: { a: [ { hold: 1/s, for: 1s } ], b: { users: [users] } }\n", "3:43", "this load has no stages"},
    {TARGET "load: { a: { stage: [ ] } }\n", "3:14", "did you mean `stages`"},
    {TARGET "load: { a: 5 }\n", "3:12", "`load` must be a list"},
    {TARGET "load: { hold: 1/s, for: 1s }\n", "3:7", "`load` must be a list"},
    {TARGET "load: { preset: spke, rate: 1/s }\n", "3:17", "did you mean spike"},
    {TARGET "load: { preset: spike }\n", "3:17", "how much load is missing"},
    {TARGET "load: { preset: spike, rate: 1/s, users: 2 }\n", "3:42", "keep one of them"},
    {TARGET "load: { preset: soak, rate: 1/s, peak: 2/s }\n", "3:40", "holds one level"},
    {TARGET "load: { preset: spike, rate: 3/s, peak: 2/s }\n", "3:41", "below the level"},
    {TARGET "load: { preset: spike, rate: 0/s }\n", "3:30", "a rate of zero"},
    {TARGET "load: { preset: spike, users: 3, arrivals: poisson }\n", "3:44", "belongs to a rate"},
    {TARGET "load: { preset: spike, rate: 3/s, over: 3s }\n", "3:35", "`over` is not known in a preset"},
    {TARGET "load: {}\n", "3:7", "`load` must be a map of names"},
    {TARGET "load: { a: { users: yuo, stages: [ { users: 1, for: 1s } ] } }\nusers: { you: { flow: [ { web: / } ] } }\n", "3:21",
     "did you mean `you`"},
    {TARGET "load: { a: { users: [you, you], stages: [ { users: 1, for: 1s } ] } }\nusers: { you: { flow: [ { web: / } ] } }\n",
     "3:27", "stands here twice"},
    {TARGET "load: { a: { users: 5, stages: [ { users: 1, for: 1s } ] } }\nusers: { you: { flow: [ { web: / } ] } }\n", "3:21",
     "belongs into the stages"},
    {TARGET "load: { a: [ { hold: 1/s, for: 1s, users: 1 } ] }\n"
            "users: { you: { flow: [ { web: / } ] }, me: { flow: [ { web: / } ] } }\n",
     "1:1", "the load a has 1 users for 2 classes"},
    {TARGET "load: [ { hold: fast, for: 1s } ]\n", "3:17", "'fast' is not a rate"},
    {TARGET "load: [ { hold: 0/s, for: 1s } ]\n", "3:17", "does nothing"},
    {TARGET "load: [ { hold: 1G/s, for: 1s } ]\n", "3:17", "too high"},
    {TARGET "load: [ { hold: 1 -> 2/s, for: 1s } ]\n", "3:17", "`hold` takes one rate"},
    {TARGET "load: [ { ramp: 100/s, over: 1s } ]\n", "3:17", "from one value to another"},
    {TARGET "load: [ { ramp: 0 -> 0/s, over: 1s } ]\n", "3:17", "does nothing"},
    {TARGET "load: [ { ramp: 0 -> 9/s, for: 1s } ]\n", "3:32", "write over:"},
    {TARGET "load: [ { ramp: 0 -> 9/s } ]\n", "3:9", "no length"},
    {TARGET "load: [ { hold: 9/s, over: 1s } ]\n", "3:28", "write for:"},
    {TARGET "load: [ { hold: 9/s } ]\n", "3:9", "has no end"},
    {TARGET "load: [ { users: 0, for: 1s } ]\n", "3:18", "does nothing"},
    {TARGET "load: [ { users: 1.5, for: 1s } ]\n", "3:18", "not a whole number"},
    {TARGET "load: [ { users: 100M, for: 1s } ]\n", "3:18", "out of range"},
    {TARGET "load: [ { users: 1, for: 0s } ]\n", "3:26", "zero"},
    {TARGET "load: [ { users: 1, for: 1s, arrivals: poisson } ]\n", "3:40", "belongs to a rate"},
    {TARGET "load: [ { hold: 1/s, for: 1s, arrivals: often } ]\n", "3:41", "poisson or constant"},
    {TARGET "load: [ { users: 1, for: 1s }, { hold: 1/s, for: 1s } ]\n", "3:32", "the ones before this are of users"},
    {TARGET "load: [ { users: 1, iterations: 5 }, { users: 1, for: 1s } ]\n", "3:33", "in the last stage"},
    {TARGET "load: [ { users: 1, iterations: 0 } ]\n", "3:33", "out of range"},
    {HEAD "warmup: 5s\ntargets: { a: \"web://h\" }\nload: [ { users: 2, for: 5s } ]\n" FLOW, "1:1",
     "nothing would be measured"},
    /* users and flows */
    {LOAD, "1:1", "says nothing to do"},
    {LOAD "users: 10\n", "4:8", "how many there are belongs into load"},
    {LOAD "users: []\n", "4:8", "`users` must be a map"},
    {LOAD "users: { a: { flow: [ { web: / } ] } }\n" FLOW, "5:7", "keep one of them"},
    {LOAD "users: { a: { weight: 2 } }\n", "4:10", "have no flow"},
    {LOAD "users: { a: { weight: 0, flow: [ { web: / } ] } }\n", "4:23", "not a weight"},
    {LOAD "users: { a: { weight: -1, flow: [ { web: / } ] } }\n", "4:23", "not a weight"},
    {LOAD "users: { a: { wieght: 1, flow: [ { web: / } ] } }\n", "4:15", "did you mean `weight`"},
    {LOAD "users: { a: { setup: [ ], flow: [ { web: / } ] } }\n", "4:22", "a flow must be a list"},
    {LOAD "flow: { web: / }\n", "4:7", "a flow must be a list"},
    {LOAD "flow: [ web ]\n", "4:9", "an entry of a flow is a step"},
    {LOAD "flow: [ { think: 1s } ]\n", "4:7", "this flow only thinks"},
    {STEP "think: quickly\n", "5:12", "not a time to think"},
    {STEP "think: 3s..1s\n", "5:12", "write 1s..3s"},
    {STEP "think: 1s\n    web: /\n", "5:5", "an entry of its own"},
    {STEP "foreach: 3\n", "5:5", "`foreach` is not part of this version"},
    {STEP "repeat: 3\n", "5:5", "`repeat` has no flow"},
    {STEP "repeat: 0\n    flow: [ { web: / } ]\n", "5:13", "out of range"},
    {STEP "repeat: 3\n    flow: [ { think: 1s } ]\n", "5:3", "this flow only thinks"},
    {STEP "repeat: 3\n    flwo: [ { web: / } ]\n", "6:5", "did you mean `flow`"},
    {STEP "choose: [ ]\n", "5:13", "`choose` must be a list"},
    {STEP "choose: [ { weight: 2 } ]\n", "5:15", "this branch has no flow"},
    {STEP "choose: [ { weight: 0, flow: [ { web: / } ] } ]\n", "5:25", "not a weight"},
    {STEP "choose: [ { wieght: 1, flow: [ { web: / } ] } ]\n", "5:17", "did you mean `weight`"},
    {STEP "if: 1 + 1\n    flow: [ { web: / } ]\n", "5:9", "a condition must be true or false"},
    {STEP "if: status == 200\n    flow: [ { web: / } ]\n", "5:9", "in a check or in save"},
    {STEP "if: tokn != null\n    flow: [ { web: /, save: { token: body } } ]\n", "5:9", "did you mean `token`"},
    {STEP "while: iteration == 0\n    at-most: 0\n    flow: [ { web: / } ]\n", "6:14", "out of range"},
    {STEP "parallel: [ { think: 1s } ]\n", "5:17", "`parallel` takes steps"},
    {STEP "parallel: [ web ]\n", "5:17", "`parallel` takes steps"},
    {STEP "transaction: buy\n", "5:5", "`transaction` has no flow"},
    {STEP "set: { body: 1 }\n", "5:12", "is a word of the language"},
    {STEP "set: { \"a b\": 1 }\n", "5:12", "is no name for a variable"},
    {STEP "set: { a: }\n", "5:15", "an expression is missing"},
    {STEP "web: /${tken}\n    save: { token: body }\n", "5:13", "did you mean `token`"},
    {STEP "web: /\n    save: { token: \"body[\" }\n", "6:25", "this is no path"},
    {LOAD "vars: [ 1 ]\n" FLOW, "4:7", "`vars` must be a map"},
    {LOAD "vars: { a: [ 1 ] }\n" FLOW, "4:12", "begins as a number or a text"},
    {STEP "name: x\n", "5:5", "names no protocol"},
    {STEP "../../evil: x\n", "5:5", "not known in a flow"},
    {STEP "wbe: /\n", "5:5", "wbe"},
    {STEP "bus: topic\n", "5:5", "no target speaks bus; add one"},
    {STEP "web: { path: / }\n", "5:10", "takes words"},
    {STEP "web: GET /a\n    mehtod: POST\n", "6:5", "did you mean `method`"},
    {STEP "web: GET /a\n    method: POST\n", "6:5", "keep one of them"},
    {STEP "web: BAD /a\n", "5:5", "step `BAD /a`: method BAD does not exist"},
    {STEP "web: GET /${usr.id}\n", "5:17", "did you mean `user.id`"},
    {STEP "web: /a\n    target: b\n", "6:13", "no target `b`; targets that speak web: a"},
    {STEP "web: /a\n    name: \"x ${user.id}\"\n", "6:11", "same in every exchange"},
    {STEP "web: /a\n    save: { x: y }\n", "6:16", "`y` is not known"},
    {STEP "web: /a\n    times: 11\n", "6:12", "out of range; write a whole number from 1 to 10"},
    {STEP "web: /a\n    times: x\n", "6:12", "`times`: 'x' is not a whole number"},
    {STEP "web: /a\n    times: [1]\n", "6:12", "`times` takes a single value, not a list"},
    {STEP "web: /a\n    times: ${secret.SQUALL_TEST}\n", "6:12", "the value of this secret does not fit"},
    {STEP "web: /a\n    wait: 2m\n", "6:11", "out of range"},
    {STEP "web: /a\n    room: 0\n", "6:11", "at least 1"},
    {STEP "web: /a\n    fast: yes\n", "6:11", "neither true nor false"},
    {STEP "web: /a\n    mode: chunkd\n", "6:11", "did you mean chunked?"},
    {STEP "web: /a\n    body:\n", "6:10", "`body` has no value"},
    {STEP "web: /a\n    headers: x\n", "6:14", "takes a map"},
    {STEP "web: /a\n    headers: { \"a${user.id}\": x }\n", "6:16", "in values only"},
    {STEP "web: /a\n    headers: { a: [ b ] }\n", "6:19", "needs a single value"},
    {STEP "web: /a\n    headers: { a: \"${user}\" }\n", "6:22", "`user` is not known"},
    {STEP "web: /a\n    check: { ok: stauts == 200 }\n", "6:18", "did you mean `status`"},
    {STEP "web: /a\n    check: { ok: status == OK }\n", "6:28", "`OK` is not known"},
    {STEP "web: /a\n    check: { ok: }\n", "6:18", "has no expression"},
    {STEP "web: /a\n    check: { ok: contains(body, \"x\") }\n", "6:36", "put quotes around text that holds"},
    {STEP "web: /a\n    check: { ok: contains(body, env.HOME) }\n", "6:18", "put quotes around the whole expression"},
    {STEP "web: /a\n    check: [ status == 200 ]\n", "6:12", "`check` must be a map"},
    /* arguments that can give nothing */
    {LOAD "flow: [ { web: \"/${random.int(500, 1)}\" } ]\n", "4:20", "the first number is above the second; swap them"},
    {LOAD "flow: [ { web: \"/${random.int(1.2, 1.8)}\" } ]\n", "4:20", "no whole number between these"},
    {LOAD "flow: [ { web: \"/${random.float(2, 1)}\" } ]\n", "4:20", "the first number is above the second"},
    {LOAD "flow: [ { web: \"/${random.string(100000)}\" } ]\n", "4:20", "write a number from 0 to 65536"},
    {LOAD "flow: [ { web: \"/${random.string(0 - 1)}\" } ]\n", "4:20", "a text cannot be so long"},
    /* thresholds */
    {LOAD FLOW "thresholds: p99(latency) < 1s\n", "5:13", "`thresholds` must be a list"},
    {LOAD FLOW "thresholds: [ { GET: p99(latency) < 1s } ]\n", "5:17", "not known in thresholds"},
    {SCOPES "  - \"tag(kind=raed)\": p99(latency) < 1s\n", "11:5", "there is no tag `kind=raed`; did you mean `kind=read`?"},
    {SCOPES "  - tag(kind): p99(latency) < 1s\n", "11:5", "`kind` is no tag; write tag(name=value)"},
    {SCOPES "  - tag(kind=read, tier=gold): p99(latency) < 1s\n", "11:5", "no step has all of these tags"},
    {SCOPES "  - tga(kind=read): p99(latency) < 1s\n", "11:5", "did you mean `tag(...)`?"},
    {SCOPES "  - transaction(by): p99(duration) < 1s\n", "11:5", "there is no transaction `by`; did you mean `buy`?"},
    {SCOPES "  - check(is okay): rate(failed) < 1%\n", "11:5", "there is no check `is okay`; did you mean `is ok`?"},
    {SCOPES "  - step(bsket): p99(latency) < 1s\n", "11:5", "there is no step `bsket`; did you mean `basket`?"},
    {SCOPES "  - basket: p99(latency) < 1s\n", "11:5", "is the name of a step and of a check; write step(basket) or check(basket)"},
    {SCOPES "  - login: p99(latency) < 1s\n", "11:5", "only setup and teardown have this step"},
    {SCOPES "  - buy: p99(latency) < 1s\n", "11:10", "a transaction has no `latency`; judge duration"},
    {SCOPES "  - is ok: p99(latency) < 1s\n", "11:12", "a check has no `latency`"},
    {SCOPES "  - p99(duration) < 1s\n", "11:5", "write transaction(NAME)"},
    {LOAD FLOW "thresholds: [ \"tag(a=b)\": count(ok) > 1 ]\n", "5:15", "there is no tag `a=b`, and no other in this scenario"},
    /* groups */
    {SCOPES "  - count(ok) > 1\ngroup-by: knid\n", "12:11", "there is no tag `knid`; did you mean `kind`?"},
    {SCOPES "  - count(ok) > 1\ngroup-by: [ tier, place ]\n", "12:19", "there is no tag `place`; there is kind, tier"},
    {SCOPES "  - count(ok) > 1\ngroup-by: { kind: read }\n", "12:11", "a single value is needed here, not a map"},
    {SCOPES "  - count(ok) > 1\ngroup-by: []\n", "12:11", "`group-by` must be a list"},
    {LOAD FLOW "group-by: kind\n", "5:11", "since no step of a flow has tags; write for example tags: { kind: ... }"},
    {LOAD "setup: [ { web: /, tags: { a: b } } ]\n" FLOW "group-by: a\n", "6:11", "since no step of a flow has tags"},
    {LOAD FLOW "thresholds: [ { when: rate(failed) > 2%, abort: maybe } ]\n", "5:49", "neither true nor false"},
    {LOAD FLOW "thresholds: [ { when: rate(failed) > 2%, abrt: true } ]\n", "5:42", "did you mean `abort`"},
    {LOAD FLOW "thresholds: [ { when: rate(failed) > 2%, grace: 2s } ]\n", "5:49", "a grace has no meaning"},
    {LOAD FLOW "thresholds: [ { when: rate(faild) > 2%, abort: true } ]\n", "5:28", "did you mean \"failed\""},
    {LOAD FLOW "thresholds: [ rate(failed) < 2% over any 7ms ]\n", "5:42", "write whole seconds"},
    {LOAD FLOW "thresholds:\n" ELEVEN_WINDOWS ELEVEN_WINDOWS "\n", "18:3", "too many windows"},
    {LOAD FLOW "thresholds: [ [ ] ]\n", "5:15", "a threshold is an expression"},
};

/* What is wrong with the text of a refusal, or NULL. */
static const char *fault(const char *text, const char *position, const char *error)
{
    if (strncmp(text, position, strlen(position)) != 0)
        return "another position";
    if (!strstr(text, error))
        return "another cause";
    if (!strstr(text, "; ") && !strstr(text, "did you mean"))
        return "does not say what to do";
    return strstr(text, "hush") ? "shows a secret" : NULL;
}

static void test_rows(void **state)
{
    unsigned faults = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct protocol_registry registry;
        struct error error = {0};
        struct scenario *scenario = NULL;
        char position[40];
        fixture_registry(&registry);
        if (scenario_load(rows[i].text, strlen(rows[i].text), "./s.yaml", NULL, &registry, &scenario, &error) != -1)
            fail_msg("row %zu was taken:\n%s", i, rows[i].text);
        snprintf(position, sizeof position, "./s.yaml:%s: ", rows[i].position);
        const char *what = fault(error.text, position, rows[i].error);
        if (what) {
            print_error("%s\n%s: '%s' instead of '%s...%s'\n", rows[i].text, what, error.text, position, rows[i].error);
            faults++;
        }
        assert_null(scenario);
        assert_int_equal(error.exit_code, 2);
        assert_int_equal(fixture_targets, 0); /* what had been made is undone */
        assert_int_equal(fixture_steps, 0);
    }
    assert_int_equal(faults, 0);
}

static int load_text(const char *text, struct error *error)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    fixture_registry(&registry);
    int result = scenario_load(text, strlen(text), "s.yaml", NULL, &registry, &scenario, error);
    if (!result)
        scenario_free(scenario);
    return result;
}

/* Aliases that double at each level are counted as if written out, and refused before they are walked. */
static void test_bounded(void **state)
{
    (void)state;
    struct error error = {0};
    char text[4000] = "squall: 1\na0: &a0 [ x, x ]\n";
    for (int i = 1; i < 40; i++) {
        char line[80];
        snprintf(line, sizeof line, "a%d: &a%d [ *a%d, *a%d ]\n", i, i, i - 1, i - 1);
        strcat(text, line);
    }
    assert_int_equal(load_text(text, &error), -1);
    assert_non_null(strstr(error.text, "too many values"));
    char deep[300] = "squall: ";
    memset(deep + 8, '[', 200);
    assert_int_equal(load_text(deep, &error), -1);
    assert_non_null(strstr(error.text, "nested too deeply"));
    char *wide = calloc(1, 40000), *end = wide;
    end += sprintf(end, "squall: 1\n");
    for (int i = 0; i < 1100; i++)
        end += sprintf(end, "k%d: 1\n", i);
    assert_int_equal(load_text(wide, &error), -1);
    assert_non_null(strstr(error.text, "too many keys"));
    free(wide);
}

static void test_size(void **state)
{
    (void)state;
    struct protocol_registry registry;
    struct error error = {0};
    struct scenario *scenario;
    size_t len = (4u << 20) + 1;
    char *text = malloc(len);
    memset(text, '#', len);
    fixture_registry(&registry);
    assert_int_equal(scenario_load(text, len, "s.yaml", NULL, &registry, &scenario, &error), -1);
    assert_non_null(strstr(error.text, "larger than 4 MiB"));
    free(text);
}

static void test_ambiguous_target(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(load_text(HEAD "targets: { a: \"web://h\", b: \"web://h\", c: \"bus://h:1\" }\nload: [ { users: "
                                    "1, for: 1s } ]\nflow: [ { web: / } ]\n",
                               &error),
                     -1);
    assert_string_equal(error.text, "s.yaml:4:11: several targets speak web: a, b; say which with target: NAME");
    assert_int_equal(load_text(HEAD "targets: { a: \"web://h\", c: \"bus://h:1\" }\nload: [ { users: 1, for: 1s } "
                                    "]\nflow: [ { web: /, target: c } ]\n",
                               &error),
                     -1);
    assert_non_null(strstr(error.text, "s.yaml:4:27: target `c` speaks bus"));
    assert_int_equal(
        load_text(HEAD "targets: { c: \"bus://h:1\" }\nload: [ { users: 1, for: 1s } ]\nflow: [ { bus: } ]\n", &error),
        -1);
    assert_non_null(strstr(error.text, "s.yaml:4:11: `topic` is missing: where to publish"));
}

static void test_read(void **state)
{
    (void)state;
    struct error error = {0};
    char *text = NULL;
    size_t len;
    assert_int_equal(scenario_read("/nonexistent/file.yaml", &text, &len, &error), -1);
    assert_non_null(strstr(error.text, "/nonexistent/file.yaml: cannot be opened: No such file"));
    assert_int_equal(scenario_read("/", &text, &len, &error), -1);
    assert_non_null(strstr(error.text, "/: cannot be read: Is a directory"));
    assert_int_equal(scenario_read("/dev/zero", &text, &len, &error), -1);
    assert_non_null(strstr(error.text, "larger than 4 MiB"));
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_bounded),
                                       cmocka_unit_test(test_size), cmocka_unit_test(test_ambiguous_target),
                                       cmocka_unit_test(test_read)};
    setenv("SQUALL_TEST", "hush", 1);
    unsetenv("SQUALL_NOT_SET");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
