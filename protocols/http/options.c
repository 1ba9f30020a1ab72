/* The target's option table. Which version of HTTP a connection speaks is settled in plugin.c, as it may be TLS's to
 * say. */
#include "options.h"
#include "h1.h"

static const char *const versions[] = {"auto", "h1", "h2", NULL};

#define FIELD(name) .offset = offsetof(struct http_target_options, name)

const struct squall_option http_target_rows[HTTP_TARGET_ROWS] = {
    {.name = "http",
     .flag = "--h1=h1,--h2=h2",
     .help = "version of HTTP; auto: HTTP/2 where TLS agrees on it (ALPN), else HTTP/1.1",
     .fallback = "auto",
     .choices = versions,
     .type = SQUALL_CHOICE,
     FIELD(version)},
    {.name = "streams",
     .flag = "--streams",
     .metavar = "N",
     .help = "HTTP/2: exchanges at once on a connection, if the server allows as many",
     .fallback = "100",
     .min = 1,
     .max = 1000000,
     .type = SQUALL_UINT,
     FIELD(streams)},
    {.name = "window",
     .help = "HTTP/2: what the server may send on a stream before we say that it was read",
     .fallback = "1MiB",
     .min = 1,
     .max = H2_WINDOW_MAX,
     .type = SQUALL_SIZE,
     FIELD(window)},
    {.name = "connection-window",
     .help = "HTTP/2: the same on all streams of a connection together",
     .fallback = "16MiB",
     .min = H2_WINDOW_MIN,
     .max = H2_WINDOW_MAX,
     .type = SQUALL_SIZE,
     FIELD(connection_window)},
    {.name = "header-table",
     .help = "HTTP/2: the table of header fields (HPACK) that we offer, and use of the server's",
     .fallback = "4KiB",
     .min = 0,
     .max = 1 << 20,
     .type = SQUALL_SIZE,
     FIELD(header_table)},
    {.name = "max-frame",
     .help = "HTTP/2: the largest frame that the server may send",
     .fallback = "16KiB",
     .min = H2_FRAME_MIN,
     .max = H2_FRAME_MAX,
     .type = SQUALL_SIZE,
     FIELD(max_frame)},
    {.name = "header-list",
     .help = "HTTP/2: the longest header section of an answer that is taken",
     .fallback = "64KiB",
     .min = 1024,
     .max = 16 << 20,
     .type = SQUALL_SIZE,
     FIELD(header_list)},
    {.name = "retry",
     .flag = "--retry",
     .help = "send again what the server did not act on: after GOAWAY, a refused stream, a stale connection",
     .fallback = "false",
     .type = SQUALL_BOOL,
     FIELD(retry)},
    {.name = "cookies",
     .help = "each user keeps the cookies that it is given, and sends them where they belong",
     .fallback = "true",
     .type = SQUALL_BOOL,
     FIELD(cookies)},
};

int32_t http_target_init(struct squall_target *view, struct squall_error *error)
{
    static const char *const offers[] = {[HTTP_AUTO] = "h2,http/1.1", [HTTP_1] = "http/1.1", [HTTP_2] = "h2"};
    const struct http_target_options *options = view->options;
    struct http_target *target = view->state;
    (void)error;
    target->version = (enum http_version)options->version;
    target->retry = options->retry != 0;
    target->cookies = options->cookies != 0;
    target->h2 = (struct h2_options){.streams_max = (uint32_t)options->streams,
                                     .stream_window = (uint32_t)options->window,
                                     .connection_window = (uint32_t)options->connection_window,
                                     .header_table = (uint32_t)options->header_table,
                                     .frame_max = (uint32_t)options->max_frame,
                                     .fields_max = H1_FIELDS_MAX,
                                     .fields_size = (uint32_t)options->header_list};
    view->alpn = offers[target->version];
    return 0;
}
