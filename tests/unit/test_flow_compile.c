/*
 * Flows as straight lines of operations: each construct's jumps, slots and steps, and the limits of nesting. And what
 * belongs to steps of a flow: variables by place, tags by name.
 */
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers that it needs */

#define HEAD "squall: 1\ntargets: { a: { url: \"web://127.0.0.1\", tags: { tier: low, zone: x } } }\nload: [ { users: 1, for: 1s } ]\n"

static int load(const char *text, struct scenario **ret_scenario, struct error *error)
{
    struct protocol_registry registry;
    fixture_registry(&registry);
    return scenario_load(text, strlen(text), "s.yaml", NULL, &registry, ret_scenario, error);
}

static struct scenario *loaded(const char *text)
{
    struct scenario *scenario = NULL;
    struct error error = {0};
    if (load(text, &scenario, &error))
        fail_msg("%s\n%s", text, error.text);
    return scenario;
}

/* A letter each: s step, t think, e end, then with their targets j, i, r, w, with their counts l, p, c, = and spans ( ). */
static const struct {
    const char *flow, *operations;
} rows[] = {
    {"[ { web: /a }, { think: 1s } ]", "s0 t e"},
    {"[ { repeat: 3, flow: [ { web: /a } ] } ]", "l3/0 s0 r1/0 e"},
    {"[ { repeat: 2, flow: [ { repeat: 3, flow: [ { web: /a } ] }, { repeat: 4, flow: [ { web: /b } ] } ] } ]",
     "l2/0 l3/1 s0 r2/1 l4/1 s1 r5/1 r1/0 e"},
    {"[ { while: x == 1, at-most: 7, flow: [ { web: /a, save: { x: body } } ] } ]", "l7/0 w4/0 s0 j1 e"},
    {"[ { while: iteration == 0, flow: [ { web: /a } ] } ]", "l1000/0 w4/0 s0 j1 e"},
    {"[ { if: iteration == 0, flow: [ { web: /a } ] } ]", "i2 s0 e"},
    {"[ { if: iteration == 0, flow: [ { web: /a } ], else: [ { web: /b } ] }, { web: /c } ]", "i3 s0 j4 s1 s2 e"},
    {"[ { choose: [ { weight: 3, flow: [ { web: /a } ] }, { flow: [ { web: /b } ] } ] } ]", "c1,3 s0 j5 s1 j5 e"},
    {"[ { parallel: [ { web: /a }, { web: /b }, { web: /c } ] }, { web: /d } ]", "p0+3 s3 e"},
    {"[ { transaction: x, flow: [ { transaction: y, flow: [ { web: /a } ] } ] }, { transaction: x, flow: [ { web: /b } ] } ]",
     "(0/0 (1/1 s0 )1/1 )0/0 (0/0 s1 )0/0 e"},
    {"[ { web: /a }, { set: { x: 1, y: \"'t'\" } } ]", "s0 =2 e"},
};

static void print(const struct op *op, struct buffer *out)
{
    switch (op->kind) {
    case OP_STEP: buffer_printf(out, "s%u", op->step); break;
    case OP_THINK: buffer_printf(out, "t"); break;
    case OP_END: buffer_printf(out, "e"); break;
    case OP_JUMP: buffer_printf(out, "j%u", op->target); break;
    case OP_IF: buffer_printf(out, "i%u", op->target); break;
    case OP_CHOOSE:
        for (uint32_t i = 0; i < op->count; i++)
            buffer_printf(out, "%s%u", i ? "," : "c", op->arms[i].target);
        break;
    case OP_LOOP: buffer_printf(out, "l%u/%u", op->count, op->slot); break;
    case OP_REPEAT: buffer_printf(out, "r%u/%u", op->target, op->slot); break;
    case OP_WHILE: buffer_printf(out, "w%u/%u", op->target, op->slot); break;
    case OP_SET: buffer_printf(out, "=%u", op->count); break;
    case OP_SCRIPT: buffer_printf(out, "x%u", op->count); break;
    case OP_PARALLEL: buffer_printf(out, "p%u+%u", op->step, op->count); break;
    case OP_SPAN_BEGIN: buffer_printf(out, "(%u/%u", op->count, op->slot); break;
    case OP_SPAN_END: buffer_printf(out, ")%u/%u", op->count, op->slot); break;
    }
}

static void test_operations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1000];
        struct buffer out = {0};
        snprintf(text, sizeof text, HEAD "flow: %s\n", rows[i].flow);
        struct scenario *scenario = loaded(text);
        const struct program *flow = &scenario->classes[0].flow;
        for (uint32_t k = 0; k < flow->count; k++) {
            buffer_printf(&out, "%s", k ? " " : "");
            print(&flow->ops[k], &out);
        }
        if (strcmp((char *)out.data, rows[i].operations) != 0)
            fail_msg("%s\ngives %s instead of %s", rows[i].flow, (char *)out.data, rows[i].operations);
        buffer_fini(&out);
        scenario_free(scenario);
    }
}

static void test_weights_and_width(void **state)
{
    (void)state;
    struct scenario *scenario = loaded(HEAD "flow: [ { choose: [ { weight: 1, flow: [ { web: / } ] }, { weight: 3, flow: [ { web: / } ] } ] },"
                                            " { parallel: [ { web: / }, { web: / } ] } ]\n");
    const struct op *choose = scenario->classes[0].flow.ops;
    assert_true(choose->arms[0].weight == 0.25 && choose->arms[1].weight == 1);
    assert_int_equal(scenario->width, 2);
    assert_int_equal(scenario->step_count, 4);
    scenario_free(scenario);
}

static void test_variables(void **state)
{
    (void)state;
    struct scenario *scenario = loaded(HEAD "vars: { n: 1, text: \"1\", on: true, none: }\n"
                                            "users: { a: { vars: { n: 2, own: \"u${user.id}\" },\n"
                                            "  setup: [ { set: { s: n + 1 } } ],\n"
                                            "  flow: [ { web: \"/${late}\" }, { web: /, save: { late: body.x } } ] } }\n");
    static const char *const names[] = {"n", "text", "on", "none", "own", "late", "s"};
    const struct user_class *class = &scenario->classes[0];
    assert_int_equal(scenario->variable_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        bool found = false;
        for (uint32_t k = 0; k < 7; k++)
            found = found || strcmp(scenario->variables[k], names[i]) == 0;
        assert_true(found);
    }
    assert_int_equal(class->variable_count, 5); /* n, text, on, then n again and own */
    struct arena scratch;
    arena_init(&scratch);
    struct eval eval = {.user_id = 7, .scratch = &scratch};
    struct value value;
    expression_evaluate(class->variables[0].expression, &eval, &value);
    assert_true(value.type == VALUE_NUMBER && value.number == 1);
    assert_null(class->variables[1].expression);
    assert_string_equal(template_render(class->variables[1].text, &eval).data, "1");
    assert_string_equal(template_render(class->variables[4].text, &eval).data, "u7");
    assert_int_equal(scenario->steps[1].save_count, 1);
    assert_true(scenario->steps[1].wants & SQUALL_WANT_BODY);
    assert_false(scenario->steps[0].all_constant);
    assert_true(scenario->steps[1].all_constant);
    assert_int_equal(class->setup.count, 2);
    assert_int_equal(class->teardown.count, 0);
    arena_fini(&scratch);
    scenario_free(scenario);
}

static void test_tags(void **state)
{
    (void)state;
    struct scenario *scenario = loaded(HEAD "users: { a: { tags: { tier: mid }, flow: [ { web: / }, { web: /, tags: { tier: high, page: p } },"
                                            " { web: / } ] }, b: { flow: [ { web: / } ] } }\n");
    const struct step *steps = scenario->steps;
    assert_int_equal(scenario->series_count, 3);
    assert_int_equal(steps[0].series, steps[2].series);
    assert_int_equal(steps[0].tags.count, 2);
    assert_string_equal(steps[0].tags.list[0].value, "mid");
    assert_int_equal(steps[1].tags.count, 3);
    assert_string_equal(steps[1].tags.list[0].value, "high");
    assert_string_equal(steps[1].tags.list[1].value, "x");
    assert_string_equal(steps[1].tags.list[2].name, "page");
    assert_string_equal(steps[3].tags.list[0].value, "low");
    scenario_free(scenario);
}

/* Nested `depth` times in `word`. */
static int load_nested(const char *open, unsigned depth, struct error *error)
{
    char text[4000] = HEAD "flow: [ ";
    struct scenario *scenario = NULL;
    for (unsigned i = 0; i < depth; i++)
        strcat(text, open);
    strcat(text, "{ web: / }");
    for (unsigned i = 0; i < depth; i++)
        strcat(text, " ] }");
    strcat(text, " ]\n");
    int result = load(text, &scenario, error);
    scenario_free(scenario);
    return result;
}

static void test_nesting(void **state)
{
    (void)state;
    static const struct {
        const char *open;
        unsigned most;
        const char *error;
    } nested[] = {{"{ repeat: 2, flow: [ ", FLOW_SLOTS_MAX, "loops are nested too deeply"},
                  {"{ transaction: t, flow: [ ", FLOW_SLOTS_MAX, "transactions are nested too deeply"},
                  {"{ if: iteration == 0, flow: [ ", FLOW_DEPTH_MAX - 1, "flows are nested too deeply"}};
    for (size_t i = 0; i < sizeof nested / sizeof nested[0]; i++) {
        struct error error = {0};
        assert_int_equal(load_nested(nested[i].open, nested[i].most, &error), 0);
        assert_int_equal(load_nested(nested[i].open, nested[i].most + 1, &error), -1);
        if (!strstr(error.text, nested[i].error))
            fail_msg("%s", error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations), cmocka_unit_test(test_weights_and_width),
                                       cmocka_unit_test(test_variables), cmocka_unit_test(test_tags),
                                       cmocka_unit_test(test_nesting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
