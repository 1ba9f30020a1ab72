/* The plan: what is packed comes back, every field of it; what is not a plan is refused. */
#include "cluster/plan.h"
#include "cluster/message.h"
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Every member of struct overrides by its row: one that is added is tested without being named here. */
#define COUNT_ONE(...) +1
enum { LIST_COUNT = 0 OVERRIDE_LISTS(COUNT_ONE) };

static void fill(struct plan *plan)
{
    /* Each list another part of these: the first, the first two, ... */
    static const struct flag_value flags[] = {{"--header", "a: b"}, {"--fast", NULL}, {"--header", ""}, {"--x", "y"}, {"--z", "z"}};
    uint32_t lists = 0;
    _Static_assert(LIST_COUNT <= sizeof flags / sizeof flags[0], "a flag more for each list");
#define FILL_TEXT(name) plan->overrides.name = "the text of " #name;
#define FILL_SWITCH(name) plan->overrides.name = true;
#define FILL_LIST(name, count)      \
    plan->overrides.name = flags; \
    plan->overrides.count = ++lists;
    OVERRIDE_TEXTS(FILL_TEXT)
    OVERRIDE_SWITCHES(FILL_SWITCH)
    OVERRIDE_LISTS(FILL_LIST)
    plan->text = "squall: 1\n";
    plan->file = "a file.yaml";
    plan->raw_path = "/tmp/raw.jsonl";
    plan->workers = 7;
    plan->run = UINT64_MAX - 1;
    plan->log_level = LOG_DEBUG;
    for (uint32_t i = 0; i < PLAN_PATHS_MAX; i++) {
        plan->plugin_files[i] = i % 2 ? "/a.so" : "/b.so";
        plan->plugin_directories[i] = i % 2 ? "/a" : "/b";
    }
    plan->plugin_file_count = PLAN_PATHS_MAX;
    plan->plugin_directory_count = PLAN_PATHS_MAX - 1;
}

static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_values(const struct flag_value *a, uint32_t a_count, const struct flag_value *b, uint32_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (uint32_t i = 0; i < a_count; i++) {
        assert_string_equal(a[i].flag, b[i].flag);
        assert_same_text(a[i].value, b[i].value);
    }
}

static void assert_same(const struct plan *a, const struct plan *b)
{
#define SAME_TEXT(name) assert_same_text(a->overrides.name, b->overrides.name);
#define SAME_SWITCH(name) assert_int_equal(a->overrides.name, b->overrides.name);
#define SAME_LIST(name, count) assert_same_values(a->overrides.name, a->overrides.count, b->overrides.name, b->overrides.count);
    OVERRIDE_TEXTS(SAME_TEXT)
    OVERRIDE_SWITCHES(SAME_SWITCH)
    OVERRIDE_LISTS(SAME_LIST)
    assert_int_equal(a->workers, b->workers);
    assert_int_equal(a->run, b->run);
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->plugin_file_count, b->plugin_file_count);
    assert_int_equal(a->plugin_directory_count, b->plugin_directory_count);
    for (uint32_t i = 0; i < a->plugin_file_count; i++)
        assert_string_equal(a->plugin_files[i], b->plugin_files[i]);
    for (uint32_t i = 0; i < a->plugin_directory_count; i++)
        assert_string_equal(a->plugin_directories[i], b->plugin_directories[i]);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct plan plan = {0}, back;
    struct buffer out = {0};
    struct arena arena;
    struct error error = {0};
    arena_init(&arena);
    fill(&plan);
    plan_pack(&plan, &out);
    assert_int_equal(plan_unpack(out.data, out.len, &arena, &back, &error), 0);
    assert_same(&plan, &back);
    assert_string_equal(back.text, plan.text);
    assert_string_equal(back.file, plan.file);
    assert_string_equal(back.raw_path, plan.raw_path);
    /* Every shorter message is refused, and so is one with a byte more. */
    for (size_t len = 0; len < out.len; len++) {
        error.text[0] = 0;
        assert_int_equal(plan_unpack(out.data, len, &arena, &back, &error), -1);
        assert_non_null(strstr(error.text, "plan"));
    }
    buffer_append(&out, "", 1);
    assert_int_equal(plan_unpack(out.data, out.len, &arena, &back, &error), -1);
    buffer_fini(&out);
    arena_fini(&arena);
}

static void test_empty_round_trip(void **state)
{
    (void)state;
    struct plan plan = {.workers = 1, .run = 1}, back;
    struct buffer out = {0};
    struct arena arena;
    struct error error = {0};
    arena_init(&arena);
    plan_pack(&plan, &out);
    assert_int_equal(plan_unpack(out.data, out.len, &arena, &back, &error), 0);
    assert_same(&plan, &back);
    assert_null(back.text);
    assert_null(back.file);
    assert_null(back.raw_path);
    buffer_fini(&out);
    arena_fini(&arena);
}

static void test_refused_values(void **state)
{
    (void)state;
    static const struct plan table[] = {
        {.workers = 0, .run = 1},
        {.workers = 1, .run = 0},
        {.workers = 1, .run = 1, .log_level = (enum log_level)(LOG_DEBUG + 1)},
        {.workers = 1, .run = 1, .plugin_file_count = 1}, /* nil instead of a path */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct plan back;
        struct buffer out = {0};
        struct arena arena;
        struct error error = {0};
        arena_init(&arena);
        plan_pack(&table[i], &out);
        assert_int_equal(plan_unpack(out.data, out.len, &arena, &back, &error), -1);
        buffer_fini(&out);
        arena_fini(&arena);
    }
}

/* A length that the message cannot hold is refused before anyone makes room for it. */
static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } table[] = {
        {"\xdf\xff\xff\xff\xff", 5},
        {"\xdd\xff\xff\xff\xff", 5},
        {"\x81\xa1v\xdd\x7f\xff\xff\xff", 8},
        {"\x81\xa1v\xdb\xff\xff\xff\xff", 8},
        {"\x82\xa1v\x01\xa1w\xdc\xff\xff", 9},
        {"\x81\xa1v\x02", 4}, /* another version */
        {"\x91\x01", 2},      /* not a map */
        {"\xc1", 1},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        msgpack_zone zone;
        msgpack_object map;
        assert_false(message_read((const uint8_t *)table[i].bytes, table[i].len, &zone, &map));
        msgpack_zone_destroy(&zone);
    }
}

/* The controller's scenario and the worker's are the same. */
static void test_load(void **state)
{
    (void)state;
    static const struct flag_value flags[] = {{"--method", "PUT"}};
    struct plan plan = {.workers = 2, .run = 1,
                        .overrides = {.url = "web://127.0.0.1:81/x",
                                      .rate = "50/s",
                                      .duration = "3s",
                                      .iterations = "17",
                                      .connections = "3",
                                      .warmup = "1s",
                                      .timeout = "4s",
                                      .drain = "5s",
                                      .seed = "9",
                                      .arrivals = "poisson",
                                      .ramp = "1s",
                                      .flags = flags,
                                      .flag_count = 1}};
    struct protocol_registry registry;
    struct scenario *ours = NULL, *theirs = NULL;
    struct plan back;
    struct buffer out = {0}, left = {0}, right = {0};
    struct arena arena;
    struct error error = {0};
    fixture_registry(&registry);
    arena_init(&arena);
    plan_pack(&plan, &out);
    assert_int_equal(plan_unpack(out.data, out.len, &arena, &back, &error), 0);
    assert_int_equal(plan_load(&plan, &registry, &ours, &error), 0);
    assert_int_equal(plan_load(&back, &registry, &theirs, &error), 0);
    scenario_print_plan(ours, &left);
    scenario_print_plan(theirs, &right);
    assert_int_equal(left.len, right.len);
    assert_memory_equal(left.data, right.data, left.len);
    assert_int_equal(theirs->seed, 9);
    assert_int_equal(theirs->loads[0].iterations, 17);
    assert_int_equal(theirs->drain_ns, UINT64_C(5000000000));
    assert_int_equal(theirs->targets[0].timeout_ns, UINT64_C(4000000000));
    assert_int_equal(theirs->loads[0].stages[0].arrivals, ARRIVALS_POISSON);
    scenario_free(ours);
    scenario_free(theirs);
    buffer_fini(&out);
    buffer_fini(&left);
    buffer_fini(&right);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty_round_trip), cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_claims),     cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
