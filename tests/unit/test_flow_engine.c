/*
 * Users walk their flows in an engine of this process, over a protocol that moves its own bytes: each exchange ends at once
 * with what its step says, and its path is kept in order. So the order of a flow, not its times, is what is compared.
 */
#include "engine/engine.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

struct fake_options {
    struct squall_bytes path, answer;
    uint64_t later, fail;
};
#define ROW(field) .name = #field, .offset = offsetof(struct fake_options, field)
static const struct squall_option rows[] = {
    {ROW(path), .type = SQUALL_STRING, .fallback = "/"},
    {ROW(answer), .type = SQUALL_STRING},
    {ROW(later), .type = SQUALL_BOOL}, /* ends in the connection's next tick */
    {ROW(fail), .type = SQUALL_BOOL},
};

struct fake_exchange {
    struct squall_exchange *self;
    char answer[100];
    uint64_t fail;
};
struct fake_conn {
    struct fake_exchange *pending[8];
    uint32_t count;
};

static char walked[4000]; /* paths, in order, a space behind each */

static void finish(struct squall_conn *conn, struct fake_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    host->body(exchange->self, (struct squall_bytes){(const uint8_t *)exchange->answer, strlen(exchange->answer)});
    struct squall_result result = {.outcome = exchange->fail ? SQUALL_REJECTED : SQUALL_OK, .code = exchange->fail ? 500 : 200};
    host->done(exchange->self, &result);
}

static void fake_connect(struct squall_conn *conn)
{
    conn->worker->host->capacity(conn, 4);
}

static void fake_request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct fake_options *options = x->options;
    struct fake_exchange *exchange = x->state;
    struct fake_conn *own = conn->state;
    size_t len = strlen(walked);
    snprintf(walked + len, sizeof walked - len, "%.*s ", (int)options->path.len, (const char *)options->path.data);
    exchange->self = x;
    exchange->fail = options->fail;
    snprintf(exchange->answer, sizeof exchange->answer, "%.*s", (int)options->answer.len, (const char *)options->answer.data);
    if (options->later)
        own->pending[own->count++] = exchange;
    else
        finish(conn, exchange);
}

static uint64_t fake_tick(struct squall_conn *conn, uint64_t now_ns)
{
    struct fake_conn *own = conn->state;
    while (own->count)
        finish(conn, own->pending[--own->count]);
    return now_ns + NS_PER_MS;
}

static void fake_cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    (void)conn;
    (void)x;
}

static struct protocol fake = {
    .name = "fake",
    .abi = {.name = "fake",
            .schemes = "fake",
            .ports = "1",
            .headline = "path",
            .flags = SQUALL_OWN_TRANSPORT,
            .exchange_size = sizeof(struct fake_exchange),
            .conn_size = sizeof(struct fake_conn),
            .step_options = {rows, 4, sizeof(struct squall_option), sizeof(struct fake_options)},
            .connect = fake_connect,
            .tick = fake_tick,
            .request = fake_request,
            .cancel = fake_cancel}};

struct run {
    struct engine *engine;
    struct page page;
    struct snapshot last;
    char error[700];
};

static void on_ready(void *arg, const char *error)
{
    struct run *run = arg;
    snprintf(run->error, sizeof run->error, "%s", error ? error : "");
    if (error)
        loop_stop(engine_loop(run->engine));
    else
        engine_start(run->engine, clock_now_ns());
}

static void on_finished(void *arg)
{
    struct run *run = arg;
    loop_stop(engine_loop(run->engine));
}

/* Walks the scenario to its end; transaction counts of the first name come back. */
static void walk(const char *text, struct run *run, struct transaction_count *ret_transaction)
{
    char whole[3000];
    struct protocol_registry registry = {.protocols = {&fake}, .count = 1};
    struct scenario *scenario = NULL;
    struct error error = {0};
    snprintf(whole, sizeof whole, "squall: 1\ntargets: { a: { url: \"fake://127.0.0.1:1\", connections: per-user } }\ndrain: 5s\n%s", text);
    if (scenario_load(whole, strlen(whole), "s.yaml", NULL, &registry, &scenario, &error))
        fail_msg("%s\n%s", whole, error.text);
    *run = (struct run){.error = ""};
    walked[0] = '\0';
    struct engine_config config = {.scenario = scenario, .workers = 1, .page = &run->page,
                                   .arg = run, .ready = on_ready, .finished = on_finished};
    run->engine = engine_new(&config, &error);
    if (!run->engine)
        fail_msg("%s", error.text);
    engine_connect(run->engine);
    loop_run(engine_loop(run->engine));
    engine_snapshot(run->engine, &run->last);
    if (ret_transaction)
        *ret_transaction = run->last.store.transactions[0];
    engine_snapshot_taken(run->engine);
    engine_free(run->engine);
    scenario_free(scenario);
    char why[200];
    for (int i = 0; i < BLOCK_COUNT; i++)
        if (ledger_verify(&run->page.ledgers[i], why, sizeof why) < 0)
            fail_msg("%s", why);
}

#define ONE "load: [ { users: 1, iterations: 1 } ]\n"
#define TWO "load: [ { users: 1, iterations: 2 } ]\n"

static const struct {
    const char *text, *walked;
} cases[] = {
    {ONE "flow: [ { repeat: 2, flow: [ { fake: a }, { repeat: 2, flow: [ { fake: b } ] } ] } ]\n", "a b b a b b "},
    {TWO "flow: [ { if: iteration == 0, flow: [ { fake: a } ], else: [ { fake: b } ] }, { fake: c } ]\n", "a c b c "},
    {ONE "vars: { n: 3 }\nflow: [ { while: n > 0, flow: [ { fake: \"w${n}\" }, { set: { n: n - 1 } } ] }, { fake: \"${n}\" } ]\n",
     "w3 w2 w1 0 "},
    {ONE "flow: [ { while: true, at-most: 3, flow: [ { fake: a } ] }, { fake: b } ]\n", "a a a b "},
    {ONE "flow: [ { while: false, flow: [ { fake: a } ] }, { fake: b } ]\n", "b "},
    {ONE "flow: [ { parallel: [ { fake: a, later: true }, { fake: b }, { fake: c, later: true } ] }, { fake: d } ]\n", "a b c d "},
    {ONE "flow: [ { parallel: [ { fake: a }, { fake: b } ] }, { fake: c } ]\n", "a b c "},
    {ONE "flow: [ { parallel: [ { fake: a, later: true }, { fake: b, later: true }, { fake: c, later: true },"
         " { fake: d, later: true }, { fake: e, later: true }, { fake: f, later: true } ] }, { fake: g } ]\n", "a b c d e f g "},
    {TWO "flow: [ { fake: \"a${t}\", answer: '{\"t\": [1, \"x\"]}', save: { t: 'body.t[1]' } }, { fake: \"b${t}\" } ]\n", "a bx ax bx "},
    {ONE "flow: [ { fake: a, answer: '{\"cart\": {\"n\": [5]}}', save: { cart: body.cart } }, { fake: \"${cart.n[0]}/${size(cart)}\" } ]\n",
     "a 5/1 "},
    {ONE "vars: { s: abc }\nflow: [ { repeat: 2, flow: [ { set: { s: \"substring(s, 1)\" } } ] }, { fake: \"${s}\" } ]\n", "c "},
    {TWO "setup: [ { fake: run, answer: '{\"r\": 1}', save: { r: body.r } } ]\nteardown: [ { fake: end } ]\n"
         "users: { u: { setup: [ { fake: \"in${r}\" } ], flow: [ { fake: a } ], teardown: [ { fake: out } ] } }\n",
     "run in1 a a out end "},
    {ONE "users: { u: { setup: [ { fake: in, fail: true } ], flow: [ { fake: a } ] } }\n", "in a "},
    {"load: [ { hold: 100/s, for: 30ms, users: 1 } ]\nusers: { u: { setup: [ { fake: in, later: true } ], flow: [ { fake: a } ],"
     " teardown: [ { fake: out } ] } }\n", "in a a a out "},
};

static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        walk(cases[i].text, &run, NULL);
        if (run.error[0] || strcmp(walked, cases[i].walked) != 0)
            fail_msg("%s\nwalks '%s' instead of '%s' %s", cases[i].text, walked, cases[i].walked, run.error);
    }
}

/* A flow without a single exchange in it must not keep the journeys from ending. */
static void test_nothing_to_do(void **state)
{
    (void)state;
    struct run run;
    walk("load: [ { users: 2, for: 20ms } ]\nflow: [ { if: iteration < 0, flow: [ { fake: a } ] } ]\n", &run, NULL);
    const struct ledger *ledger = &run.page.ledgers[BLOCK_MEASURED];
    assert_string_equal(walked, "");
    assert_true(ledger->completed > 0 && ledger->completed == ledger->due && ledger->begun == 0);
    walk("load: [ { users: 1, iterations: 1 } ]\nvars: { n: 0 }\nflow: [ { repeat: 300, flow: [ { repeat: 300, flow: [ { set: { n: n + 1 } } ] } ] },"
         " { fake: \"${n}\" } ]\n", &run, NULL);
    assert_string_equal(walked, "90000 ");
}

static void test_transactions(void **state)
{
    (void)state;
    struct run run;
    struct transaction_count counted;
    walk("load: [ { users: 1, iterations: 4 } ]\nflow: [ { transaction: t, flow: [ { fake: a }, { if: iteration == 1,"
         " flow: [ { fake: b, fail: true } ] } ] }, { fake: c, fail: true } ]\n", &run, &counted);
    assert_int_equal(counted.count, 4);
    assert_int_equal(counted.failed, 1); /* what fails behind it is not its */
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].failed, 4);
}

static void test_ledger_of_setup(void **state)
{
    (void)state;
    struct run run;
    walk("load: [ { users: 3, iterations: 6 } ]\nsetup: [ { fake: r } ]\nusers: { u: { setup: [ { fake: in }, { fake: in } ], flow: [ { fake: a } ],"
         " teardown: [ { fake: out } ] } }\n", &run, NULL);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].begun, 6);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].due, 6);
    assert_int_equal(run.page.ledgers[BLOCK_WARMUP].due, 0);
    uint64_t outs = 0;
    for (const char *at = walked; (at = strstr(at, "out ")); at++)
        outs++;
    assert_true(outs >= 1 && outs <= 3);
    assert_int_equal(run.page.ledgers[BLOCK_WARMUP].begun, 1 + 3 * outs);
}

static void test_run_setup_fails(void **state)
{
    (void)state;
    struct run run;
    walk(ONE "setup: [ { fake: r, fail: true } ]\nflow: [ { fake: a } ]\n", &run, NULL);
    assert_string_equal(walked, "r ");
    assert_non_null(strstr(run.error, "the setup of the run failed: r: rejected: 500"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_nothing_to_do),
                                       cmocka_unit_test(test_transactions), cmocka_unit_test(test_ledger_of_setup),
                                       cmocka_unit_test(test_run_setup_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
