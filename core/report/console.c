/*
 * The live view's hold on the terminal: where to draw, how often, and leaving it as it was found.
 *
 * It runs in the controller, which must go on merging whatever the terminal does: before each write it asks whether
 * the file takes bytes, and where it does not (a pipe nobody reads, Ctrl-S) that frame is dropped. A frame is smaller
 * than what such a file then takes at once, so the write does not wait either.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "report/console_frame.h"
#include "report/report.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_EVERY_NS (5 * NS_PER_S)
#define PLAIN_FIRST_NS NS_PER_S
#define PATIENCE_MS    200 /* for the last write, which gives the cursor back */

#define CURSOR_HIDE "\033[?25l"
#define CURSOR_SHOW "\033[?25h"
#define ERASE_LINE  "\033[K" /* to its end */
#define ERASE_BELOW "\033[J"

struct console {
    FILE *out;
    bool quiet, terminal, colour;
    bool hidden;            /* the cursor */
    uint32_t lines;         /* of the frame on the screen: how far up the next one starts */
    uint64_t plain_next_ns; /* elapsed time at which the next plain line is due */
    bool said_connecting, said_setting_up, said_stopping, said_draining;
};

struct console *console_new(FILE *out, const struct scenario *scenario, bool quiet)
{
    (void)scenario; /* each progress carries it */
    struct console *console = xcalloc(1, sizeof *console);
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    int fd = fileno(out);
    console->out = out;
    console->quiet = quiet;
    console->terminal = fd >= 0 && isatty(fd) && term && strcmp(term, "dumb") != 0;
    console->colour = console->terminal && !(no_colour && *no_colour);
    console->plain_next_ns = PLAIN_FIRST_NS;
    return console;
}

/* A FILE without a descriptor (memory) always takes bytes. */
static bool takes_bytes(const struct console *console, int patience_ms)
{
    int fd = fileno(console->out);
    if (fd < 0)
        return true;
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, patience_ms) == 1 && poller.revents == POLLOUT;
}

static bool write_out(struct console *console, const struct buffer *text, int patience_ms)
{
    if (!takes_bytes(console, patience_ms))
        return false;
    fwrite(text->data, 1, text->len, console->out);
    fflush(console->out);
    return true;
}

static void terminal_size(const struct console *console, uint32_t *ret_width, uint32_t *ret_height)
{
    struct winsize size = {0};
    bool known = ioctl(fileno(console->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_width = known ? size.ws_col : 80;
    *ret_height = known ? size.ws_row : 24;
}

/* The frame's lines behind what moves the cursor to where the last frame began. A line ends by erasing what an older
 * frame left behind it; one column stays free, since terminals differ on what a full line does to the cursor. */
static void redraw(struct console *console, const struct progress *progress)
{
    uint32_t width, height, lines = 0;
    terminal_size(console, &width, &height);
    struct buffer frame = {.limit = FRAME_BYTES_MAX}, out = {0};
    console_frame(progress, width - 1, height, console->colour, &frame);
    if (!console->hidden)
        buffer_printf(&out, CURSOR_HIDE);
    if (console->lines > 0)
        buffer_printf(&out, "\033[%uA\r", console->lines);
    for (size_t at = 0; at < frame.len; lines++) {
        const uint8_t *line = frame.data + at, *end = memchr(line, '\n', frame.len - at);
        size_t len = end ? (size_t)(end - line) : frame.len - at;
        buffer_append(&out, line, len);
        buffer_printf(&out, ERASE_LINE "\n");
        at += len + 1;
    }
    buffer_printf(&out, ERASE_BELOW);
    if (write_out(console, &out, 0)) {
        console->hidden = true;
        console->lines = lines;
    }
    buffer_fini(&frame);
    buffer_fini(&out);
}

/* Whether a plain line is due: when connecting takes long, as stopping and draining begin, a second into the load, then
 * every five. */
static bool plain_due(struct console *console, const struct progress *progress)
{
    bool *said = progress->setting_up   ? &console->said_setting_up
                 : progress->connecting ? &console->said_connecting
                 : progress->stopping   ? &console->said_stopping
                 : progress->draining   ? &console->said_draining
                                        : NULL;
    if (progress->connecting && progress->elapsed_ns < NS_PER_S)
        return false; /* most runs connect at once, and there is nothing to tell */
    if (said && !*said) {
        *said = true;
        return true;
    }
    if (progress->connecting || progress->elapsed_ns < console->plain_next_ns)
        return false;
    /* The next multiple of five seconds, whatever was missed. */
    console->plain_next_ns = (progress->elapsed_ns / PLAIN_EVERY_NS + 1) * PLAIN_EVERY_NS;
    return true;
}

void console_progress(struct console *console, const struct progress *progress)
{
    if (console->quiet)
        return;
    if (console->terminal) {
        redraw(console, progress);
    } else if (plain_due(console, progress)) {
        struct buffer line = {0};
        console_line(progress, &line);
        write_out(console, &line, 0);
        buffer_fini(&line);
    }
}

void console_free(struct console *console)
{
    if (!console)
        return;
    if (console->hidden) {
        struct buffer show = {0};
        buffer_printf(&show, CURSOR_SHOW);
        write_out(console, &show, PATIENCE_MS);
        buffer_fini(&show);
    }
    free(console);
}
