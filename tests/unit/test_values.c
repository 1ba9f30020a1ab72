/* What the run's setup has set, as it comes from a peer: read back as it was, or refused whole. */
#include "cluster/message.h"
#include "cluster/values.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

#define VARIABLES 4u

struct taken {
    uint32_t count, variables[8];
    struct value values[8];
    char texts[8][16];
};

static void take(void *arg, uint32_t variable, const struct value *value)
{
    struct taken *taken = arg;
    taken->variables[taken->count] = variable;
    taken->values[taken->count] = *value;
    if (value->type == VALUE_STRING)
        memcpy(taken->texts[taken->count], value->string.data, value->string.len);
    taken->count++;
}

static void begin(msgpack_packer *packer, struct buffer *out, uint32_t count)
{
    message_packer(packer, out);
    msgpack_pack_map(packer, 2);
    message_pack_number(packer, "v", MESSAGE_VERSION);
    message_pack_key(packer, "values");
    msgpack_pack_array(packer, count);
}

static void pair(msgpack_packer *packer, uint32_t variable)
{
    msgpack_pack_array(packer, 2);
    msgpack_pack_uint32(packer, variable);
}

static void test_reads_each_type(void **state)
{
    struct buffer out = {0};
    struct taken taken = {0};
    msgpack_packer packer;
    (void)state;
    begin(&packer, &out, 4);
    pair(&packer, 2);
    msgpack_pack_bin_with_body(&packer, "a\0b", 3);
    pair(&packer, 0);
    msgpack_pack_double(&packer, -1.5);
    pair(&packer, 3);
    msgpack_pack_array(&packer, 1);
    msgpack_pack_bin_with_body(&packer, "[1]", 3);
    pair(&packer, 1);
    msgpack_pack_true(&packer);
    assert_int_equal(values_unpack(out.data, out.len, VARIABLES, take, &taken), 0);
    assert_int_equal(taken.count, 4);
    assert_int_equal(taken.variables[0], 2);
    assert_int_equal(taken.values[0].string.len, 3);
    assert_memory_equal(taken.texts[0], "a\0b", 3);
    assert_false(taken.values[0].json);
    assert_true(taken.values[1].type == VALUE_NUMBER && taken.values[1].number == -1.5);
    assert_true(taken.values[2].json);
    assert_string_equal(taken.texts[2], "[1]");
    assert_true(taken.values[3].type == VALUE_BOOL && taken.values[3].boolean);
    buffer_fini(&out);
}

/* Each way in which a message may be wrong behind one value that is right: nothing of it is taken. */
enum wrong { WRONG_VARIABLE, WRONG_TYPE, WRONG_TEXT, WRONG_JSON, WRONG_PAIR, WRONG_LENGTH, TOO_MANY, WRONG_COUNT };

static void add_wrong(msgpack_packer *packer, enum wrong wrong)
{
    static const char text[VARIABLE_TEXT_MAX + 1];
    if (wrong == WRONG_PAIR) {
        msgpack_pack_nil(packer);
        return;
    }
    pair(packer, wrong == WRONG_VARIABLE ? VARIABLES : 1);
    if (wrong == WRONG_TYPE)
        msgpack_pack_map(packer, 0);
    else if (wrong == WRONG_TEXT)
        msgpack_pack_str_with_body(packer, "text", 4);
    else if (wrong == WRONG_LENGTH)
        msgpack_pack_bin_with_body(packer, text, sizeof text);
    else if (wrong == WRONG_JSON)
        msgpack_pack_array(packer, 1);
    if (wrong != WRONG_TYPE && wrong != WRONG_TEXT && wrong != WRONG_LENGTH)
        msgpack_pack_nil(packer);
}

static void test_refuses_whole(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < WRONG_COUNT; wrong++) {
        struct buffer out = {0};
        struct taken taken = {0};
        msgpack_packer packer;
        uint32_t count = wrong == TOO_MANY ? VARIABLES + 1 : 2;
        begin(&packer, &out, count);
        for (uint32_t i = 0; i + 1 < count; i++) {
            pair(&packer, 0);
            msgpack_pack_nil(&packer);
        }
        add_wrong(&packer, (enum wrong)wrong);
        if (values_unpack(out.data, out.len, VARIABLES, take, &taken) == 0 || taken.count)
            fail_msg("case %d was taken", wrong);
        buffer_fini(&out);
    }
}

static void test_refuses_what_is_no_message(void **state)
{
    struct taken taken = {0};
    struct buffer out = {0};
    msgpack_packer packer;
    (void)state;
    assert_int_equal(values_unpack((const uint8_t *)"", 0, VARIABLES, take, &taken), -1);
    message_packer(&packer, &out);
    msgpack_pack_map(&packer, 1);
    message_pack_number(&packer, "v", MESSAGE_VERSION);
    assert_int_equal(values_unpack(out.data, out.len, VARIABLES, take, &taken), -1);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_each_type),
        cmocka_unit_test(test_refuses_whole),
        cmocka_unit_test(test_refuses_what_is_no_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
