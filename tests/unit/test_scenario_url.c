/* The URL form: a scenario made from a URL and flags. */
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers that it needs */

#define SECOND UINT64_C(1000000000)
#define FLAGS(...)                                                                                                     \
    .flags = (const struct flag_value[]){__VA_ARGS__},                                                                 \
    .flag_count = sizeof((const struct flag_value[]){__VA_ARGS__}) / sizeof(struct flag_value)

static const struct flag_value bad_thresholds[] = {{"--threshold", "p99(latency) < 1s"}, {"--threshold", "p99(latncy) < 1s"}};

static struct scenario *make(const struct overrides *overrides)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    fixture_registry(&registry);
    if (scenario_from_url(overrides, &registry, &scenario, &error))
        fail_msg("%s", error.text);
    return scenario;
}

static void assert_bytes(struct squall_bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_string_equal((const char *)bytes.data, text);
}

static void test_bare(void **state)
{
    (void)state;
    struct scenario *scenario = make(&(struct overrides){.url = "web://127.0.0.1:8080"});
    const struct step *step = &scenario->steps[0];
    const struct web_options *options = step->constant_block;
    assert_string_equal(scenario->name, "web://127.0.0.1:8080");
    assert_null(scenario->file);
    assert_null(scenario->text);
    assert_true(scenario->loads[0].closed);
    assert_int_equal(scenario->loads[0].users, 1);
    assert_int_equal(scenario->loads[0].stages[0].duration_ns, 10 * SECOND);
    assert_int_equal(scenario->targets[0].connections, CONNECTIONS_PER_USER);
    assert_string_equal(step->name, "GET /");
    assert_bytes(options->path, "/");
    assert_bytes(options->method, "GET");
    assert_int_equal(step->line, 0);
    assert_int_equal(scenario->classes[0].flow.count, 2);
    assert_int_equal(fixture_steps, 1);
    scenario_free(scenario);
    assert_int_equal(fixture_steps, 0);
    assert_int_equal(fixture_targets, 0);
}

static void test_flags(void **state)
{
    (void)state;
    const struct overrides overrides = {
        .url = "webs://host/items?x=1",
        .insecure = true,
        FLAGS({"-X", "PUT"}, {"--header", "Accept:  text/plain"}, {"-H", "X: a: b"}, {"--body", "${user.id}"},
              {"--fast", NULL}, {"--times", "3"}, {"-A", "me"}, {"--one", NULL}),
    };
    struct scenario *scenario = make(&overrides);
    const struct step *step = &scenario->steps[0];
    const struct web_options *options = step->constant_block;
    assert_string_equal(step->name, "PUT /items?x=1");
    assert_bytes(options->method, "PUT");
    assert_bytes(options->path, "/items?x=1");
    assert_int_equal(options->headers.count, 2);
    assert_bytes(options->headers.pairs[0].name, "Accept");
    assert_bytes(options->headers.pairs[0].value, "text/plain");
    assert_bytes(options->headers.pairs[1].value, "a: b");
    assert_int_equal(options->fast, 1);
    assert_int_equal(options->times, 3);
    assert_bytes(((const struct web_target_options *)scenario->targets[0].view.options)->agent, "me");
    assert_int_equal(((const struct web_target_options *)scenario->targets[0].view.options)->version, 0);
    assert_false(step->all_constant);
    assert_int_equal(step->variable_count, 1);
    assert_true(scenario->targets[0].tls_insecure);
    scenario_free(scenario);
}

static void test_tail(void **state)
{
    (void)state;
    struct scenario *scenario = make(&(struct overrides){.url = "bus://host:1883/a/b"});
    assert_bytes(((const struct bus_options *)scenario->steps[0].constant_block)->topic, "a/b");
    assert_string_equal(scenario->steps[0].name, "a/b");
    scenario_free(scenario);
    scenario = make(&(struct overrides){.url = "bus://host:1883/a/#"}); /* a name of the protocol's own */
    assert_string_equal(scenario->steps[0].name, "a/#");
    scenario_free(scenario);
}

static void test_template_in_path(void **state)
{
    (void)state;
    struct scenario *scenario = make(&(struct overrides){.url = "web://host/items/${random.int(1, 9)}"});
    assert_string_equal(scenario->steps[0].name, "GET /items/${random.int(1, 9)}");
    assert_false(scenario->steps[0].all_constant);
    scenario_free(scenario);
}

static const struct {
    struct overrides overrides;
    bool closed, users_set;
    uint32_t users, connections;
    double level;
    uint64_t length_ns, iterations;
} loads[] = {
    {{.users = "5"}, true, true, 5, CONNECTIONS_PER_USER, 5, 10 * SECOND, UINT64_MAX},
    {{.users = "5", .duration = "1m"}, true, true, 5, CONNECTIONS_PER_USER, 5, 60 * SECOND, UINT64_MAX},
    {{.users = "5", .connections = "2"}, true, true, 5, 2, 5, 10 * SECOND, UINT64_MAX},
    {{.rate = "100/s"}, false, false, 1000, 64, 100, 10 * SECOND, UINT64_MAX},
    {{.rate = "100/s", .users = "9"}, false, true, 9, 9, 100, 10 * SECOND, UINT64_MAX},
    {{.rate = "1/h"}, false, false, 1, 1, 1.0 / 3600, 10 * SECOND, UINT64_MAX},
    {{.iterations = "50"}, true, true, 1, CONNECTIONS_PER_USER, 1, UINT64_MAX, 50},
    {{.iterations = "50", .duration = "2s"}, true, true, 1, CONNECTIONS_PER_USER, 1, 2 * SECOND, 50},
    {{.iterations = "50", .users = "10"}, true, true, 10, CONNECTIONS_PER_USER, 10, UINT64_MAX, 50},
    {{.iterations = "50", .rate = "10/s"}, false, false, 100, 64, 10, UINT64_MAX, 50},
};

static void test_loads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        struct overrides overrides = loads[i].overrides;
        overrides.url = "web://127.0.0.1";
        struct scenario *scenario = make(&overrides);
        const struct load *load = &scenario->loads[0];
        double off = load->stages[0].to - loads[i].level;
        bool same = load->closed == loads[i].closed && load->users_set == loads[i].users_set &&
                    load->users == loads[i].users && scenario->targets[0].connections == loads[i].connections &&
                    off < 1e-9 && off > -1e-9 && load->stages[0].duration_ns == loads[i].length_ns &&
                    load->iterations == loads[i].iterations && load->stage_count == 1;
        if (!same)
            fail_msg("load %zu", i);
        scenario_free(scenario);
    }
}

static const struct {
    struct overrides overrides;
    const char *error;
} refused[] = {
    {{.url = "127.0.0.1"}, "'127.0.0.1' is not a URL; write scheme://host:port"},
    {{.url = "xyz://127.0.0.1"}, "xyz"},
    {{.url = "bus://127.0.0.1/topic"}, "names no port"},
    {{.url = "web://h/x#part"}, "the URL goes on behind a '#', which no server is sent; leave that out"},
    {{.url = "web://h", .thresholds = bad_thresholds, .threshold_count = 2}, "--threshold: \"latncy\" is no metric; did you mean \"latency\"?"},
    {{.url = "bus://127.0.0.1:1"}, "`topic` is missing: where to publish; write topic: ..."},
    {{.url = "web://h", FLAGS({"--metod", "PUT"})}, "--metod: web has no such flag; did you mean --method?"},
    {{.url = "web://h", FLAGS({"--zzzzzzzzz", "PUT"})}, "`squall plugin show web` lists them"},
    {{.url = "web://h", FLAGS({"-X", "PUT"}, {"--method", "GET"})}, "--method: `method` is given twice"},
    {{.url = "web://h", FLAGS({"--one", NULL}, {"--version", "1"})}, "--version: `version` is given twice"},
    {{.url = "web://h", FLAGS({"--oen", NULL})}, "did you mean --one?"},
    {{.url = "web://h", FLAGS({"-X", NULL})}, "-X: has no value; write -X METHOD"},
    {{.url = "web://h", FLAGS({"-H", "nothing"})}, "-H: 'nothing' is not a name and a value; write -H \"Name: value\""},
    {{.url = "web://h", FLAGS({"-H", ": x"})}, "is not a name and a value"},
    {{.url = "web://h", FLAGS({"--times", "99"})}, "--times: `times`: '99' is out of range"},
    {{.url = "web://h", FLAGS({"--body", "${x}"})}, "--body: `x` is not known"},
    {{.url = "web://h", FLAGS({"-X", "BAD"})}, "step `BAD /`: method BAD does not exist; write GET"},
    {{.url = "web://h", FLAGS({"-A", "bad"})}, "agent must not be bad"},
    {{.url = "web://h", .insecure = true}, "--insecure: no target uses TLS"},
    {{.url = "web://h", .duration = "0"}, "--duration: a duration of zero"},
    {{.url = "web://h", .warmup = "10s"}, "--warmup: the warm-up lasts as long as the load"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct protocol_registry registry;
        struct scenario *scenario = NULL;
        struct error error = {0};
        fixture_registry(&registry);
        if (scenario_from_url(&refused[i].overrides, &registry, &scenario, &error) != -1)
            fail_msg("row %zu was taken", i);
        if (!strstr(error.text, refused[i].error) || !strstr(error.text, "; "))
            fail_msg("'%s' instead of '%s'", error.text, refused[i].error);
        assert_int_equal(fixture_targets, 0);
        assert_int_equal(fixture_steps, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),  cmocka_unit_test(test_flags),
        cmocka_unit_test(test_tail),  cmocka_unit_test(test_template_in_path),
        cmocka_unit_test(test_loads), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
