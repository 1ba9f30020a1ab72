/* Transactions in stores: reset, merged, sent as a snapshot and read again; another number of them is refused. */
#include "metrics/snapshot.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static void make(struct store *store, uint32_t transactions)
{
    store_init(store, 1, NULL, 0);
    store_init_transactions(store, transactions);
}

static void add(struct store *store, uint32_t index, bool failed, uint64_t ns)
{
    store->transactions[index].count++;
    store->transactions[index].failed += failed;
    histogram_record(&store->transactions[index].duration_ns, ns);
}

static void check(const struct store *store, uint32_t index, uint64_t count, uint64_t failed, uint64_t max_ns)
{
    const struct transaction_count *transaction = &store->transactions[index];
    assert_int_equal(transaction->count, count);
    assert_int_equal(transaction->failed, failed);
    assert_int_equal(transaction->duration_ns.count, count);
    assert_int_equal(transaction->duration_ns.max, max_ns);
}

static void test_merge_and_reset(void **state)
{
    (void)state;
    struct store total, part;
    make(&total, 2);
    make(&part, 2);
    add(&part, 0, false, 1000);
    add(&part, 1, true, 5000);
    store_merge(&total, &part);
    store_reset(&part);
    check(&part, 1, 0, 0, 0);
    add(&part, 1, false, 9000);
    store_merge(&total, &part);
    check(&total, 0, 1, 0, 1000);
    check(&total, 1, 2, 1, 9000);
    store_fini(&part);
    store_fini(&total);
}

static void test_snapshot(void **state)
{
    (void)state;
    struct snapshot sent = {.worker = 1}, received = {0};
    struct buffer message = {0};
    struct error error = {0};
    make(&sent.store, 2);
    add(&sent.store, 1, true, 7000);
    assert_int_equal(snapshot_pack(&sent, &message), 0);
    make(&received.store, 2);
    assert_int_equal(snapshot_unpack(message.data, message.len, &received, &error), 0);
    check(&received.store, 0, 0, 0, 0);
    check(&received.store, 1, 1, 1, 7000);
    store_fini(&received.store);
    for (uint32_t other = 0; other <= 3; other += 3) {
        make(&received.store, other);
        assert_int_equal(snapshot_unpack(message.data, message.len, &received, &error), -1);
        assert_non_null(strstr(error.text, "another number of transactions"));
        store_fini(&received.store);
    }
    store_fini(&sent.store);
    buffer_fini(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merge_and_reset), cmocka_unit_test(test_snapshot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
