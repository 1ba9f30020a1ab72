/* The spool: every record is written once, whole, or counted as lost; a full disk and a shared file included. */
#include "base/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct record {
    uint32_t number;
};
#define TEXT_MAX 32

static size_t format(const void *record, char *out, size_t room, void *arg)
{
    return (size_t)snprintf(out, room, "%s %08u end\n", (const char *)arg, ((const struct record *)record)->number);
}

static char path[] = "/tmp/squall-test-spool-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static uint64_t produce(struct spool *spool, uint32_t count)
{
    uint64_t refused = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct record *record = spool_record(spool);
        if (record)
            record->number = i;
        else
            refused++;
        if (i % 10007 == 0)
            spool_flush(spool);
    }
    return refused;
}

/* Lines of one writer, which must be whole and in order. */
static uint64_t count_lines(const char *writer)
{
    FILE *file = fopen(path, "r");
    char line[64], name[8], end[8];
    uint64_t count = 0;
    unsigned number;
    long last = -1;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        assert_int_equal(sscanf(line, "%7s %8u %7s", name, &number, end), 3);
        assert_string_equal(end, "end");
        if (strcmp(name, writer) != 0)
            continue;
        assert_true((long)number > last);
        last = (long)number;
        count++;
    }
    fclose(file);
    return count;
}

static void test_all_or_counted(void **state)
{
    (void)state;
    char name[] = "one";
    uint64_t lost = 77;
    struct spool *spool = spool_open(path, sizeof(struct record), TEXT_MAX, format, name);
    assert_non_null(spool);
    uint64_t refused = produce(spool, 300000);
    assert_int_equal(spool_close(spool, &lost), 0);
    assert_int_equal(lost, refused);
    assert_int_equal(count_lines("one"), 300000 - refused);
}

static void test_shared_file(void **state)
{
    (void)state;
    char names[2][4] = {"one", "two"};
    struct spool *spools[2];
    uint64_t refused[2] = {0}, lost = 0;
    for (int i = 0; i < 2; i++)
        spools[i] = spool_open(path, sizeof(struct record), TEXT_MAX, format, names[i]);
    for (uint32_t number = 0; number < 100000; number++) {
        for (int i = 0; i < 2; i++) {
            struct record *record = spool_record(spools[i]);
            if (record)
                record->number = number;
            else
                refused[i]++;
        }
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(spool_close(spools[i], &lost), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(count_lines(names[i]), 100000 - refused[i]);
}

static void test_appends(void **state)
{
    (void)state;
    char names[2][4] = {"one", "two"};
    for (int i = 0; i < 2; i++) {
        struct spool *spool = spool_open(path, sizeof(struct record), TEXT_MAX, format, names[i]);
        assert_int_equal(produce(spool, 10), 0);
        assert_int_equal(spool_close(spool, NULL), 0);
    }
    assert_int_equal(count_lines("one"), 10);
    assert_int_equal(count_lines("two"), 10);
}

static void test_full_disk(void **state)
{
    (void)state;
    char name[] = "one";
    uint64_t lost = 0;
    struct spool *spool = spool_open("/dev/full", sizeof(struct record), TEXT_MAX, format, name);
    assert_non_null(spool);
    produce(spool, 200000);
    assert_int_equal(spool_close(spool, &lost), ENOSPC);
    assert_int_equal(lost, 200000);
}

/* A writer that is stuck (nobody reads the pipe) never holds up the producer: it runs out of buffers and counts. */
static void test_stuck_writer(void **state)
{
    (void)state;
    char name[] = "one", fifo[sizeof(path) + 8];
    uint64_t lost = 0;
    snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    struct spool *spool = spool_open(fifo, sizeof(struct record), TEXT_MAX, format, name);
    assert_non_null(spool);
    uint64_t refused = produce(spool, 2000000);
    assert_true(refused > 0);
    close(reader); /* now the writer gets EPIPE */
    assert_int_equal(spool_close(spool, &lost), EPIPE);
    assert_in_range(lost, 2000000 - 65536, 2000000); /* what a pipe holds may have gone out */
    unlink(fifo);
}

static void test_cannot_open(void **state)
{
    (void)state;
    char name[] = "one";
    assert_null(spool_open("/nonexistent/file", sizeof(struct record), TEXT_MAX, format, name));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(spool_close(NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_or_counted, make_path, drop_path),
        cmocka_unit_test_setup_teardown(test_shared_file, make_path, drop_path),
        cmocka_unit_test_setup_teardown(test_appends, make_path, drop_path),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test_setup_teardown(test_stuck_writer, make_path, drop_path),
        cmocka_unit_test(test_cannot_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
