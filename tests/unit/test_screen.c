/* The final screen: which sections there are, that columns stand straight, and that nothing is wider than asked. */
#include "report/report.h"
#include "report/table.h"
#include "report_sample.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define AT_LEAST "\xE2\x89\xA5"

/* NUL-terminated; freed by the caller. */
static char *printed(const struct sample *sample, uint32_t width, bool colour)
{
    struct buffer out = {0};
    screen_print(&sample->result, width, colour, &out);
    buffer_append(&out, "", 1);
    return (char *)out.data;
}

static void assert_says(const struct sample *sample, const char *text)
{
    char *screen = printed(sample, 120, false);
    if (!strstr(screen, text))
        fail_msg("not on the screen: %s\n%s", text, screen);
    free(screen);
}

static void assert_silent(const struct sample *sample, const char *text)
{
    char *screen = printed(sample, 120, false);
    if (strstr(screen, text))
        fail_msg("on the screen: %s\n%s", text, screen);
    free(screen);
}

static void fill(struct sample *sample, uint32_t steps)
{
    sample_init(sample, steps, 2);
    sample->check_names[0] = "is ok";
    sample->check_names[1] = "a check with a name that goes on for longer than any terminal would like it to";
    sample->result.store.checks[0] = (struct check_count){.passed = 200};
    sample->result.store.checks[1] = (struct check_count){.passed = 100, .failed = 100};
    strcpy(sample->names[0],
           "GET /\xE6\xBC\xA2\xE5\xAD\x97/products?page=${random.int(1, 20)}&sort=name&order=descending");
    for (int i = 0; i < 5; i++)
        sample_exchange(sample, 0, OUTCOME_TIMED_OUT, 0, NS_PER_S, 0);
    sample_exchange(sample, 0, OUTCOME_REJECTED, 503, 2 * NS_PER_MS, NS_PER_MS);
    store_error(&sample->result.store, "timed out after 1s", 5, 2 * NS_PER_S, 75 * NS_PER_S);
    store_error(&sample->result.store, "a text with \033[31m and\nmore words than fit into a line of a narrow terminal",
                7, 0, 0);
    sample_threshold(sample, "p99(latency) < 200ms", UNIT_DURATION,
                     (struct threshold_result){.actual = 1e9, .lower_bound = true});
    sample_threshold(sample, "rate(failed) < 90%", UNIT_RATIO, (struct threshold_result){.pass = true, .actual = 0.03});
    sample->result.exit_code = EXIT_CODE_THRESHOLD;
}

static void test_steps_of_a_setup(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 2, 0);
    sample.result.store.series[0].count = 0;
    assert_says(&sample, "step 1");
    sample.series[0].measured = false; /* a setup's: nothing but warm-up counts it */
    assert_silent(&sample, "step 1");
    assert_silent(&sample, "all steps");
    assert_says(&sample, "step 2");
    sample_fini(&sample);
}

/* A table for each tag, with a row for each value; what has none stands last under a name that no value can have. */
static void test_groups(void **state)
{
    (void)state;
    static const struct tag shop[] = {{"service", "shop"}, {"kind", ""}}, odd[] = {{"service", "a\033[31m b"}};
    static const char *names[] = {"service", "kind"};
    struct sample sample;
    fill(&sample, 3);
    assert_silent(&sample, "latency by");
    sample.series[0].tags = (struct tags){shop, 2};
    sample.series[1].tags = (struct tags){odd, 1};
    sample.scenario.group_tags = names;
    sample.scenario.group_tag_count = 2;
    assert_says(&sample, "latency by service\n  service ");
    assert_says(&sample, "\n  shop ");
    assert_says(&sample, "\n  a [31m b ");
    assert_says(&sample, "\n  (no service) ");
    assert_says(&sample, "latency by kind\n  kind ");
    assert_says(&sample, "\n  (empty) ");
    assert_says(&sample, "\n  (no kind) ");
    assert_says(&sample, "service p99");
    sample.series[2].measured = false; /* a setup's, which has counted nothing: no row */
    store_reset(&sample.result.store);
    assert_silent(&sample, "(no service)");
    assert_says(&sample, "(no kind)");
    sample_fini(&sample);
}

static void test_widths(void **state)
{
    (void)state;
    static const uint32_t widths[] = {40, 60, 79, 80, 100, 200};
    static const uint32_t steps[] = {1, 2, 40};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        struct sample sample;
        fill(&sample, steps[s]);
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            char *screen = printed(&sample, widths[w], false), *rest = screen;
            for (char *line; (line = strsep(&rest, "\n"));) {
                size_t len = strlen(line);
                if (text_width(line) > widths[w])
                    fail_msg("wider than %u: %s", widths[w], line);
                if (len && line[len - 1] == ' ')
                    fail_msg("ends in a space: %s", line);
                for (size_t i = 0; i < len; i++)
                    assert_true((unsigned char)line[i] >= ' '); /* no escapes without colour */
            }
            free(screen);
        }
        sample_fini(&sample);
    }
}

/* The columns in which the words of a line end. */
static uint32_t word_ends(const char *line, uint32_t *ends, uint32_t room)
{
    uint32_t count = 0;
    for (size_t i = 0; line[i] && count < room; i++)
        if (line[i] != ' ' && (line[i + 1] == ' ' || line[i + 1] == '\0')) {
            char start[512];
            snprintf(start, sizeof start, "%.*s", (int)i + 1, line);
            /* a title or a value of many bytes ends where it is seen to end */
            ends[count++] = text_width(start);
        }
    return count;
}

static void test_columns_align(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 12, 0);
    for (uint32_t i = 0; i < 12; i++)
        snprintf(sample.names[i], sizeof sample.names[i], "step-%0*u", (int)i + 1, i);
    for (int i = 0; i < 2000; i++)
        sample_exchange(&sample, 3, OUTCOME_TIMED_OUT, 0, 3 * NS_PER_S, 0);
    char *screen = printed(&sample, 80, false);
    char *line = strstr(screen, "  step "), *rest = line;
    assert_non_null(line);
    uint32_t head[16], row[16];
    line = strsep(&rest, "\n");
    uint32_t columns = word_ends(line, head, 16);
    assert_true(columns >= 9);
    for (uint32_t i = 0; i < 12; i++) {
        line = strsep(&rest, "\n");
        /* "per s" is two words */
        assert_int_equal(word_ends(line, row, 16), columns - 1 - (columns > 10 ? 1 : 0));
        assert_int_equal(row[1], head[1]); /* count */
        assert_int_equal(row[2], head[2]); /* failed */
        for (uint32_t c = 3; c < 9; c++)
            assert_int_equal(row[c], head[c + 1]);
    }
    free(screen);
    sample_fini(&sample);
}

/* A name gives way to the last column and is cut; where too little of it would be left, the column goes. */
static void test_long_name(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    snprintf(sample.names[0], sizeof sample.names[0], "GET /items/${random.int(1, 100000)}?user=${user.id}&token=${t}");
    sample_exchange(&sample, 0, OUTCOME_OK, 200, 2 * NS_PER_MS, NS_PER_MS);
    char *wide = printed(&sample, 200, false), *middle = printed(&sample, 100, false),
         *narrow = printed(&sample, 70, false);
    assert_non_null(strstr(wide, "&token=${t} "));
    assert_non_null(strstr(wide, "service p99"));
    assert_non_null(strstr(middle, "GET /items/${random.int"));
    assert_non_null(strstr(middle, "\xE2\x80\xA6 "));
    assert_null(strstr(middle, "&token=${t}"));
    assert_non_null(strstr(middle, "service p99"));
    assert_null(strstr(narrow, "service p99"));
    assert_non_null(strstr(narrow, "GET /items/"));
    free(wide);
    free(middle);
    free(narrow);
    sample_fini(&sample);
}

static void test_lower_bounds(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    assert_silent(&sample, AT_LEAST);
    for (int i = 0; i < 5; i++)
        sample_exchange(&sample, 0, OUTCOME_TIMED_OUT, 0, NS_PER_S, 0);
    char *screen = printed(&sample, 80, false);
    char *row = strstr(screen, "step 1");
    assert_non_null(row);
    *strchr(row, '\n') = '\0';
    /* 100 answers up to 100 ms, 5 lower bounds of 1 s: p99, p99.9 and max reach them, p50 and p90 do not */
    uint32_t marks = 0;
    for (char *mark = row; (mark = strstr(mark, AT_LEAST "1s")); mark++)
        marks++;
    assert_int_equal(marks, 3);
    assert_null(strstr(row, AT_LEAST "9"));
    free(screen);
    sample_fini(&sample);
}

static void test_sections(void **state)
{
    (void)state;
    static const char *const sections[] = {"thresholds\n", "\ncodes\n", "\nchecks\n", "\nerrors\n", "exit "};
    struct sample sample;
    sample_init(&sample, 1, 0);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (i != 1)
            assert_silent(&sample, sections[i]);
    assert_says(&sample, "trusted: ");
    assert_silent(&sample, "all steps");
    sample_fini(&sample);
    fill(&sample, 2);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        assert_says(&sample, sections[i]);
    assert_says(&sample, "\xE2\x9C\x97");
    assert_says(&sample, "Too Busy");
    assert_says(&sample, "\xE2\x9C\x97  " AT_LEAST "1");
    assert_says(&sample, "all steps");
    assert_says(&sample, "exit 99: a threshold failed");
    assert_says(&sample, "1m15s  timed out after 1s");
    char *screen = printed(&sample, 120, false);
    assert_true(strstr(screen, "thresholds") < strstr(screen, "latency\n"));
    assert_true(strstr(screen, "\nverdict\n") > strstr(screen, "\nerrors\n"));
    free(screen);
    sample_fini(&sample);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    sample.result.verdict.trusted = false;
    sample.result.verdict.reason_count = 1;
    strcpy(sample.result.verdict.reasons[0], "self-delay was late");
    assert_says(&sample, "not to be trusted");
    assert_says(&sample, "self-delay was late");
    assert_silent(&sample, "\xE2\x9C\x93");
    sample.result.verdict.trusted = true;
    sample.result.verdict.complete = false;
    assert_says(&sample, "incomplete");
    sample.result.interrupted = true;
    assert_says(&sample, "interrupted after 31s");
    sample.result.verdict.note_count = 1;
    strcpy(sample.result.verdict.notes[0], "throughput limited by the target");
    assert_says(&sample, "throughput limited by the target");
    sample_fini(&sample);
}

static void test_no_data(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    store_reset(&sample.result.store);
    memset(sample.result.store.ledgers, 0, sizeof sample.result.store.ledgers);
    assert_says(&sample, "no exchange began");
    assert_silent(&sample, "p99");
    sample.result.store.ledgers[BLOCK_WARMUP].begun = 1234;
    assert_says(&sample, "all 1,234 exchanges fell into the warm-up of 5s");
    sample.result.unreachable = true;
    sample.result.exit_code = EXIT_CODE_UNREACHABLE;
    strcpy(sample.result.unreachable_text, "shop: connection refused");
    assert_says(&sample, "shop: connection refused");
    assert_silent(&sample, "nothing was measured");
    sample_fini(&sample);
}

/* Where latency is not service time, the screen says what was waited for. */
static void test_waiting(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    assert_silent(&sample, "waiting");
    for (int i = 0; i < 50; i++)
        sample_exchange(&sample, 0, OUTCOME_OK, 200, 900 * NS_PER_MS, 50 * NS_PER_MS);
    sample.result.facts.waited_connection = 50;
    assert_says(&sample, "step 1: p99 latency 900ms, but service time 99ms: the rest is waiting for a free connection");
    sample.result.facts.waited_connection = 0;
    sample.result.facts.waited_user = 50;
    assert_says(&sample, "the rest is waiting for an idle user");
    sample_fini(&sample);
}

static void test_colour(void **state)
{
    (void)state;
    struct sample sample;
    fill(&sample, 2);
    char *plain = printed(&sample, 80, false), *toned = printed(&sample, 80, true), *to = toned;
    assert_non_null(strstr(toned, "\033[31m"));
    /* Without its escapes the coloured screen is the plain one. */
    for (const char *from = toned; *from; from++) {
        if (*from == '\033') {
            from = strchr(from, 'm');
            assert_non_null(from);
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    assert_string_equal(toned, plain);
    free(plain);
    free(toned);
    sample_fini(&sample);
}

static void test_files(void **state)
{
    (void)state;
    static const char *const paths[] = {"out/x.json", "out/x.jsonl"};
    struct buffer out = {0};
    screen_print_files(paths, 0, 80, false, &out);
    assert_int_equal(out.len, 0);
    screen_print_files(paths, 2, 80, false, &out);
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data, "\nfiles\n  out/x.json\n  out/x.jsonl\n");
    buffer_fini(&out);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *dirty, *clean;
        uint32_t width;
    } cases[] = {
        {"plain", "plain", 5},
        {"tab\tesc\033del\x7f", "tab esc del ", 12},
        {"\xC2\x9B"
         "31m",
         " 31m", 4}, /* C1: CSI in one character */
        {"\xff\xfe", "\xEF\xBF\xBD\xEF\xBF\xBD", 2},
        {"\xe2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD", 2}, /* cut short */
        {"\xc0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD", 2}, /* overlong */
        {"\xE6\xBC\xA2", "\xE6\xBC\xA2", 2},         /* wide */
        {"e\xCC\x81", "e\xCC\x81", 1},               /* combining */
        {"a\xE2\x80\xAE"
         "b",
         "a b", 3}, /* turns the direction */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char clean[64];
        text_clean(clean, sizeof clean, cases[i].dirty);
        assert_string_equal(clean, cases[i].clean);
        assert_int_equal(text_width(clean), cases[i].width);
        for (size_t size = 1; size < sizeof clean; size++) {
            char cut[64];
            text_clean(cut, size, cases[i].dirty);
            assert_true(strlen(cut) < size);
            assert_memory_equal(cut, clean, strlen(cut));
        }
    }
}

static void test_metrics(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    assert_silent(&sample, "measured besides");
    struct series *series = &sample.result.store.series[0];
    series->messages_sent = 12;
    histogram_record(&series->message_latency, 3 * NS_PER_MS);
    histogram_record(&series->metrics[0].histogram, 40 * NS_PER_US);
    series->metrics[1].counter = 1234;
    assert_says(&sample, "measured besides");
    assert_says(&sample, "messages sent ");
    assert_says(&sample, "message latency      1   3ms");
    assert_says(&sample, "  gap ");
    assert_says(&sample, "40us");
    assert_says(&sample, "1,234");
    assert_silent(&sample, "messages received"); /* there were none */
    for (uint32_t width = 40; width < 130; width += 7) {
        char *screen = printed(&sample, width, false);
        assert_non_null(strstr(screen, "measured besides"));
        free(screen);
    }
    sample_fini(&sample);
}

static void test_deliveries(void **state)
{
    (void)state;
    struct sample sample;
    fill(&sample, 2);
    assert_silent(&sample, "deliveries");
    struct deliveries *deliveries = sample.result.store.deliveries = xcalloc(2, sizeof *deliveries);
    assert_silent(&sample, "deliveries"); /* nobody receives */
    deliveries[0] = (struct deliveries){.delivered = 900, .expected = 1000, .wanted = true};
    deliveries[1] = (struct deliveries){.delivered = 1600, .expected = 1500, .wanted = true}; /* its surplus is not the other's */
    assert_says(&sample, "deliveries 2,500 of 2,500 · 100 undelivered · 100/s");
    deliveries[0].delivered = 1000;
    assert_says(&sample, "deliveries 2,600 of 2,500 · 104/s");
    deliveries[1].unknown = true;
    assert_says(&sample, "deliveries 2,600 · 104/s");
    sample_fini(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_of_a_setup), cmocka_unit_test(test_widths),       cmocka_unit_test(test_columns_align), cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_lower_bounds), cmocka_unit_test(test_sections),      cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_no_data),      cmocka_unit_test(test_waiting),       cmocka_unit_test(test_colour),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_text),          cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_groups),       cmocka_unit_test(test_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
