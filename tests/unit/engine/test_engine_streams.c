/*
 * What the seam offers beyond one request and one answer: messages with times of their own, exchanges that are given
 * back or followed by another, samples of no exchange, refusal, options of a user's connection, verbs and trees. The
 * protocol `wire` moves its own bytes; its verbs say what each test wants it to do.
 */
#include "fixture.h"
#include <unistd.h>

enum { PUSH, STREAM, AGAIN, HOP, SAMPLE };

struct wire_options {
    struct squall_bytes text;
    struct squall_tree tree;
    uint64_t size;
};
struct wire_target {
    struct squall_bytes name;
    struct squall_tree extra;
};

static struct run run;
static struct wire {
    uint32_t requests, again, refused, hops;
    uint64_t ids[8], first_id;
    char names[8][40];
    uint32_t name_count;
    char trees[4][200];
    uint32_t tree_count;
    char blank[200];
    uint32_t blank_holes;
    bool refuse;
    char cert[400];
} wire;

static const struct squall_host *host_of(const struct squall_conn *conn)
{
    return conn->worker->host;
}

static void finish(struct squall_conn *conn, struct squall_exchange *x)
{
    struct squall_result result = {.outcome = SQUALL_OK, .code = 1};
    host_of(conn)->done(x, &result);
}

static void on_connect(struct squall_conn *conn)
{
    const struct wire_target *options = host_of(conn)->conn_options(conn);
    if (wire.refuse) {
        host_of(conn)->refuse(conn, NULL, "it has no such service");
        return;
    }
    if (conn->target->secure) { /* and the options stay as they are */
        struct squall_tls tls;
        assert_int_equal(host_of(conn)->tls(conn, &tls), 0);
        assert_string_equal(tls.server_name, "here");
        snprintf(wire.cert, sizeof wire.cert, "%s", tls.cert);
    }
    if (options && options->name.len && wire.name_count < 8)
        snprintf(wire.names[wire.name_count++], sizeof wire.names[0], "%.*s", (int)options->name.len,
                 (const char *)options->name.data);
    host_of(conn)->capacity(conn, 1);
}

static void request_sample(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct squall_host *host = host_of(conn);
    host->sample(conn->worker, x->step, 0, 7);
    host->elapsed(conn->worker, x->step, 1, host->stamp_ns(conn->worker));
    host->elapsed(conn->worker, x->step, 1, 1); /* long before the load: part of no measurement */
    finish(conn, x);
}

static void request_again(struct squall_conn *conn, struct squall_exchange *x)
{
    if (!wire.first_id)
        wire.first_id = x->id;
    assert_int_equal(x->id, wire.first_id); /* the same exchange */
    if (host_of(conn)->again(x) == 0)
        wire.again++;
    else
        finish(conn, x);
}

static void request_hop(struct squall_conn *conn, struct squall_exchange *x)
{
    uint64_t *state = x->state;
    assert_int_equal(*state, x->hop); /* kept from the exchange before, zero in the first */
    ++*state;
    if (x->hop < 3)
        assert_int_equal(host_of(conn)->follow(x), 0);
    wire.hops++;
    finish(conn, x);
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct wire_options *options = x->options;
    wire.requests++;
    if (options->tree.text.len && wire.tree_count < 4)
        snprintf(wire.trees[wire.tree_count++], sizeof wire.trees[0], "%.*s", (int)options->tree.text.len,
                 (const char *)options->tree.text.data);
    switch (x->step->verb) {
    case STREAM:
        host_of(conn)->every(x, NS_PER_MS);
        break;
    case AGAIN:
        request_again(conn, x);
        break;
    case HOP:
        request_hop(conn, x);
        break;
    case SAMPLE:
        request_sample(conn, x);
        break;
    default:
        finish(conn, x);
    }
}

/* Ten messages; those with an odd number are never answered. */
static void turn(struct squall_conn *conn, struct squall_exchange *x, uint64_t number)
{
    const struct squall_host *host = host_of(conn);
    assert_int_equal(*(uint64_t *)x->state, number);
    ++*(uint64_t *)x->state;
    host->message_sent(x, 100 + number);
    if (number % 2 == 0) {
        host->message_received(x);
        host->message_answered(x, 100 + number);
        host->message_answered(x, 100 + number); /* has been */
        host->message_answered(x, 5000);         /* was never sent */
    }
    if (number == 9)
        finish(conn, x);
}

static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    (void)conn;
    (void)x;
}

static int32_t step_init(struct squall_step *step, const void *constant_options, uint64_t constant,
                         struct squall_error *error)
{
    const struct wire_options *options = constant_options;
    (void)step;
    (void)constant;
    (void)error;
    if (!options->tree.text.len)
        return 0;
    snprintf(wire.blank, sizeof wire.blank, "%.*s", (int)options->tree.text.len, (const char *)options->tree.text.data);
    wire.blank_holes = (uint32_t)options->tree.hole_count;
    for (uint64_t i = 0; i < options->tree.hole_count; i++) {
        const struct squall_hole *hole = &options->tree.holes[i];
        assert_int_equal(hole->len, 4);
        assert_memory_equal(options->tree.text.data + hole->at, "null", 4);
    }
    return 0;
}

static const struct squall_option rows[] = {
    {.name = "text",
     .type = SQUALL_STRING,
     .offset = offsetof(struct wire_options, text),
     .role = SQUALL_ROLE_URL_TAIL},
    {.name = "tree",
     .type = SQUALL_TREE,
     .offset = offsetof(struct wire_options, tree),
     .flag = "--tree",
     .metavar = "JSON"},
    {.name = "size", .type = SQUALL_SIZE, .offset = offsetof(struct wire_options, size), .verbs = 1 << STREAM},
};
static const struct squall_option target_rows[] = {
    {.name = "name", .type = SQUALL_STRING, .offset = offsetof(struct wire_target, name), .role = SQUALL_ROLE_CONN},
    {.name = "extra", .type = SQUALL_TREE, .offset = offsetof(struct wire_target, extra), .role = SQUALL_ROLE_CONN},
};
static const struct squall_verb verbs[] = {
    {"push", "one thing", "text"},  {"stream", "ten things", NULL},     {"again", "given back", NULL},
    {"hop", "four in a row", NULL}, {"sample", "of no exchange", NULL},
};
static const struct squall_metric metrics[] = {
    {.name = "seen", .kind = SQUALL_COUNTER},
    {.name = "took_ns", .kind = SQUALL_HISTOGRAM},
};
static struct protocol protocol = {
    .name = "wire",
    .abi = {.flags = SQUALL_OWN_TRANSPORT,
            .name = "wire",
            .schemes = "wire,wires",
            .ports = "9,10",
            .exchange_size = sizeof(uint64_t),
            .target_options = {target_rows, 2, sizeof target_rows[0], sizeof(struct wire_target)},
            .step_options = {rows, 3, sizeof rows[0], sizeof(struct wire_options)},
            .metrics = {metrics, 2, sizeof metrics[0], 0},
            .verbs = {verbs, 5, sizeof verbs[0], 0},
            .step_init = step_init,
            .connect = on_connect,
            .request = request,
            .cancel = cancel,
            .turn = turn},
};

#define HEAD "squall: 1\ntargets: { t: { url: \"wire://here\", connections: per-user, "
#define LOAD " } }\nload: [ { users: 1, iterations: 2 } ]\n"

static void begin(const char *yaml)
{
    struct settings settings = {.yaml = yaml, .protocols = {&protocol}};
    memset(&wire, 0, sizeof wire);
    run_begin(&run, &settings);
}

static void whole(const char *yaml)
{
    begin(yaml);
    run_whole(&run);
}

/* ---- messages ---- */

static void test_messages(void **state)
{
    (void)state;
    whole(HEAD LOAD "flow: [ { wire: stream } ]\n");
    const struct series *series = &run.total.series[0];
    assert_int_equal(series->count, 2);
    assert_int_equal(series->messages_sent, 20);
    assert_int_equal(series->messages_received, 10);
    assert_int_equal(series->messages_answered, 10);
    assert_int_equal(series->messages_unanswered, 10);
    assert_int_equal(series->message_latency.count, 20); /* unanswered ones too, as lower bounds */
    assert_int_equal(series->message_service.count, 10);
    assert_int_equal(series->message_first.count, 2);
    assert_int_equal(series->message_gap.count, 8);
    /* Message 1 was due 8 turns before the stream's end. */
    assert_true(series->message_latency.max >= 8 * NS_PER_MS);
    run_end(&run);
}

static void test_messages_of_warm_up(void **state)
{
    (void)state;
    whole("squall: 1\ntargets: { t: { url: \"wire://here\", connections: per-user } }\nwarmup: 1h\n"
          "load: [ { users: 1, iterations: 1 } ]\nflow: [ { wire: stream } ]\n");
    assert_false(series_has_messages(&run.total.series[0]));
    assert_int_equal(run.total.series[0].messages_unanswered, 0);
    run_end(&run);
}

/* A ring never holds more than its limit, and what had to make room counts as unanswered. */
static void many(struct squall_conn *conn, struct squall_exchange *x, uint64_t number)
{
    (void)number;
    for (uint64_t key = 0; key < 5000; key++)
        host_of(conn)->message_sent(x, key);
    host_of(conn)->message_answered(x, 0);    /* made room */
    host_of(conn)->message_answered(x, 4999); /* the last one sent */
    finish(conn, x);
}

static void test_messages_bounded(void **state)
{
    (void)state;
    protocol.abi.turn = many;
    whole(HEAD LOAD "flow: [ { wire: stream } ]\n");
    protocol.abi.turn = turn;
    const struct series *series = &run.total.series[0];
    assert_int_equal(series->messages_sent, 10000);
    assert_int_equal(series->messages_answered, 2);
    assert_int_equal(series->messages_unanswered, 9998);
    assert_int_equal(series->message_latency.count, 10000);
    run_end(&run);
}

/* ---- exchanges that go on ---- */

static void test_again(void **state)
{
    (void)state;
    whole(HEAD " } }\nload: [ { users: 1, iterations: 1 } ]\nflow: [ { wire: again } ]\n");
    assert_int_equal(wire.again, SQUALL_AGAIN_MAX);
    assert_int_equal(wire.requests, SQUALL_AGAIN_MAX + 1);
    assert_int_equal(run_begun(&run), 1);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    run_end(&run);
    whole("squall: 1\ntargets: { t: { url: \"wire://here\", connections: 2 } }\nload: [ { users: 1, iterations: 1 } ]\n"
          "flow: [ { wire: again } ]\n");
    assert_int_equal(wire.requests, SQUALL_AGAIN_MAX + 1); /* pooled */
    assert_int_equal(run_begun(&run), 1);
    run_end(&run);
}

static void test_follow(void **state)
{
    (void)state;
    whole(HEAD LOAD "flow:\n  - { wire: hop, check: { fine: status == 1 } }\n  - wire: push x\n");
    assert_int_equal(wire.hops, 8);
    assert_int_equal(run_begun(&run), 10);           /* each hop is an exchange */
    assert_int_equal(run.total.checks[0].passed, 2); /* and the last one is looked at */
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].completed, 2);
    run_end(&run);
}

/* ---- what belongs to no exchange ---- */

static void test_samples(void **state)
{
    (void)state;
    whole(HEAD LOAD "flow: [ { wire: sample } ]\n");
    assert_int_equal(run.total.series[0].metrics[0].counter, 14);
    assert_int_equal(run.total.series[0].metrics[1].histogram.count, 2);
    run_end(&run);
}

static void test_refuse(void **state)
{
    (void)state;
    begin(HEAD LOAD "flow: [ { wire: push x } ]\n");
    wire.refuse = true;
    run_connect(&run);
    assert_string_equal(run.error, "target t: it has no such service");
    assert_int_equal(engine_ready_code(run.engine), EXIT_CODE_USAGE);
    run_end(&run);
}

/* ---- options ---- */

static void test_conn_options(void **state)
{
    (void)state;
    whole("squall: 1\ntargets: { t: { url: \"wire://here\", connections: per-user, name: \"dev-${user.id}\" } }\n"
          "load: [ { users: 3, iterations: 3 } ]\nflow: [ { wire: push x } ]\n");
    assert_int_equal(wire.name_count, 3);
    assert_string_equal(wire.names[0], "dev-1");
    assert_string_equal(wire.names[2], "dev-3");
    run_end(&run);
}

/* Both are valid until the plugin returns. */
static void test_options_and_tls(void **state)
{
    static const char file[] = "test_engine_streams-1.pem";
    (void)state;
    FILE *pem = fopen(file, "w");
    assert_non_null(pem);
    fclose(pem);
    whole("squall: 1\ntargets: { t: { url: \"wires://here\", connections: per-user, name: \"dev-${user.id}\",\n"
          "  tls: { cert: \"test_engine_streams-${user.id}.pem\" } } }\n"
          "load: [ { users: 1, iterations: 1 } ]\nflow: [ { wire: push x } ]\n");
    unlink(file);
    assert_int_equal(wire.name_count, 1);
    assert_string_equal(wire.names[0], "dev-1");
    assert_non_null(strstr(wire.cert, file));
    run_end(&run);
}

static void test_trees(void **state)
{
    (void)state;
    whole(HEAD LOAD "vars: { n: 7, word: \"a \\\"b\\\" \\u0001\" }\nflow:\n"
                    "  - wire: push x\n"
                    "    tree: { n: \"${n + 1}\", s: \"n is ${n}\", w: \"${word}\", fixed: [1, -2.5e3, 007, true, "
                    "null, \"true\", ~],"
                    " none: { }, nil: \"${user.id - 1}\" }\n");
    assert_string_equal(wire.blank,
                        "{\"n\":null,\"s\":null,\"w\":null,\"fixed\":[1,-2.5e3,\"007\",true,null,\"true\",null],"
                        "\"none\":{},\"nil\":null}");
    assert_int_equal(wire.blank_holes, 4);
    assert_int_equal(wire.tree_count, 2);
    assert_string_equal(wire.trees[1],
                        "{\"n\":8,\"s\":\"n is 7\",\"w\":\"a \\\"b\\\" \\u0001\",\"fixed\":[1,-2.5e3,\"007\",true,"
                        "null,\"true\",null],\"none\":{},\"nil\":0}");
    run_end(&run);
}

static void test_tree_of_flag(void **state)
{
    (void)state;
    struct flag_value flag = {"--tree", "{\"id\": ${user.id}, \"all\": [1, \"two\"]}"};
    struct settings settings = {
        .overrides = {.url = "wire://here/x", .iterations = "1", .flags = &flag, .flag_count = 1},
        .protocols = {&protocol}};
    memset(&wire, 0, sizeof wire);
    flag.value = "{\"id\": \"${user.id}\", \"all\": [1, \"two\"]}";
    run_begin(&run, &settings);
    run_whole(&run);
    assert_string_equal(wire.trees[0], "{\"id\":1,\"all\":[1,\"two\"]}");
    run_end(&run);
}

static const struct {
    const char *yaml, *text;
} refusals[] = {
    {HEAD LOAD "flow: [ { wire: psh x } ]\n", "wire cannot `psh`; did you mean `push`?"},
    {HEAD LOAD "flow: [ { wire: } ]\n",
     "`wire:` does not say what to do; write one of push, stream, again, hop, sample"},
    {HEAD LOAD "flow: [ { wire: stream words } ]\n", "takes no words behind it"},
    {HEAD LOAD "flow: [ { wire: push x, size: 3 } ]\n", "`size` means nothing to `wire: push`; leave it out"},
    {"squall: 1\ntargets: { t: { url: \"wire://here\", connections: 3, name: \"${user.id}\" } }\nflow: [ { wire: push "
     "x } ]\n",
     "this target's connections are shared; write connections: per-user"},
    {HEAD LOAD "flow: [ { wire: push x, tree: { \"${user.id}\": 1 } } ]\n", "use ${...} in values only"},
    {HEAD LOAD "flow: [ { wire: push x, tree: { a: \"${nobody}\" } } ]\n", "nobody"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct protocol_registry registry = {.protocols = {&protocol}, .count = 1};
        struct overrides overrides = {0};
        struct scenario *scenario = NULL;
        struct error error = {0};
        if (scenario_load(refusals[i].yaml, strlen(refusals[i].yaml), "s.yaml", &overrides, &registry, &scenario,
                          &error) == 0)
            fail_msg("row %zu was taken", i);
        if (!strstr(error.text, refusals[i].text) || strncmp(error.text, "s.yaml:", 7) != 0)
            fail_msg("\"%s\" does not say \"%s\"", error.text, refusals[i].text);
    }
}

static void test_step_names(void **state)
{
    (void)state;
    begin(HEAD LOAD "flow:\n  - wire: push a b\n  - wire: stream\n");
    assert_string_equal(run.scenario->series[0].name, "push a b");
    assert_string_equal(run.scenario->series[1].name, "stream");
    run_end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),         cmocka_unit_test(test_messages_of_warm_up),
        cmocka_unit_test(test_messages_bounded), cmocka_unit_test(test_again),
        cmocka_unit_test(test_follow),           cmocka_unit_test(test_samples),
        cmocka_unit_test(test_refuse),           cmocka_unit_test(test_conn_options),
        cmocka_unit_test(test_options_and_tls),  cmocka_unit_test(test_trees),
        cmocka_unit_test(test_tree_of_flag),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_step_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
