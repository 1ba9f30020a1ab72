/* The summary file, read back: every key of the contract, its identities, what is absent, and how writing fails. */
#include "report/report.h"
#include "report_sample.h"
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static json_t *written(struct sample *sample)
{
    char path[128];
    snprintf(path, sizeof path, "%s/x.json", folder);
    struct error error = {0};
    if (summary_write(&sample->result, path, &error) != 0)
        fail_msg("%s", error.text);
    json_error_t where;
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!object)
        fail_msg("line %d: %s", where.line, where.text);
    assert_int_equal(unlink(path), 0);
    return object;
}

/* "a.b.0.c": members and array entries. */
static json_t *at(json_t *object, const char *path)
{
    char copy[128], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    while (object && rest) {
        char *key = strsep(&rest, ".");
        object = json_is_array(object) ? json_array_get(object, strtoul(key, NULL, 10)) : json_object_get(object, key);
    }
    return object;
}

static json_int_t number(json_t *object, const char *path)
{
    json_t *value = at(object, path);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", path);
    return json_integer_value(value);
}

static void fill(struct sample *sample)
{
    sample_init(sample, 2, 1);
    sample->check_names[0] = "is ok";
    sample->result.store.checks[0] = (struct check_count){.passed = 190, .failed = 10};
    for (int i = 0; i < 5; i++)
        sample_exchange(sample, 0, OUTCOME_TIMED_OUT, 0, NS_PER_S, 0);
    sample_exchange(sample, 0, OUTCOME_REJECTED, 503, 2 * NS_PER_MS, NS_PER_MS);
    sample->result.store.series[0].metrics[1].counter = 42;
    histogram_record(&sample->result.store.series[0].metrics[0].histogram, 5);
    sample->result.store.series[0].messages_sent = 9;
    sample->result.store.series[0].messages_unanswered = 2;
    histogram_record(&sample->result.store.series[0].message_gap, 6);
    store_error(&sample->result.store, "timed out after 1s", 5, 2 * NS_PER_S, 3 * NS_PER_S);
    sample_threshold(sample, "p99(latency) < 200ms", UNIT_DURATION,
                     (struct threshold_result){.actual = 1e9, .lower_bound = true});
    sample_threshold(sample, "rate(failed) < 0.1%", UNIT_RATIO, (struct threshold_result){.actual = 0.25});
    sample_threshold(sample, "count(ok) > 1", UNIT_COUNT, (struct threshold_result){.no_data = true});
    sample_threshold(sample, "when p99(latency) > 1s over any 2s", UNIT_DURATION,
                     (struct threshold_result){
                         .actual = 2e9, .windowed = true, .from_ns = 4 * NS_PER_S, .to_ns = 6 * NS_PER_S, .aborted = true});
    sample->thresholds[3].window_s = 2;
    sample->thresholds[3].abort = true;
    strcpy(sample->result.verdict.notes[sample->result.verdict.note_count++], "a note");
    strcpy(sample->result.verdict.reasons[sample->result.verdict.reason_count++], "a reason");
    sample->result.verdict.trusted = false;
    sample->result.exit_code = EXIT_CODE_UNTRUSTED;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        json_type type;
    } keys[] = {
        {"schema", JSON_STRING},
        {"scenario", JSON_STRING},
        {"seed", JSON_INTEGER},
        {"started_at", JSON_STRING},
        {"duration_ns", JSON_INTEGER},
        {"verdict.trusted", JSON_FALSE},
        {"verdict.complete", JSON_TRUE},
        {"verdict.reasons.0", JSON_STRING},
        {"journeys.due", JSON_INTEGER},
        {"journeys.completed", JSON_INTEGER},
        {"journeys.failed", JSON_INTEGER},
        {"journeys.dropped", JSON_INTEGER},
        {"journeys.unfinished", JSON_INTEGER},
        {"journeys.rate_per_s", JSON_REAL},
        {"journeys.duration_ns.p99", JSON_INTEGER},
        {"totals.begun", JSON_INTEGER},
        {"totals.ok", JSON_INTEGER},
        {"totals.rejected", JSON_INTEGER},
        {"totals.malformed", JSON_INTEGER},
        {"totals.timed_out", JSON_INTEGER},
        {"totals.unreachable", JSON_INTEGER},
        {"totals.disconnected", JSON_INTEGER},
        {"totals.unsent", JSON_INTEGER},
        {"totals.unfinished", JSON_INTEGER},
        {"totals.bytes_in", JSON_INTEGER},
        {"totals.bytes_out", JSON_INTEGER},
        {"totals.rate_per_s", JSON_REAL},
        {"warmup.journeys.due", JSON_INTEGER},
        {"warmup.totals.begun", JSON_INTEGER},
        {"steps.0.name", JSON_STRING},
        {"steps.0.protocol", JSON_STRING},
        {"steps.0.target", JSON_STRING},
        {"steps.0.tags", JSON_OBJECT},
        {"steps.0.count", JSON_INTEGER},
        {"steps.0.ok", JSON_INTEGER},
        {"steps.0.failed", JSON_INTEGER},
        {"steps.0.rate_per_s", JSON_REAL},
        {"steps.0.codes.200", JSON_INTEGER},
        {"steps.0.latency_ns.count", JSON_INTEGER},
        {"steps.0.latency_ns.lower_bounds", JSON_INTEGER},
        {"steps.0.latency_ns.min", JSON_INTEGER},
        {"steps.0.latency_ns.mean", JSON_INTEGER},
        {"steps.0.latency_ns.stddev", JSON_INTEGER},
        {"steps.0.latency_ns.p50", JSON_INTEGER},
        {"steps.0.latency_ns.p75", JSON_INTEGER},
        {"steps.0.latency_ns.p90", JSON_INTEGER},
        {"steps.0.latency_ns.p95", JSON_INTEGER},
        {"steps.0.latency_ns.p99", JSON_INTEGER},
        {"steps.0.latency_ns.p99_9", JSON_INTEGER},
        {"steps.0.latency_ns.p99_99", JSON_INTEGER},
        {"steps.0.latency_ns.max", JSON_INTEGER},
        {"steps.0.latency_ok_ns.p50", JSON_INTEGER},
        {"steps.0.service_ns.p50", JSON_INTEGER},
        {"steps.0.phases_ns.wait.p50", JSON_INTEGER},
        {"steps.0.metrics.hops", JSON_INTEGER},
        {"steps.0.messages.latency_ns.count", JSON_INTEGER},
        {"steps.0.messages.first_ns.count", JSON_INTEGER},
        {"steps.0.messages.sent_per_s", JSON_REAL},
        {"steps.0.messages.received_per_s", JSON_REAL},
        {"steps.0.metrics.gap_ns.max", JSON_INTEGER},
        {"transactions", JSON_ARRAY},
        {"checks.0.name", JSON_STRING},
        {"checks.0.passed", JSON_INTEGER},
        {"checks.0.failed", JSON_INTEGER},
        {"thresholds.0.expression", JSON_STRING},
        {"thresholds.0.pass", JSON_FALSE},
        {"thresholds.0.actual", JSON_INTEGER},
        {"thresholds.1.actual", JSON_REAL},
        {"errors.0.text", JSON_STRING},
        {"errors.0.count", JSON_INTEGER},
        {"errors.0.first_at_ns", JSON_INTEGER},
        {"errors.0.last_at_ns", JSON_INTEGER},
        {"generator.workers", JSON_INTEGER},
        {"generator.cpu_ns", JSON_INTEGER},
        {"generator.rss_bytes_max", JSON_INTEGER},
        {"generator.self_delay_ns.p99", JSON_INTEGER},
        {"generator.send_lag_ns", JSON_OBJECT},
        {"generator.receive_lag_ns", JSON_OBJECT},
        {"generator.users_max", JSON_INTEGER},
        {"generator.connections_max", JSON_INTEGER},
        {"generator.notes.0", JSON_STRING},
    };
    static const char *const absent[] = {
        "steps.1.service_ns",  "steps.1.phases_ns.wait",    "steps.0.phases_ns.tls",
        "thresholds.2.actual", "generator.send_lag_ns.p50", "unreachable",
        "steps.0.codes.0", "steps.1.messages",
    };
    struct sample sample;
    fill(&sample);
    json_t *object = written(&sample);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *value = at(object, keys[i].path);
        if (!value || json_typeof(value) != keys[i].type)
            fail_msg("%s: %s", keys[i].path, value ? "another type" : "absent");
    }
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (at(object, absent[i]))
            fail_msg("%s must be absent", absent[i]);
    assert_string_equal(json_string_value(at(object, "schema")), "squall.summary/1");
    json_decref(object);
    sample_fini(&sample);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        json_int_t value;
    } values[] = {
        {"seed", 7},
        {"totals.begun", 206},
        {"totals.ok", 200},
        {"totals.timed_out", 5},
        {"totals.rejected", 1},
        {"totals.bytes_in", 20600},
        {"steps.0.count", 106},
        {"steps.0.failed", 6},
        {"steps.0.codes.503", 1},
        {"steps.0.latency_ns.count", 106},
        {"steps.0.latency_ns.lower_bounds", 5},
        {"steps.0.latency_ns.max", 1000000000},
        {"steps.0.latency_ns.lower_bound_min", 1000000000},
        {"steps.0.latency_ok_ns.count", 100},
        {"steps.0.service_ns.count", 101},
        {"steps.0.metrics.hops", 42},
        {"steps.0.messages.sent", 9},
        {"steps.0.messages.received", 0},
        {"steps.0.messages.answered", 0},
        {"steps.0.messages.unanswered", 2},
        {"steps.0.messages.service_ns.count", 0},
        {"steps.0.messages.gap_ns.max", 6},
        {"steps.0.metrics.gap_ns.max", 5},
        {"steps.1.count", 100},
        {"checks.0.failed", 10},
        {"thresholds.0.actual", 1000000000},
        {"thresholds.3.window_ns", 2000000000},
        {"thresholds.3.window_start_ns", 4000000000},
        {"thresholds.3.window_end_ns", 6000000000},
        {"exit_code", 98},
        {"errors.0.first_at_ns", 2000000000},
        {"generator.self_delay_ns.max", 20000},
        {"warmup.totals.ok", 10},
    };
    struct sample sample;
    fill(&sample);
    json_t *object = written(&sample);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (number(object, values[i].path) != values[i].value)
            fail_msg("%s is %lld", values[i].path, (long long)number(object, values[i].path));
    /* 206 exchanges ended in 25 s */
    assert_true(json_real_value(at(object, "totals.rate_per_s")) > 8.2399 &&
                json_real_value(at(object, "totals.rate_per_s")) < 8.2401);
    json_decref(object);
    sample_fini(&sample);
}

static void check_identities(json_t *object, const char *block)
{
    static const char *const outcomes[] = {"ok",          "rejected",     "malformed", "timed_out",
                                           "unreachable", "disconnected", "unsent",    "unfinished"};
    json_t *whole = *block ? at(object, block) : object;
    json_int_t sum = 0;
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "totals.%s", outcomes[i]);
        sum += number(whole, path);
    }
    assert_int_equal(number(whole, "totals.begun"), sum);
    assert_int_equal(number(whole, "journeys.due"),
                     number(whole, "journeys.completed") + number(whole, "journeys.failed") +
                         number(whole, "journeys.dropped") + number(whole, "journeys.unfinished"));
}

static void test_identities(void **state)
{
    (void)state;
    struct sample sample;
    fill(&sample);
    sample_exchange(&sample, 1, OUTCOME_UNFINISHED, 0, NS_PER_S, 0);
    json_t *object = written(&sample);
    check_identities(object, "");
    check_identities(object, "warmup");
    json_decref(object);
    sample_fini(&sample);
}

/* The samples of both steps, one of which has the tag, and both where none has it. */
static void test_groups(void **state)
{
    (void)state;
    static const struct tag tags[] = {{"service", "shop"}};
    static const struct {
        const char *path;
        json_int_t value;
    } values[] = {
        {"groups.0.count", 106},      {"groups.0.ok", 100},
        {"groups.0.failed", 6},       {"groups.0.timed_out", 5},
        {"groups.0.codes.503", 1},    {"groups.0.latency_ns.count", 106},
        {"groups.0.metrics.hops", 42}, {"groups.0.latency_ns.lower_bounds", 5},
        {"groups.1.count", 100},      {"groups.2.count", 206},
        {"groups.2.bytes_in", 20600}, {"groups.2.latency_ns.count", 206},
        {"groups.2.latency_ns.max", 1000000000},
    };
    static const char *const absent[] = {"groups.1.value", "groups.1.service_ns", "groups.2.value", "groups.2.protocol",
                                         "groups.2.codes", "groups.2.metrics",    "groups.2.service_ns", "groups.3"};
    static const char *names[] = {"service", "kind"};
    struct sample sample;
    fill(&sample);
    json_t *object = written(&sample);
    assert_int_equal(json_array_size(at(object, "groups")), 0);
    json_decref(object);
    sample.series[0].tags = (struct tags){tags, 1};
    sample.scenario.group_tags = names;
    sample.scenario.group_tag_count = 2;
    object = written(&sample);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (number(object, values[i].path) != values[i].value)
            fail_msg("%s is %lld", values[i].path, (long long)number(object, values[i].path));
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (at(object, absent[i]))
            fail_msg("%s must be absent", absent[i]);
    assert_string_equal(json_string_value(at(object, "groups.0.tag")), "service");
    assert_string_equal(json_string_value(at(object, "groups.0.value")), "shop");
    assert_string_equal(json_string_value(at(object, "groups.0.protocol")), "plain");
    assert_string_equal(json_string_value(at(object, "groups.1.steps.0")), "step 2");
    assert_string_equal(json_string_value(at(object, "groups.2.tag")), "kind");
    assert_int_equal(json_array_size(at(object, "groups.2.steps")), 2);
    assert_true(json_is_real(at(object, "groups.2.rate_per_s")));
    json_decref(object);
    sample_fini(&sample);
}

static void test_strange_names(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    strcpy(sample.names[0], "a\xff\"b\n\xed\xa0\x80");
    store_error(&sample.result.store, "\xc0\xaf \x1b[31m", 1, 0, 0);
    sample.result.measured_ns = 0; /* no time: no rate */
    json_t *object = written(&sample);
    assert_string_equal(json_string_value(at(object, "steps.0.name")),
                        "a\xEF\xBF\xBD\"b \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_null(strchr(json_string_value(at(object, "errors.0.text")), '\x1b'));
    assert_null(at(object, "totals.rate_per_s"));
    json_decref(object);
    sample_fini(&sample);
}

static unsigned files_in_folder(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void test_failures(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    char missing[128];
    snprintf(missing, sizeof missing, "%s/none/x.json", folder);
    const struct {
        const char *path, *words;
    } cases[] = {{missing, "create its folder"}, {folder, "that is a folder"}, {"/dev/full", "free some space"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        assert_int_equal(summary_write(&sample.result, cases[i].path, &error), -1);
        assert_non_null(strstr(error.text, cases[i].path));
        if (!strstr(error.text, cases[i].words))
            fail_msg("%s", error.text);
        assert_int_equal(error.exit_code, EXIT_CODE_INTERNAL);
    }
    assert_int_equal(files_in_folder(), 0);
    sample_fini(&sample);
}

/* A disk that is full half-way: the old file stays, and no other. */
static void test_cut_short(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    char path[128], kept[8] = "";
    snprintf(path, sizeof path, "%s/x.json", folder);
    FILE *old = fopen(path, "w");
    assert_non_null(old);
    fputs("old", old);
    fclose(old);
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 100, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct error error = {0};
    int outcome = summary_write(&sample.result, path, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(outcome, -1);
    assert_int_equal(files_in_folder(), 1);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(kept, sizeof kept, file));
    assert_string_equal(kept, "old");
    fclose(file);
    unlink(path);
    sample_fini(&sample);
}

/* The old file is replaced as a whole, through a symbolic link too, and nothing else stays in the folder. */
static void test_replaces(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    char path[128], link_path[128];
    snprintf(path, sizeof path, "%s/old.json", folder);
    snprintf(link_path, sizeof link_path, "%s/latest.json", folder);
    FILE *old = fopen(path, "w");
    assert_non_null(old);
    for (int i = 0; i < 100000; i++)
        fputc('x', old);
    fclose(old);
    assert_int_equal(symlink(path, link_path), 0);
    struct error error = {0};
    assert_int_equal(summary_write(&sample.result, link_path, &error), 0);
    json_t *object = json_load_file(path, 0, NULL);
    assert_non_null(object);
    json_decref(object);
    struct stat status;
    assert_int_equal(lstat(link_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(files_in_folder(), 2);
    unlink(path);
    unlink(link_path);
    sample_fini(&sample);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/squall-test-summary-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_values),   cmocka_unit_test(test_identities),
        cmocka_unit_test(test_strange_names), cmocka_unit_test(test_failures), cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_replaces),      cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
