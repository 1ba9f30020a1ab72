/* The live view: plain lines into memory and pipes, frames onto a pseudo-terminal, and that it never blocks. */
#include "report/console_frame.h"
#include "report/report.h"
#include "report/text.h"
#include "report_sample.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static struct progress progress_at(const struct sample *sample, uint64_t elapsed_ns)
{
    return (struct progress){.scenario = &sample->scenario,
                             .elapsed_ns = elapsed_ns,
                             .connections = 64,
                             .users_busy = 20,
                             .in_flight = 3,
                             .rate_per_s = 200,
                             .rate_asked_per_s = 200,
                             .ended = 100,
                             .p50_ns = 1200000,
                             .p99_ns = 3400000,
                             .window_count = 200,
                             .workers = 2};
}

static void test_plain_lines(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct console *console = console_new(out, &sample.scenario, false);
    struct progress progress = progress_at(&sample, 0);
    progress.connecting = true;
    console_progress(console, &progress); /* not worth a line yet */
    progress.elapsed_ns = NS_PER_S;
    strcpy(progress.trouble, "Connection refused:\33 nothing listens there");
    console_progress(console, &progress);
    console_progress(console, &progress);
    progress.setting_up = true;
    console_progress(console, &progress);
    console_progress(console, &progress);
    for (uint64_t second = 1; second <= 12; second++) {
        progress = progress_at(&sample, second * NS_PER_S);
        console_progress(console, &progress);
    }
    progress = progress_at(&sample, 31 * NS_PER_S);
    progress.window_count = 0;
    progress.draining = progress.late = true;
    progress.workers_lost = 1;
    progress.failed = 9;
    console_progress(console, &progress);
    progress.stopping = true;
    console_progress(console, &progress);
    console_free(console);
    fclose(out);
    assert_string_equal(text, "connecting: 64 connections open; Connection refused:  nothing listens there\n"
                              "setting up: 20 users not ready\n"
                              "1s 200.0/s p50 1.2ms p99 3.4ms failed 0 in flight 3 users 20 warm-up\n"
                              "5s 200.0/s p50 1.2ms p99 3.4ms failed 0 in flight 3 users 20\n"
                              "10s 200.0/s p50 1.2ms p99 3.4ms failed 0 in flight 3 users 20\n"
                              "31s 200.0/s p50 - p99 - failed 9 in flight 3 users 20 draining late lost 1\n"
                              "31s 200.0/s p50 - p99 - failed 9 in flight 3 users 20 stopping late lost 1\n");
    free(text);
    sample_fini(&sample);
}

static void test_quiet(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct console *console = console_new(out, &sample.scenario, true);
    struct progress progress = progress_at(&sample, NS_PER_S);
    console_progress(console, &progress);
    console_free(console);
    console_free(NULL);
    fclose(out);
    assert_int_equal(size, 0);
    free(text);
    sample_fini(&sample);
}

static void test_frame(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    struct {
        bool connecting, setting_up, draining, late;
        uint64_t elapsed_s;
        uint32_t lost;
        const char *trouble, *says, *not ;
    } cases[] = {
        {.connecting = true, .says = "connecting, 64 open", .not = "\xE2\x96\xB8"},
        {.connecting = true, .trouble = "Connection refused: nothing listens there; does the server run?",
         .says = "connecting, 64 open   Connection refused: nothing listens", .not = "run?"},
        {.connecting = true, .setting_up = true, .trouble = "refused", .says = "setting up, 20 users not ready", .not = "refused"},
        {.elapsed_s = 2, .says = "warm-up, counts in 3s", .not = "\xE2\x9C\x93"},
        {.elapsed_s = 2, .says = "2s of 10s", .not = "late"},
        {.elapsed_s = 12, .says = "hold 200/s", .not = "warm-up"},
        {.elapsed_s = 12, .says = "2s of 20s", .not = "draining"},
        {.elapsed_s = 12, .late = true, .says = "squall runs late", .not = "keeps up"},
        {.elapsed_s = 12, .lost = 1, .says = "1 of 2 workers lost", .not = "late"},
        {.elapsed_s = 31, .draining = true, .says = "draining, for at most 30s", .not = "31s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct progress progress = progress_at(&sample, cases[i].elapsed_s * NS_PER_S);
        progress.connecting = cases[i].connecting;
        strcpy(progress.trouble, cases[i].trouble ? cases[i].trouble : "");
        progress.setting_up = cases[i].setting_up;
        progress.draining = cases[i].draining;
        progress.late = cases[i].late;
        progress.workers_lost = cases[i].lost;
        struct buffer out = {0};
        console_frame(&progress, 80, 24, false, &out);
        buffer_append(&out, "", 1);
        if (!strstr((char *)out.data, cases[i].says) || strstr((char *)out.data, cases[i].not ))
            fail_msg("case %zu:\n%s", i, (char *)out.data);
        buffer_fini(&out);
    }
    sample_fini(&sample);
}

/* Sixteen stages at every moment, in every size: never wider, never higher, never more bytes than promised. */
static void test_frame_bounds(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    for (unsigned i = 0; i < 16; i++)
        sample.stages[i] = (struct stage){.kind = STAGE_USERS, .from = i, .to = 1000 * i, .duration_ns = 60 * NS_PER_S};
    sample.loads[0] =
        (struct load){.stages = sample.stages, .stage_count = 16, .closed = true, .iterations = UINT64_MAX};
    sample.scenario.name = "a name of a scenario which is so long that it cannot stand in any narrow terminal "
                           "\xE6\xBC\xA2\xE6\xBC\xA2\xE6\xBC\xA2";
    for (uint32_t width = 20; width <= 300; width += 7)
        for (uint32_t height = 8; height < 30; height += 3)
            for (uint64_t second = 0; second < 1000; second += 90) {
                struct progress progress = progress_at(&sample, second * NS_PER_S);
                struct buffer toned = {0}, out = {0};
                console_frame(&progress, width, height, true, &toned);
                assert_true(toned.len < FRAME_BYTES_MAX);
                console_frame(&progress, width, height, false, &out);
                buffer_append(&out, "", 1);
                char *rest = (char *)out.data;
                uint32_t lines = 0;
                for (char *line; (line = strsep(&rest, "\n")) && rest; lines++)
                    if (text_width(line) > width)
                        fail_msg("wider than %u: %s", width, line);
                assert_true(lines <= height);
                buffer_fini(&toned);
                buffer_fini(&out);
            }
    sample_fini(&sample);
}

/* Several loads: each under its name, never more lines than the terminal has. */
static void test_frame_loads(void **state)
{
    (void)state;
    static const char *const names[] = {"browse", "buy", "import", "a \x1b[31mtrick"};
    struct sample sample;
    sample_init(&sample, 1, 0);
    for (unsigned i = 0; i < 16; i++)
        sample.stages[i] = (struct stage){.kind = STAGE_RATE, .from = i + 1, .to = i + 1, .duration_ns = 5 * NS_PER_S};
    for (unsigned i = 0; i < 4; i++)
        sample.loads[i] = (struct load){.name = names[i],
                                        .stages = &sample.stages[4 * i],
                                        .stage_count = 4,
                                        .iterations = UINT64_MAX,
                                        .user_iterations = UINT64_MAX};
    for (uint32_t count = 2; count <= 4; count++)
        for (uint32_t height = 8; height < 30; height++) {
            struct progress progress = progress_at(&sample, 7 * NS_PER_S);
            struct buffer out = {0};
            uint32_t lines = 0;
            sample.scenario.load_count = count;
            console_frame(&progress, 80, height, false, &out);
            buffer_append(&out, "", 1);
            for (const char *at = (char *)out.data; (at = strchr(at, '\n')); at++)
                lines++;
            if (lines > height)
                fail_msg("%u lines on a terminal of %u with %u loads:\n%s", lines, height, count, (char *)out.data);
            assert_non_null(strstr((char *)out.data, "  browse\n"));
            assert_non_null(strstr((char *)out.data, "hold 2/s")); /* the present stage of the first */
            assert_true(height == 8 || count == 2 || strstr((char *)out.data, "more load"));
            assert_true(height < 15 || strstr((char *)out.data, "  buy\n"));
            assert_null(strchr((char *)out.data, '\x1b'));
            assert_non_null(strstr((char *)out.data, "20s"));
            buffer_fini(&out);
        }
    sample_fini(&sample);
}

static void test_frame_iterations(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    sample.stages[0] = (struct stage){.kind = STAGE_USERS, .from = 5, .to = 5, .duration_ns = UINT64_MAX};
    sample.loads[0] = (struct load){.stages = sample.stages, .stage_count = 1, .closed = true, .iterations = 1000, .user_iterations = UINT64_MAX};
    struct progress progress = progress_at(&sample, 7 * NS_PER_S);
    progress.journeys_done = 250;
    struct buffer out = {0};
    console_frame(&progress, 80, 24, false, &out);
    buffer_append(&out, "", 1);
    assert_non_null(strstr((char *)out.data, "5 users"));
    assert_non_null(strstr((char *)out.data, "250 of 1k"));
    unsigned full = 0;
    for (char *at = (char *)out.data; (at = strstr(at, "\xE2\x94\x81")); at++)
        full++;
    assert_int_equal(full, 10); /* a quarter of 40 */
    buffer_fini(&out);
    sample_fini(&sample);
}

/* All that the master side has to give now. */
static size_t drain(int fd, char *buf, size_t size)
{
    size_t used = 0;
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    while (used + 1 < size && poll(&poller, 1, 0) == 1 && (poller.revents & POLLIN)) {
        ssize_t n = read(fd, buf + used, size - 1 - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    buf[used] = '\0';
    return used;
}

static unsigned newlines(const char *text)
{
    unsigned count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static void test_terminal(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    struct winsize size = {.ws_col = 60, .ws_row = 20};
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    FILE *out = fdopen(slave, "w");
    assert_non_null(out);
    struct console *console = console_new(out, &sample.scenario, false);
    char first[8192], second[8192], last[256], up[16];
    struct progress progress = progress_at(&sample, 1 * NS_PER_S);
    console_progress(console, &progress);
    drain(master, first, sizeof first);
    progress = progress_at(&sample, 2 * NS_PER_S);
    console_progress(console, &progress);
    drain(master, second, sizeof second);
    console_free(console);
    drain(master, last, sizeof last);

    assert_non_null(strstr(first, "\033[?25l"));
    assert_null(strstr(first, "\033[m"));
    assert_null(strstr(first, "A\r"));
    assert_non_null(strstr(first, "checkout"));
    snprintf(up, sizeof up, "\033[%uA\r", newlines(first));
    assert_memory_equal(second, up, strlen(up)); /* starts where the frame before did */
    assert_non_null(strstr(second, "2s of 10s"));
    assert_null(strstr(second, "\033[?25l"));
    assert_string_equal(last, "\033[?25h");
    fclose(out);
    close(master);
    sample_fini(&sample);
}

static void test_dumb_terminal(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    setenv("TERM", "dumb", 1);
    FILE *out = fdopen(slave, "w");
    struct console *console = console_new(out, &sample.scenario, false);
    struct progress progress = progress_at(&sample, 12 * NS_PER_S);
    console_progress(console, &progress);
    console_free(console);
    char text[1024];
    drain(master, text, sizeof text);
    assert_null(strchr(text, '\033'));
    assert_memory_equal(text, "12s 200.0/s", 11);
    fclose(out);
    close(master);
    sample_fini(&sample);
}

/* A reader that does not read: lines are dropped, the caller goes on. */
static void test_full_pipe(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    FILE *out = fdopen(ends[1], "w");
    struct console *console = console_new(out, &sample.scenario, false);
    alarm(60); /* a write that waits would wait for ever */
    for (uint64_t second = 1; second < 5 * 5000; second += 5) {
        struct progress progress = progress_at(&sample, second * NS_PER_S);
        console_progress(console, &progress);
    }
    console_free(console);
    alarm(0);
    int waiting = 0;
    assert_int_equal(ioctl(ends[0], FIONREAD, &waiting), 0);
    assert_true(waiting > 0);
    fclose(out);
    close(ends[0]);
    sample_fini(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_lines),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_frame_bounds),
        cmocka_unit_test(test_frame_loads),
        cmocka_unit_test(test_frame_iterations),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_dumb_terminal),
        cmocka_unit_test(test_full_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
