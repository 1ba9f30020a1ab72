/* What a scenario's loads become: by themselves, side by side, as presets, and with flags on top; and flags that are refused. */
#include "scenario_loaded.h"

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
        cmocka_unit_test(test_loads),       cmocka_unit_test(test_named_loads),     cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_arrow_units), cmocka_unit_test(test_other_overrides), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
