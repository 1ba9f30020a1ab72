/* Room for a run's connections: who opens how many, and when that is more than the machine has. */
#include "cluster/limits.h"
#include "base/exit_code.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h> /* after the headers that it needs */

static const struct address_range sources[] = {{.family = AF_INET, .count = 3}, {.family = AF_INET, .count = 1}};
static struct target targets[3];
static struct step steps[2];
static struct load loads[2];

/* Steps use the first two targets; the third would not fit anywhere. */
static struct scenario make_scenario(uint32_t first, uint32_t second, uint32_t users)
{
    targets[0] = (struct target){.name = "one", .connections = first};
    targets[1] = (struct target){.name = "two", .connections = second};
    targets[2] = (struct target){.name = "unused", .connections = 1000000};
    steps[0].target = &targets[0];
    steps[1].target = &targets[1];
    loads[0] = (struct load){.users = users / 3};
    loads[1] = (struct load){.users = users - users / 3};
    return (struct scenario){.targets = targets, .target_count = 3, .steps = steps, .step_count = 2, .loads = loads, .load_count = 2};
}

static void test_descriptors(void **state)
{
    static const struct {
        uint32_t first, second, users, workers;
        uint64_t connections;
    } rows[] = {
        {64, 1, 100, 1, 65},
        {64, 1, 100, 2, 33},
        {CONNECTIONS_PER_USER, 10, 1001, 2, 506},
        {CONNECTIONS_NEW, CONNECTIONS_PER_USER, 300, 3, 200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scenario scenario = make_scenario(rows[i].first, rows[i].second, rows[i].users);
        struct error error = {0};
        assert_int_equal(limits_connections(&scenario, rows[i].workers), rows[i].connections);
        assert_int_equal(limits_descriptors(&scenario, rows[i].workers, rows[i].connections + 64, &error), 0);
        assert_int_equal(limits_descriptors(&scenario, rows[i].workers, rows[i].connections + 63, &error), -1);
        assert_int_equal(error.exit_code, EXIT_CODE_USAGE);
        assert_non_null(strstr(error.text, "use more workers"));
    }
}

static void test_ports(void **state)
{
    char text[200];
    (void)state;
    struct scenario scenario = make_scenario(100, 101, 1000);
    assert_false(limits_ports_short(&scenario, 0, text, sizeof text)); /* not known */
    assert_false(limits_ports_short(&scenario, 101, text, sizeof text));
    assert_true(limits_ports_short(&scenario, 100, text, sizeof text));
    assert_non_null(strstr(text, "target two: 101 connections, and 100 local ports"));
    targets[1].sources = sources;
    targets[1].source_count = 2;
    assert_false(limits_ports_short(&scenario, 100, text, sizeof text));
    targets[1].connections = 401;
    assert_true(limits_ports_short(&scenario, 100, text, sizeof text));
    targets[1].connect_path = "/run/two.sock";
    assert_false(limits_ports_short(&scenario, 100, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_descriptors), cmocka_unit_test(test_ports)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
