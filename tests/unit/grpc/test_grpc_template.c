/* Messages from JSON: known bytes, holes that give what constants give, and what is refused and how. */
#include "holes.h"
#include "schema.h"
#include "template.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pb_schema *schema;

static int load(void **state)
{
    struct squall_error error;
    (void)state;
    schema = pb_schema_new();
    if (pb_schema_add_proto(schema, SAMPLES "/sample.proto", &error) < 0 ||
        pb_schema_add_proto(schema, SAMPLES "/old.proto", &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    return 0;
}

static int unload(void **state)
{
    (void)state;
    pb_schema_free(schema);
    return 0;
}

static const struct pb_type *type_of(const char *name)
{
    const struct pb_type *type = pb_schema_type(schema, name);
    assert_non_null(type);
    return type;
}

static void to_hex(const uint8_t *bytes, size_t len, char *hex)
{
    for (size_t i = 0; i < len; i++)
        sprintf(hex + 2 * i, "%02x", bytes[i]);
    hex[2 * len] = '\0';
}

/* Fills a template from the text it was made of. */
static const char *fill(const struct pb_template *template, const char *text, const struct squall_hole *holes,
                        char *hex)
{
    size_t room = pb_template_room(template, holes), culprit;
    uint8_t *memory = malloc(room + 1);
    assert_non_null(memory);
    struct pb_out out = {memory, memory + room, memory + room};
    const char *reason = pb_template_write(template, text, holes, &out, &culprit);
    if (reason == NULL)
        to_hex(out.at, (size_t)(out.end - out.at), hex);
    free(memory);
    return reason;
}

static const struct {
    const char *type, *json, *hex;
} vectors[] = {
    {"sample.Item", "{}", ""},
    {"sample.Item", "{\"product_id\":\"ab\",\"count\":3}", "0a0261621003"},
    {"sample.Item", " { \"productId\" : \"\\u00e9\" , \"count\" : -1 } ", "0a02c3a910ffffffffffffffffff01"},
    {"sample.Item", "{\"product_id\":\"\",\"count\":0,\"inner\":{}}", "1a00"},
    {"sample.Item", "{\"inner\":{\"inner\":{\"count\":1}},\"count\":null}", "1a041a021001"},
    {"sample.All", "{\"numbers\":[1,300,-1]}", "b2010d01ac02ffffffffffffffffff01"},
    {"sample.All", "{\"numbers\":[]}", ""},
    {"sample.All", "{\"loose\":[1,2]}", "d00101d00102"},
    {"sample.All", "{\"words\":[\"\",\"x\"]}", "ba0100ba010178"},
    {"sample.All", "{\"colors\":[\"COLOR_RED\",-5,\"COLOR_NONE\"]}", "c2010c01fbffffffffffffffff0100"},
    {"sample.All", "{\"color\":\"COLOR_BLUE\"}", "70fbffffffffffffffff01"},
    {"sample.All", "{\"a_double\":1.5,\"a_float\":-2,\"an_int64\":\"-1\"}",
     "09000000000000f83f15000000c018ffffffffffffffffff01"},
    {"sample.All", "{\"a_uint64\":\"18446744073709551615\",\"an_int32\":1e3}", "20ffffffffffffffffff0128e807"},
    {"sample.All", "{\"a_fixed64\":1,\"a_fixed32\":2,\"a_bool\":true}", "3101000000000000003d020000004001"},
    {"sample.All", "{\"an_sfixed32\":-1,\"an_sfixed64\":-2,\"an_sint32\":-1,\"an_sint64\":\"1\"}",
     "7dffffffff8101feffffffffffffff880101900102"},
    {"sample.All", "{\"some_bytes\":\"AQL_\",\"a_uint32\":4294967295}", "62030102ff68ffffffff0f"},
    {"sample.All", "{\"a_double\":\"NaN\",\"a_float\":\"-Infinity\"}", "09000000000000f87f15000080ff"},
    {"sample.All", "{\"by_name\":{\"k\":{\"count\":1},\"\":{}}}", "f201070a016b12021001f201040a001200"},
    {"sample.All", "{\"by_number\":{\"-1\":\"x\"},\"by_truth\":{\"true\":\"COLOR_RED\",\"false\":0}}",
     "fa010e08ffffffffffffffffff0112017882020408011001820204080010"
     "00"},
    {"sample.All", "{\"number\":0}", "c80200"},
    {"sample.All", "{\"thing\":{}}", "d20200"},
    {"sample.All", "{\"nothing\":null}", "d80200"},
    {"sample.All", "{\"text\":null,\"number\":1}", "c80201"},
    {"sample.All", "{\"maybe\":0}", "900300"},
    {"sample.All", "{\"at\":\"1970-01-01T00:00:01.5Z\",\"lasting\":\"-1.5s\"}",
     "e2030808011080cab5ee01ea031608ffffffffffffffffff011080b6ca91feffffffff01"},
    {"sample.All", "{\"mask\":\"a,bC.dE\"}", "f2030c0a01610a07625f632e645f65"},
    {"sample.All", "{\"object\":{\"a\":1,\"b\":[true,null,\"x\",{}]}}",
     "fa032a0a0e0a0161120911000000000000f03f0a180a0162121332110a0220010a0208000a031a01780a022a00"},
    {"sample.All", "{\"value\":null}", "8204020800"},
    {"sample.All", "{\"value\":[1]}", "82040d320b0a0911000000000000f03f"},
    {"sample.All", "{\"list\":[\"x\"]}", "8a04050a031a0178"},
    {"sample.All", "{\"any\":{\"count\":1,\"@type\":\"x/sample.Item\"}}",
     "9204130a0d782f73616d706c652e4974656d12021001"},
    {"sample.All", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"}}",
     "9204200a1a782f676f6f676c652e70726f746f6275662e4475726174696f6e12020801"},
    {"sample.All", "{\"maybe_text\":\"\",\"maybe_number\":\"5\",\"maybe_bool\":null,\"maybe_bytes\":\"/w==\"}",
     "9a0400a204020805b204030a01ff"},
    {"sample.All", "{\"moments\":[\"1970-01-01T00:00:00Z\"],\"values\":[null,1],\"wrapped\":[0,7]}",
     "c20400ca04020800ca040911000000000000f03fd20400d204020807"},
    {"sample.All", "{\"empty\":{},\"odd-name\":\"x\"}",
     "da0400820501"
     "78"},
    {"google.protobuf.StringValue", "\"ab\"", "0a026162"},
    {"google.protobuf.Timestamp", "\"1970-01-01T00:00:01Z\"", "0801"},
    {"sample.old.Old", "{\"name\":\"\",\"level\":7,\"loose\":[1,2],\"tight\":[1,2]}",
     "0a00100718011802220201"
     "02"},
    {"sample.old.Old", "{\"name\":\"a\",\"box\":{\"width\":1},\"lid\":[{\"label\":\"x\"},{}]}",
     "0a01612b08012c330a01783433"
     "34"},
};

static void test_vectors(void **state)
{
    char hex[1024];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct squall_error error;
        const char *json = vectors[i].json;
        struct pb_template *template = pb_template_new(type_of(vectors[i].type), json, strlen(json), NULL, 0, &error);
        if (template == NULL)
            fail_msg("%s: %s", json, error.text);
        struct squall_bytes bytes = pb_template_constant(template);
        to_hex(bytes.data, bytes.len, hex);
        if (strcmp(hex, vectors[i].hex) != 0)
            fail_msg("%s: %s, wanted %s", json, hex, vectors[i].hex);
        pb_template_free(template);
    }
}

/* With any one scalar a hole, and with all of them: the same bytes as without. */
static void check_holes(const char *type, const char *json, const char *wanted, const struct squall_hole *holes,
                        size_t count)
{
    char hex[1024] = "";
    struct squall_error error;
    struct pb_template *template = pb_template_new(type_of(type), json, strlen(json), holes, count, &error);
    if (template == NULL)
        fail_msg("%s with %zu holes: %s", json, count, error.text);
    assert_int_equal(pb_template_holes(template), count);
    const char *reason = fill(template, json, holes, hex);
    if (reason != NULL || strcmp(hex, wanted) != 0)
        fail_msg("%s with %zu holes, first at %lu: %s %s, wanted %s", json, count, (unsigned long)holes[0].at,
                 reason ? reason : "", hex, wanted);
    pb_template_free(template);
}

static void test_holes(void **state)
{
    static struct squall_hole holes[HOLES_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t count = find_holes(vectors[i].json, holes);
        if (count == 0 ||
            strstr(vectors[i].json, "\"text\":null") != NULL) /* null is not known ahead to leave a oneof alone */
            continue;
        check_holes(vectors[i].type, vectors[i].json, vectors[i].hex, holes, count);
        for (size_t one = 0; one < count; one++)
            check_holes(vectors[i].type, vectors[i].json, vectors[i].hex, holes + one, 1);
    }
}

/* The hole's place in the rendered text is not that of the template's text, and its value has another length. */
static void test_rendered(void **state)
{
    static const char made_of[] = "{\"items\":[{\"product_id\":null,\"inner\":{\"count\":null}}],\"a_string\":\"end\"}";
    struct squall_hole at[3];
    struct squall_error error;
    char hex[2048], text[512], wanted[2048];
    (void)state;
    assert_int_equal(find_holes(made_of, at), 3); /* the last one stays as it is */
    struct pb_template *template = pb_template_new(type_of("sample.All"), made_of, strlen(made_of), at, 2, &error);
    if (template == NULL)
        fail_msg("%s", error.text);
    assert_string_equal(pb_template_path(template, 1), "items[0].inner.count");
    for (int len = 0; len < 200; len += 13) {
        char word[256];
        memset(word, 'w', sizeof word);
        int size = snprintf(text, sizeof text,
                            "{\"items\":[{\"product_id\":\"%.*s\",\"inner\":{\"count\":%d}}],\"a_string\":\"end\"}",
                            len, word, len);
        struct squall_hole holes[2] = {{at[0].at, (uint64_t)len + 2}, {0, 0}};
        holes[1].at = (uint64_t)(strstr(text, "count") - text) + 7;
        holes[1].len = (uint64_t)(strchr(text + holes[1].at, '}') - text) - holes[1].at;
        assert_null(fill(template, text, holes, hex));
        struct pb_template *constant = pb_template_new(type_of("sample.All"), text, (size_t)size, NULL, 0, &error);
        assert_non_null(constant);
        to_hex(pb_template_constant(constant).data, pb_template_constant(constant).len, wanted);
        assert_string_equal(hex, wanted);
        pb_template_free(constant);
    }
    pb_template_free(template);
}

/* Variables come as text, too: what was saved from an answer, or a CSV. */
static void test_variables_are_lenient(void **state)
{
    static const struct {
        const char *json, *hex;
    } good[] = {{"{\"a_string\":42}", "4a023432"}, {"{\"a_bool\":\"true\"}", "4001"},
                {"{\"color\":\"1\"}", "7001"},     {"{\"an_int32\":\"7\"}", "2807"},
                {"{\"a_string\":null}", ""},       {"{\"a_string\":true}", "4a0474727565"}};
    struct squall_hole holes[4];
    char hex[256];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct squall_error error;
        size_t count = find_holes(good[i].json, holes);
        struct pb_template *template =
            pb_template_new(type_of("sample.All"), good[i].json, strlen(good[i].json), holes, count, &error);
        assert_non_null(template);
        assert_null(fill(template, good[i].json, holes, hex));
        assert_string_equal(hex, good[i].hex);
        pb_template_free(template);
    }
}

static void test_values_refused(void **state)
{
    static const char *const bad[] = {"{\"an_int32\":2147483648}",
                                      "{\"an_int32\":1.5}",
                                      "{\"an_int32\":\"x\"}",
                                      "{\"a_uint32\":-1}",
                                      "{\"an_int64\":9223372036854775808}",
                                      "{\"a_bool\":1}",
                                      "{\"some_bytes\":\"*\"}",
                                      "{\"color\":\"RED\"}",
                                      "{\"at\":\"today\"}",
                                      "{\"lasting\":1}",
                                      "{\"numbers\":[null]}",
                                      "{\"a_float\":1e39}",
                                      "{\"a_double\":1e999}",
                                      "{\"maybe_number\":\"many\"}",
                                      "{\"an_int32\":\"\"}"};
    struct squall_hole holes[4];
    char hex[256];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct squall_error error;
        size_t count = find_holes(bad[i], holes);
        assert_int_equal(count, 1);
        assert_null(pb_template_new(type_of("sample.All"), bad[i], strlen(bad[i]), NULL, 0, &error));
        struct pb_template *template = pb_template_new(type_of("sample.All"), bad[i], strlen(bad[i]), holes, 1, &error);
        assert_non_null(template);
        assert_non_null(fill(template, bad[i], holes, hex));
        pb_template_free(template);
    }
}

static const struct {
    const char *type, *json, *says;
} refusals[] = {
    {"sample.Item", "{\"prodct_id\":1}", "did you mean product_id?"},
    {"sample.Item", "{\"zzzzzzzzzz\":1}", "it has product_id, count, inner"},
    {"sample.All", "{\"items\":[{},{\"inner\":{\"coumt\":1}}]}", "items[1].inner: sample.Item has no field \"coumt\""},
    {"sample.All", "{\"color\":\"COLOR_READ\"}",
     "color: enum sample.Color has no value \"COLOR_READ\"; did you mean COLOR_RED?"},
    {"sample.All", "{\"a_string\":5}", "a_string: wants a string"},
    {"sample.All", "{\"a_bool\":\"true\"}", "a_bool: wants true or false"},
    {"sample.All", "{\"an_int32\":{}}", "an_int32: wants a whole number of 32 bits"},
    {"sample.All", "{\"items\":{}}", "items: wants a list"},
    {"sample.All", "{\"by_name\":[]}", "by_name: wants an object"},
    {"sample.All", "{\"item\":[]}", "item: wants an object"},
    {"sample.All", "{\"by_name\":{\"k\":{\"x\":1}}}", "by_name[\"k\"]: sample.Item has no field"},
    {"sample.All", "{\"text\":\"a\",\"number\":1}", "only one of oneof choice can be set, and text is"},
    {"sample.Item", "{\"count\":1,\"count\":2}", "count: it is given twice"},
    {"sample.Item", "{\"count\":1} x", "something follows"},
    {"sample.Item", "{\"count\":1", "a comma or }"},
    {"sample.Item", "[]", "wants an object with the fields of sample.Item"},
    {"sample.Item", "", "wants an object"},
    {"sample.old.Old", "{}", "needs its field name"},
    {"sample.All", "{\"any\":{\"count\":1}}", "any: an Any needs its \"@type\""},
    {"sample.All", "{\"any\":{\"@type\":\"x/sample.Nothing\"}}", "no message \"sample.Nothing\""},
    {"sample.All", "{\"at\":{}}", "at: wants one value"},
};

static void test_refusals(void **state)
{
    struct squall_error error;
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const char *json = refusals[i].json;
        assert_null(pb_template_new(type_of(refusals[i].type), json, strlen(json), NULL, 0, &error));
        if (strstr(error.text, refusals[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", json, error.text, refusals[i].says);
    }
    /* Variables in places that decide what the message is. */
    static const char in_name[] = "{\"count\":1}", in_message[] = "{\"inner\":{}}", in_list[] = "{\"numbers\":[]}";
    struct squall_hole hole = {1, 7};
    assert_null(pb_template_new(type_of("sample.Item"), in_name, strlen(in_name), &hole, 1, &error));
    assert_non_null(strstr(error.text, "name of a field"));
    hole = (struct squall_hole){9, 2};
    assert_null(pb_template_new(type_of("sample.Item"), in_message, strlen(in_message), &hole, 1, &error));
    assert_non_null(strstr(error.text, "cannot be a message"));
    hole = (struct squall_hole){11, 2};
    assert_null(pb_template_new(type_of("sample.All"), in_list, strlen(in_list), &hole, 1, &error));
    assert_non_null(strstr(error.text, "[value]"));
}

static void test_depth(void **state)
{
    char json[32 * PB_DEPTH_MAX] = "";
    struct squall_error error;
    (void)state;
    for (int depth = PB_DEPTH_MAX - 1; depth <= PB_DEPTH_MAX; depth++) {
        json[0] = '\0';
        for (int i = 0; i < depth; i++)
            strcat(json, "{\"inner\":");
        strcat(json, "{}");
        for (int i = 0; i < depth; i++)
            strcat(json, "}");
        struct pb_template *template = pb_template_new(type_of("sample.Item"), json, strlen(json), NULL, 0, &error);
        assert_int_equal(template != NULL, depth == PB_DEPTH_MAX - 1);
        pb_template_free(template);
    }
    assert_non_null(strstr(error.text, "too deep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_rendered),       cmocka_unit_test(test_variables_are_lenient),
        cmocka_unit_test(test_values_refused), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_depth)};
    return cmocka_run_group_tests(tests, load, unload);
}
