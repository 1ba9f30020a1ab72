/* What a scenario file is compiled into: targets, load, users, steps with their options, series, checks. */
#include "scenario_loaded.h"
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),       cmocka_unit_test(test_flows),
        cmocka_unit_test(test_constant_step), cmocka_unit_test(test_render),
        cmocka_unit_test(test_load),          cmocka_unit_test(test_init_sees_constants_only),
        cmocka_unit_test(test_class_of),      cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_words),    cmocka_unit_test(test_group_tags),
    };
    unsetenv("SQUALL_NOT_SET");
    random_init(&stream, 1, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
