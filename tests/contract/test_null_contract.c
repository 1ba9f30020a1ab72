/* The null protocol answers by itself, as its step says. */
#include "checks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* wants the ones above */

static void test_answers(void **unused)
{
    static const struct {
        struct fake_option options[3];
        uint32_t outcome, code;
        const char *reason;
    } cases[] = {
        {{{NULL, NULL}}, SQUALL_OK, 0, ""},
        {{{"code", "200"}}, SQUALL_OK, 200, ""},
        {{{"code", "65535"}, {"outcome", "rejected"}}, SQUALL_REJECTED, 65535, ""},
        {{{"outcome", "rejected"}}, SQUALL_REJECTED, 0, "rejected as the step asks"},
    };
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    assert_int_equal(protocol_load_file(&registry, BUILT_PLUGINS "/null.so", &protocol, &error), 0);
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct fake_host *host = fake_host_new(protocol, NULL, &error);
        struct fake_step *step = fake_host_step(host, cases[i / 2].options, i % 2, &error);
        struct fake_exchange *exchange = fake_conn_request(fake_conn_new(host, false), step, SQUALL_WANT_BODY);
        assert_int_equal(exchange->end, FAKE_DONE);
        assert_int_equal(exchange->result.outcome, cases[i / 2].outcome);
        assert_int_equal(exchange->result.code, cases[i / 2].code);
        assert_string_equal(exchange->reason, cases[i / 2].reason);
        assert_int_equal(exchange->result.bytes_in, 0);
        assert_int_equal(exchange->result.bytes_out, 0);
        fake_host_stop(host);
        assert_int_equal(host->violation_count, 0);
        fake_host_free(host);
    }
    protocol_registry_fini(&registry);
}

/* A URL of it may be any: it has a port, and needs no server. */
static void test_urls(void **unused)
{
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error;
    uint16_t port = 0;
    bool secure = true;
    (void)unused;
    protocol_registry_init(&registry);
    assert_int_equal(protocol_registry_add_directory(&registry, BUILT_PLUGINS, &error), 0);
    assert_int_equal(protocol_by_scheme(&registry, "null", &protocol, &error), 0);
    assert_true(protocol_scheme(protocol, "null", &port, &secure));
    assert_int_not_equal(port, 0);
    assert_false(secure);
    assert_true(protocol->abi.flags & SQUALL_OWN_TRANSPORT);
    protocol_registry_fini(&registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_urls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
