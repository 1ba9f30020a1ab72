/* What a scenario file is compiled into: targets, load, users, steps with their options, series, checks, defaults. */
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers that it needs */

#define SECOND UINT64_C(1000000000)

static const char whole[] =
    "squall: 1\n"
    "name: shop\n"
    "seed: 7\n"
    "warmup: 1s\n"
    "drain: 2s\n"
    "targets:\n"
    "  shop: { url: \"${env.SQUALL_NOT_SET:-web://127.0.0.1:8080}\", connections: 12, timeout: 3s,\n"
    "          connect-timeout: 500ms, version: one, agent: tester }\n"
    "  safe: { url: \"webs://[::1]\", connections: per-user, tls: { insecure: true } }\n"
    "  bus: \"bus://127.0.0.1:1883\"\n"
    "load:\n"
    "  - { ramp: 0 -> 200/s, over: 10s }\n"
    "  - { hold: 200/s, for: 1m, arrivals: poisson, users: 50 }\n"
    "users:\n"
    "  buyer:\n"
    "    weight: 3\n"
    "    flow:\n"
    "      - web: GET /items?page=${random.int(1, 20)}\n"
    "        target: shop\n"
    "        name: list\n"
    "        headers: { accept: text/plain, x-user: \"u${user.id}\" }\n"
    "        check: { ok: status == 200, full: size(body) > 0 }\n"
    "      - think: 1s..3s\n"
    "      - web: POST /cart\n"
    "        target: safe\n"
    "        body: '{\"a\": \"${user.id}\"}'\n"
    "        times: ${random.int(9, 20)}\n"
    "        wait: 250ms\n"
    "        fast: true\n"
    "        mode: mixed\n"
    "        check: { ok: status < 400 }\n"
    "  other:\n"
    "    flow:\n"
    "      - { web: /items, target: shop, name: list }\n"
    "      - think: 10ms\n"
    "      - bus: a topic of words\n";

static struct scenario *load_with(const char *text, const struct overrides *overrides)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    fixture_registry(&registry);
    if (scenario_load(text, strlen(text), "dir/s.yaml", overrides, &registry, &scenario, &error))
        fail_msg("%s", error.text);
    return scenario;
}

static struct random_stream stream;

static void assert_bytes(struct squall_bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_string_equal((const char *)bytes.data, text);
}

static void test_targets(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    const struct target *shop = &scenario->targets[0], *safe = &scenario->targets[1], *bus = &scenario->targets[2];
    const struct web_target_options *options = shop->view.options;
    assert_string_equal(scenario->name, "shop");
    assert_string_equal(scenario->file, "dir/s.yaml");
    assert_string_equal(scenario->text, whole);
    assert_int_equal(scenario->seed, 7);
    assert_int_equal(scenario->warmup_ns, SECOND);
    assert_int_equal(scenario->drain_ns, 2 * SECOND);
    assert_int_equal(scenario->target_count, 3);
    assert_string_equal(shop->name, "shop");
    assert_string_equal(shop->url, "web://127.0.0.1:8080");
    assert_int_equal(shop->port, 8080);
    assert_int_equal(shop->connections, 12);
    assert_true(shop->connections_set);
    assert_int_equal(shop->timeout_ns, 3 * SECOND);
    assert_int_equal(shop->connect_timeout_ns, SECOND / 2);
    assert_int_equal(options->version, 0);
    assert_bytes(options->agent, "tester");
    assert_bytes(shop->view.host, "127.0.0.1");
    assert_bytes(shop->view.authority, "127.0.0.1:8080");
    assert_int_equal(shop->view.secure, 0);
    assert_int_equal(safe->view.secure, 1);
    assert_true(safe->tls_insecure);
    assert_string_equal(safe->host, "::1");
    assert_bytes(safe->view.authority, "[::1]");
    assert_int_equal(safe->port, 443);
    assert_int_equal(safe->connections, CONNECTIONS_PER_USER);
    assert_int_equal(((const struct web_target_options *)safe->view.options)->version, 1);
    assert_ptr_equal(bus->protocol, &fixture_bus);
    assert_int_equal(bus->timeout_ns, 30 * SECOND);
    assert_int_equal(bus->connect_timeout_ns, 5 * SECOND);
    assert_int_equal(bus->connections, 50); /* the default pool of 64, but never more than users */
    assert_false(bus->connections_set);
    assert_int_equal(fixture_targets, 2);
    scenario_free(scenario);
    assert_int_equal(fixture_targets, 0);
    assert_int_equal(fixture_steps, 0);
}

static void test_flows(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    const struct user_class *buyer = &scenario->classes[0], *other = &scenario->classes[1];
    assert_int_equal(scenario->class_count, 2);
    assert_string_equal(buyer->name, "buyer");
    assert_true(buyer->weight == 3 && other->weight == 1);
    assert_int_equal(buyer->flow.count, 4);
    assert_int_equal(buyer->flow.ops[0].kind, OP_STEP);
    assert_int_equal(buyer->flow.ops[1].kind, OP_THINK);
    assert_int_equal(buyer->flow.ops[1].think_min_ns, SECOND);
    assert_int_equal(buyer->flow.ops[1].think_max_ns, 3 * SECOND);
    assert_int_equal(buyer->flow.ops[2].step, 1);
    assert_int_equal(buyer->flow.ops[3].kind, OP_END);
    assert_int_equal(other->flow.ops[1].think_max_ns, 10000000);
    assert_int_equal(scenario->step_count, 4);
    assert_int_equal(scenario->series_count, 3);
    assert_int_equal(scenario->steps[0].series, scenario->steps[2].series); /* one name, protocol and target */
    assert_string_equal(scenario->series[0].name, "list");
    assert_string_equal(scenario->series[1].name, "POST /cart");
    assert_string_equal(scenario->series[2].name, "a topic of words");
    assert_int_equal(scenario->check_count, 2);
    assert_int_equal(scenario->steps[0].check_count, 2);
    assert_int_equal(scenario->steps[1].checks[0].index, scenario->steps[0].checks[0].index); /* both `ok` */
    assert_int_equal(scenario->steps[0].wants, SQUALL_WANT_BODY);
    assert_int_equal(scenario->steps[1].wants, 0);
    assert_int_equal(scenario->steps[0].line, 18);
    assert_int_equal(*(uint64_t *)scenario->steps[0].view.state, 42);
    assert_ptr_equal(scenario->steps[1].view.target, &scenario->targets[1].view);
    scenario_free(scenario);
}

static void test_constant_step(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    const struct step *step = &scenario->steps[2]; /* { web: /items } */
    const struct web_options *options = step->constant_block;
    const void *rendered = NULL;
    struct error error;
    assert_true(step->all_constant);
    assert_int_equal(step->constant, 0xfff);
    assert_int_equal(step_render(step, NULL, &rendered, &error), 0);
    assert_ptr_equal(rendered, step->constant_block);
    assert_bytes(options->method, "GET");
    assert_bytes(options->path, "/items");
    assert_bytes(options->body, "");
    assert_int_equal(options->headers.count, 0);
    assert_int_equal(options->times, 1);
    assert_int_equal(options->room, 65536);
    assert_int_equal(options->mode, 1);
    const struct bus_options *bus = scenario->steps[3].constant_block;
    assert_bytes(bus->topic, "a topic of words");
    assert_int_equal(bus->tags.count, 1);
    assert_bytes(bus->tags.pairs[0].name, "kind");
    assert_bytes(bus->tags.pairs[0].value, "test");
    scenario_free(scenario);
}

static void test_render(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    const struct step *list = &scenario->steps[0], *cart = &scenario->steps[1];
    struct arena scratch;
    struct error error = {0};
    const void *rendered = NULL;
    uint32_t refused = 0;
    arena_init(&scratch);
    struct eval eval = {.user_id = 9, .random = &stream, .scratch = &scratch};
    assert_false(list->all_constant);
    assert_int_equal(list->constant, 0xfff & ~2 & ~4); /* path and headers vary */
    assert_int_equal(step_render(list, &eval, &rendered, &error), 0);
    const struct web_options *options = rendered;
    assert_memory_equal(options->path.data, "/items?page=", 12);
    assert_int_equal(options->path.data[options->path.len], 0);
    assert_int_equal(options->headers.count, 2);
    assert_bytes(options->headers.pairs[0].value, "text/plain");
    assert_bytes(options->headers.pairs[1].name, "x-user");
    assert_bytes(options->headers.pairs[1].value, "u9");
    assert_bytes(options->method, "GET");
    for (int i = 0; i < 100; i++) { /* 9 or 10 fit the row's range, 11 to 20 do not */
        arena_reset(&scratch);
        if (step_render(cart, &eval, &rendered, &error)) {
            assert_non_null(strstr(error.text, "`times`"));
            refused++;
            continue;
        }
        options = rendered;
        assert_in_range(options->times, 9, 10);
        assert_bytes(options->body, "{\"a\": \"9\"}");
        assert_int_equal(options->wait, 250000000);
        assert_int_equal(options->fast, 1);
        assert_int_equal(options->mode, 2);
    }
    assert_in_range(refused, 50, 99);
    arena_fini(&scratch);
    scenario_free(scenario);
}

/* What step_init sees: constants filled, everything that varies at zero. */
static void test_init_sees_constants_only(void **state)
{
    (void)state;
    struct scenario *scenario =
        load_with("squall: 1\ntargets: { a: \"web://h\" }\nload: [ { users: 1, for: 1s } ]\n"
                  "flow:\n  - web: PUT /${iteration}\n    headers: { a: b, c: \"${user.id}\" }\n",
                  NULL);
    assert_int_equal(fixture_step_constant, 0xfff & ~2 & ~4);
    assert_bytes(fixture_step_options.method, "PUT");
    assert_null(fixture_step_options.path.data);
    assert_null(fixture_step_options.headers.pairs);
    assert_int_equal(fixture_step_options.headers.count, 0);
    assert_string_equal(scenario->steps[0].name, "PUT /${iteration}");
    scenario_free(scenario);
}

static void test_load(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    const struct load *load = &scenario->loads[0];
    assert_false(load->closed);
    assert_int_equal(load->stage_count, 2);
    assert_true(load->stages[0].from == 0 && load->stages[0].to == 200);
    assert_int_equal(load->stages[0].kind, STAGE_RATE);
    assert_int_equal(load->stages[0].arrivals, ARRIVALS_CONSTANT);
    assert_int_equal(load->stages[0].duration_ns, 10 * SECOND);
    assert_int_equal(load->stages[1].arrivals, ARRIVALS_POISSON);
    assert_true(load->stages[1].from == 200 && load->stages[1].to == 200);
    assert_int_equal(load->users, 50);
    assert_true(load->users_set);
    assert_true(load->iterations == UINT64_MAX);
    scenario_free(scenario);
}

#define HEAD                                                                                                           \
    "squall: 1\ntargets: { a: { url: \"web://h\" }, b: { url: \"webs://h\", connections: 100, timeout: 40s } }\n"
#define FLOW   "flow: [ { web: /, target: a } ]\n"
#define OPEN   HEAD "load: [ { hold: 5/s, for: 20s } ]\n" FLOW
#define TWO    HEAD "load: [ { ramp: 10 -> 600/m, over: 1s }, { hold: 10/s, for: 2s } ]\n" FLOW
#define CLOSED HEAD "load: [ { users: 0 -> 10, over: 1s }, { users: 10, iterations: 1000 } ]\n" FLOW
#define NONE   HEAD FLOW

/* A file, flags on top, and the load that comes out; -1 in `users` is not looked at. */
static const struct {
    const char *text;
    struct overrides overrides;
    bool closed, users_set;
    uint32_t stages, users, connections_a, connections_b;
    double last; /* level of the last stage */
    uint64_t last_ns, iterations;
} loads[] = {
    {OPEN, {0}, false, false, 1, 50, 50, 50, 5, 20 * SECOND, UINT64_MAX},
    {HEAD "load: [ { hold: 0.01/s, for: 20s } ]\n" FLOW, {0}, false, false, 1, 1, 1, 1, 0.01, 20 * SECOND, UINT64_MAX},
    {HEAD "load: [ { hold: 20k/s, for: 20s } ]\n" FLOW,
     {0},
     false,
     false,
     1,
     10000,
     64,
     100,
     20000,
     20 * SECOND,
     UINT64_MAX},
    {CLOSED, {0}, true, true, 2, 10, CONNECTIONS_PER_USER, 10, 10, UINT64_MAX, 1000},
    {TWO, {0}, false, false, 2, 100, 64, 100, 10, 2 * SECOND, UINT64_MAX},
    {OPEN, {.users = "4"}, true, true, 1, 4, CONNECTIONS_PER_USER, 4, 4, 20 * SECOND, UINT64_MAX},
    {OPEN, {.users = "4", .duration = "1m"}, true, true, 1, 4, CONNECTIONS_PER_USER, 4, 4, 60 * SECOND, UINT64_MAX},
    {OPEN, {.users = "4", .rate = "30/m"}, false, true, 1, 4, 4, 4, 0.5, 20 * SECOND, UINT64_MAX},
    {CLOSED, {.rate = "7/s", .duration = "5s"}, false, false, 1, 70, 64, 70, 7, 5 * SECOND, 1000},
    {TWO, {.users = "2"}, true, true, 1, 2, CONNECTIONS_PER_USER, 2, 2, 3 * SECOND, UINT64_MAX},
    {OPEN, {.duration = "7s"}, false, false, 1, 50, 50, 50, 5, 7 * SECOND, UINT64_MAX},
    {OPEN, {.iterations = "33"}, false, false, 1, 50, 50, 50, 5, UINT64_MAX, 33},
    {OPEN, {.iterations = "33", .duration = "4s"}, false, false, 1, 50, 50, 50, 5, 4 * SECOND, 33},
    {HEAD "load: [ { ramp: 1 -> 5/s, over: 2s } ]\n" FLOW,
     {.iterations = "33"},
     false,
     false,
     2,
     50,
     50,
     50,
     5,
     UINT64_MAX,
     33},
    {OPEN, {.connections = "3"}, false, false, 1, 50, 3, 3, 5, 20 * SECOND, UINT64_MAX},
    {OPEN,
     {.connections = "per-user"},
     false,
     false,
     1,
     50,
     CONNECTIONS_PER_USER,
     CONNECTIONS_PER_USER,
     5,
     20 * SECOND,
     UINT64_MAX},
    {NONE, {.users = "4"}, true, true, 1, 4, CONNECTIONS_PER_USER, 4, 4, 10 * SECOND, UINT64_MAX},
    {NONE, {.rate = "4"}, false, false, 1, 40, 40, 40, 4, 10 * SECOND, UINT64_MAX},
};

#define CHECK(row, condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("load %zu: %s", (size_t)(row), #condition);                                                       \
    } while (0)

static void test_loads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        struct scenario *scenario = load_with(loads[i].text, &loads[i].overrides);
        const struct load *load = &scenario->loads[0];
        const struct stage *last = &load->stages[load->stage_count - 1];
        CHECK(i, load->closed == loads[i].closed);
        CHECK(i, load->users_set == loads[i].users_set);
        CHECK(i, load->stage_count == loads[i].stages);
        CHECK(i, load->users == loads[i].users);
        CHECK(i, scenario->targets[0].connections == loads[i].connections_a);
        CHECK(i, scenario->targets[1].connections == loads[i].connections_b);
        CHECK(i, last->to == loads[i].last);
        CHECK(i, last->duration_ns == loads[i].last_ns);
        CHECK(i, load->iterations == loads[i].iterations);
        CHECK(i, scenario->drain_ns == (loads[i].connections_b == CONNECTIONS_PER_USER ? 45 : 40) * SECOND);
        scenario_free(scenario);
    }
}

/* Side by side: names, who walks, and what each ends by. */
static void test_named_loads(void **state)
{
    (void)state;
    struct scenario *scenario =
        load_with(HEAD "load:\n"
                       "  a: [ { hold: 2/s, for: 30s } ]\n"
                       "  b: { users: [third, first], pace: 2s, iterations: 9, stages: [ { users: 3 } ] }\n"
                       "  c: { users: second, stages: [ { users: 4, for: 1s, pace: 5s }, { users: 2, for: 40s } ], pace: 1s,\n"
                       "       iterations-per-user: 7 }\n"
                       "users: { first: { flow: [ { web: /, target: a } ] }, second: { flow: [ { web: /, target: a } ] },\n"
                       "         third: { flow: [ { web: /, target: b } ] } }\n",
                  NULL);
    const struct load *a = &scenario->loads[0], *b = &scenario->loads[1], *c = &scenario->loads[2];
    assert_int_equal(scenario->load_count, 3);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->class_count, 3);
    assert_int_equal(a->users, 20);
    assert_true(b->closed && b->iterations == 9 && b->user_iterations == UINT64_MAX);
    assert_int_equal(b->class_count, 2);
    assert_true(b->classes[0] == 0 && b->classes[1] == 2);
    assert_int_equal(b->stages[0].pace_ns, 2 * SECOND);
    assert_true(c->class_count == 1 && c->classes[0] == 1);
    assert_int_equal(c->stages[0].pace_ns, 5 * SECOND);
    assert_int_equal(c->stages[1].pace_ns, SECOND);
    assert_int_equal(c->user_iterations, 7);
    assert_int_equal(scenario_users(scenario), 27);
    assert_true(scenario_length_ns(scenario) == UINT64_MAX && scenario_counts_journeys(scenario));
    assert_false(scenario_closed(scenario));
    assert_true(scenario_rate_at(scenario, SECOND) == 2 && scenario_rate_at(scenario, 31 * SECOND) == 0);
    assert_int_equal(scenario->targets[0].connections, 27); /* the default pool of 64, but never more than users */
    /* 20 users of 3 classes: as many workers as have one of each. 3 closed users: 3 workers. */
    assert_int_equal(load_workers(a, 64), 6);
    assert_int_equal(load_workers(b, 64), 3);
    assert_int_equal(load_workers(a, 2), 2);
    assert_true(load_schedule(scenario, a, 0, 1).seed == scenario->seed);
    assert_true(load_schedule(scenario, b, 0, 1).seed != scenario->seed);
    scenario_free(scenario);
}

/* Presets and --ramp, as the stages that they stand for: levels at their ends and lengths in milliseconds. */
static const struct {
    const char *text;
    struct overrides overrides;
    bool closed;
    uint32_t users, count;
    struct {
        double from, to;
        uint64_t ms;
    } stages[8];
} shapes[] = {
    {HEAD "load: { preset: spike, rate: 100/s, peak: 1000/s, for: 5m }\n" FLOW, {0}, false, 10000, 5,
     {{100, 100, 120000}, {100, 1000, 6000}, {1000, 1000, 30000}, {1000, 100, 6000}, {100, 100, 138000}}},
    {HEAD "load: { x: { preset: spike, users: 3 } }\n" FLOW, {0}, true, 30, 5,
     {{3, 3, 120000}, {3, 30, 6000}, {30, 30, 30000}, {30, 3, 6000}, {3, 3, 138000}}},
    {HEAD "load: { x: { stages: { preset: smoke } } }\n" FLOW, {0}, true, 1, 1, {{1, 1, 30000}}},
    {NONE, {.preset = "stress", .rate = "6", .duration = "1m40s"}, false, 240, 8,
     {{0, 6, 5000}, {6, 6, 20000}, {6, 12, 5000}, {12, 12, 20000}, {12, 18, 5000}, {18, 18, 20000}, {18, 24, 5000}, {24, 24, 20000}}},
    {OPEN, {.preset = "soak", .rate = "6", .users = "9", .duration = "333ms"}, false, 9, 2, {{0, 6, 16}, {6, 6, 316}}},
    {OPEN, {.preset = "smoke", .users = "9", .iterations = "3"}, true, 9, 1, {{9, 9, 0}}},
    {NONE, {.rate = "6", .ramp = "4s"}, false, 60, 2, {{0, 6, 4000}, {6, 6, 6000}}},
    {OPEN, {.users = "6", .ramp = "4s", .duration = "4s"}, true, 6, 1, {{0, 6, 4000}}},
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct scenario *scenario = load_with(shapes[i].text, &shapes[i].overrides);
        const struct load *load = &scenario->loads[0];
        CHECK(i, load->closed == shapes[i].closed);
        CHECK(i, load->users == shapes[i].users);
        CHECK(i, load->stage_count == shapes[i].count);
        for (uint32_t s = 0; s < load->stage_count; s++) {
            double from = load->stages[s].from - shapes[i].stages[s].from, to = load->stages[s].to - shapes[i].stages[s].to;
            CHECK(i, from < 1e-9 && from > -1e-9 && to < 1e-9 && to > -1e-9);
            CHECK(i, load->stages[s].duration_ns / 1000000 == shapes[i].stages[s].ms ||
                         (!shapes[i].stages[s].ms && load->stages[s].duration_ns == UINT64_MAX));
        }
        scenario_free(scenario);
    }
}

static void test_arrow_units(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(TWO, NULL);
    /* "10 -> 600/m": the side without a unit takes the other's */
    assert_true(scenario->loads[0].stages[0].from > 0.166 && scenario->loads[0].stages[0].from < 0.167);
    assert_true(scenario->loads[0].stages[0].to == 10);
    scenario_free(scenario);
}

static void test_other_overrides(void **state)
{
    (void)state;
    struct overrides overrides = {
        .warmup = "1s", .timeout = "9s", .drain = "0s", .seed = "99", .arrivals = "poisson", .insecure = true};
    struct scenario *scenario = load_with(TWO, &overrides);
    assert_int_equal(scenario->warmup_ns, SECOND);
    assert_int_equal(scenario->drain_ns, 0);
    assert_int_equal(scenario->seed, 99);
    assert_int_equal(scenario->targets[1].timeout_ns, 9 * SECOND);
    assert_int_equal(scenario->loads[0].stages[0].arrivals, ARRIVALS_POISSON);
    assert_int_equal(scenario->loads[0].stages[1].arrivals, ARRIVALS_POISSON);
    assert_true(scenario->targets[1].tls_insecure);
    assert_false(scenario->targets[0].tls_insecure);
    scenario_free(scenario);
}

static const struct flag_value some_flag = {"-X", "PUT"};
static const struct {
    const char *text;
    struct overrides overrides;
    const char *error;
} refused[] = {
    {OPEN, {.users = "0"}, "--users: 0 is out of range"},
    {OPEN, {.users = "many"}, "--users: 'many' is not a whole number"},
    {OPEN, {.rate = "0"}, "--rate: a rate of zero"},
    {OPEN, {.rate = "-1"}, "--rate: '-1' is not a rate"},
    {OPEN, {.rate = ""}, "--rate: '' is not a rate"},
    {OPEN, {.duration = "0"}, "--duration: a duration of zero"},
    {OPEN, {.iterations = "0"}, "--iterations: 0 is out of range"},
    {OPEN, {.connections = "0"}, "--connections: '0' is not a number of connections"},
    {OPEN, {.timeout = "x"}, "--timeout: 'x' is not a duration"},
    {OPEN, {.warmup = "20s"}, "nothing would be measured"},
    {OPEN, {.seed = "x"}, "--seed: 'x' is not a whole number"},
    {OPEN, {.arrivals = "x"}, "--arrivals: 'x' is not a kind"},
    {CLOSED, {.arrivals = "poisson"}, "--arrivals: arrivals belong to a rate"},
    {TWO, {.duration = "3s"}, "--duration: the scenario's load has 2 stages"},
    {HEAD "load: [ { ramp: 5 -> 0/s, over: 2s } ]\n" FLOW,
     {.iterations = "33"},
     "--iterations: the scenario's load ends at zero"},
    {OPEN, {.flags = &some_flag, .flag_count = 1}, "-X: belongs to the URL form"},
    {"squall: 1\ntargets: { a: \"web://h\" }\n" FLOW,
     {.users = "1", .insecure = true},
     "--insecure: no target uses TLS"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct protocol_registry registry;
        struct scenario *scenario = NULL;
        struct error error = {0};
        fixture_registry(&registry);
        if (scenario_load(refused[i].text, strlen(refused[i].text), "s.yaml", &refused[i].overrides, &registry,
                          &scenario, &error) != -1)
            fail_msg("row %zu was taken", i);
        if (!strstr(error.text, refused[i].error) || !strstr(error.text, "; "))
            fail_msg("'%s' instead of '%s'", error.text, refused[i].error);
    }
    assert_int_equal(fixture_targets, 0);
    assert_int_equal(fixture_steps, 0);
}

/* Every prefix of the indices is divided by weight, to within one index a class. */
static void test_class_of(void **state)
{
    static const double weights[][4] = {{1, 0}, {3, 1, 0}, {1, 1, 1, 0}, {0.5, 7, 2, 1}, {1, 1000, 0}};
    (void)state;
    for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++) {
        struct user_class classes[4] = {{0}};
        uint32_t places[4] = {0, 1, 2, 3}, users[4];
        struct load load = {.classes = places};
        struct scenario scenario = {.classes = classes, .loads = &load, .load_count = 1};
        double sum = 0, counts[4] = {0};
        for (; scenario.class_count < 4 && weights[w][scenario.class_count] > 0; scenario.class_count++)
            sum += classes[scenario.class_count].weight = weights[w][scenario.class_count];
        load.class_count = scenario.class_count;
        for (uint32_t i = load.class_count; i < 300; i++) {
            uint32_t given = 0;
            scenario_class_users(&scenario, &load, i, users);
            for (uint32_t c = 0; c < load.class_count; c++) {
                double fair = (double)i * classes[c].weight / sum;
                assert_true(users[c] >= 1 && users[c] <= fair + 2 && users[c] + load.class_count + 1 >= fair);
                given += users[c];
            }
            assert_int_equal(given, i);
        }
        for (uint64_t i = 0; i < 5000; i++) {
            counts[scenario_class_of(&scenario, &load, i)]++;
            for (uint32_t c = 0; c < scenario.class_count; c++) {
                double off = counts[c] - (double)(i + 1) * classes[c].weight / sum;
                assert_true(off < 1.5 && off > -1.5);
            }
        }
        assert_int_equal(scenario_class_of(&scenario, &load, 0), 0);
    }
}

static void test_plan(void **state)
{
    static const char *const lines[] = {
        "shop\n",
        "web://127.0.0.1:8080  (web, 12 connections, timeout 3s, connect-timeout 500ms)",
        "a connection per user",
        "ramp 0 -> 200/s over 10s, constant arrivals",
        "hold 200/s for 1m, poisson arrivals",
        "journeys expected",
        "up to 50 users",
        "buyer (75 %)",
        "web      list @ shop  checks: ok, full",
        "think    1s to 3s",
    };
    (void)state;
    struct scenario *scenario = load_with(whole, NULL);
    struct buffer out = {0};
    scenario_print_plan(scenario, &out);
    buffer_append(&out, "", 1);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr((const char *)out.data, lines[i]))
            fail_msg("'%s' is not in:\n%s", lines[i], (const char *)out.data);
    buffer_fini(&out);
    scenario_free(scenario);
}

/* One of a thing and several; what is inside of what. */
static void test_plan_words(void **state)
{
    static const char text[] = "squall: 1\ntargets: { t: { url: \"web://127.0.0.1\", tags: { a: b } } }\n"
                               "load:\n  one: { stages: [ { users: 1, iterations: 1 } ], iterations-per-user: 1 }\n"
                               "  two: { stages: [ { ramp: 0 -> 2/s, over: 1s } ], users: [ b ] }\n"
                               "setup: [ { web: /run } ]\nteardown: [ { web: /over } ]\ngroup-by: a\n"
                               "users:\n  a:\n    setup: [ { web: /in } ]\n"
                               "    flow: [ { repeat: 1, flow: [ { web: /x } ] }, { repeat: 2, flow: [ { think: 1s } ] } ]\n"
                               "  b: { flow: [ { web: /y } ] }\n";
    static const char *const parts[] = {
        "  hold 1 user\n  ends after 1 journey\n  ends after 1 journey of each user\n",
        "\n  ramp 0 -> 2/s over 1s, constant arrivals\n  1s in all, 1 journey expected, up to 20 users;",
        "\nsetup of the run\n  web      GET /run @ t\n\nusers\n  a (50 %)\n    setup\n      web      GET /in @ t\n    flow\n"
        "      repeat   1 time\n        web      GET /x @ t\n      repeat   2 times\n        think    1s\n"
        "  b (50 %)\n    web      GET /y @ t\n\nteardown of the run\n  web      GET /over @ t\n\ngroups\n  by a\n",
    };
    (void)state;
    struct scenario *scenario = load_with(text, NULL);
    struct buffer out = {0};
    scenario_print_plan(scenario, &out);
    buffer_append(&out, "", 1);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr((const char *)out.data, parts[i]))
            fail_msg("'%s' is not in:\n%s", parts[i], (const char *)out.data);
    buffer_fini(&out);
    scenario_free(scenario);
}

/* One tag or a list; the command line's behind the file's, each once. */
static void test_group_tags(void **state)
{
    (void)state;
    static const struct flag_value flags[] = {{"--group-by", "kind"}, {"--group-by", "tier"}};
    static const struct {
        const char *text;
        uint32_t flag_count;
        const char *names[4];
    } rows[] = {
        {"", 0, {NULL}},
        {"group-by: zone\n", 0, {"zone"}},
        {"group-by: [ tier, \"kind\", tier ]\n", 0, {"tier", "kind"}},
        {"group-by: tier\n", 2, {"tier", "kind"}},
        {"", 1, {"kind"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        uint32_t count = 0;
        const struct overrides overrides = {.group_tags = flags, .group_tag_count = rows[i].flag_count};
        snprintf(text, sizeof text, "squall: 1\ntargets: { a: { url: \"web://127.0.0.1\", tags: { zone: x } } }\nload: [ { users: 1, for: 1s } ]\n"
                 "flow: [ { web: /, tags: { kind: read } }, { web: /b, tags: { tier: gold } } ]\n%s", rows[i].text);
        struct scenario *scenario = load_with(text, &overrides);
        for (; rows[i].names[count]; count++)
            assert_string_equal(scenario->group_tags[count], rows[i].names[count]);
        assert_int_equal(scenario->group_tag_count, count);
        scenario_free(scenario);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    struct scenario *scenario = load_with(OPEN, NULL);
    assert_string_equal(scenario->name, "s"); /* the file's name */
    assert_int_equal(scenario->seed, 1);
    assert_int_equal(scenario->warmup_ns, 0);
    assert_string_equal(scenario->steps[0].name, "GET /");
    assert_string_equal(scenario->classes[0].name, "users");
    scenario_free(scenario);
    scenario_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),       cmocka_unit_test(test_flows),
        cmocka_unit_test(test_constant_step), cmocka_unit_test(test_render),
        cmocka_unit_test(test_loads),         cmocka_unit_test(test_init_sees_constants_only),
        cmocka_unit_test(test_load),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_named_loads),   cmocka_unit_test(test_shapes),   cmocka_unit_test(test_arrow_units),   cmocka_unit_test(test_plan),
        cmocka_unit_test(test_class_of),      cmocka_unit_test(test_other_overrides),
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_group_tags),
        cmocka_unit_test(test_plan_words),
    };
    unsetenv("SQUALL_NOT_SET");
    random_init(&stream, 1, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
