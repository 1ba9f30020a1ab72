/* A client's side of answers. See client.h. */
#include "client.h"
#include "h1_scan.h"
#include "location.h"
#include "plugin.h"
#include "step.h"
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

static struct http_past *past_of(const struct squall_exchange *x)
{
    return ((const struct http_user *)x->user->state)->past;
}

/* Made where there is none; NULL: no memory. */
static struct http_past *make_past(const struct squall_exchange *x)
{
    struct http_user *user = x->user->state;
    if (!user->past)
        user->past = calloc(1, sizeof *user->past);
    return user->past;
}

static const struct http_step *step_of(const struct squall_exchange *x)
{
    return x->step->state;
}

static const struct http_target *target_of(const struct squall_exchange *x)
{
    return x->step->target->state;
}

/* ---- users ---- */

void http_user_fini(struct http_user *user)
{
    struct http_past *past = user->past;
    if (!past)
        return;
    cookies_fini(&past->cookies);
    for (uint32_t i = 0; i < past->trail_count; i++)
        free(past->trails[i].path);
    free(past->trails);
    free(past);
    user->past = NULL;
}

struct http_trail *http_trail_of(const struct squall_exchange *x)
{
    const struct http_past *past = past_of(x);
    for (uint32_t i = 0; past && i < past->trail_count; i++)
        if (past->trails[i].exchange == x->state)
            return &past->trails[i];
    return NULL;
}

static struct http_trail *new_trail(const struct squall_exchange *x)
{
    struct http_past *past = make_past(x);
    struct http_trail *trails = past ? realloc(past->trails, (past->trail_count + 1) * sizeof *trails) : NULL;
    if (!trails)
        return NULL;
    past->trails = trails;
    trails[past->trail_count] = (struct http_trail){.exchange = x->state};
    return &trails[past->trail_count++];
}

int http_trail_set(const struct squall_exchange *x, struct squall_bytes path, bool get)
{
    struct http_trail *trail = http_trail_of(x);
    if (!trail && !(trail = new_trail(x)))
        return -1;
    if (path.len > trail->size) {
        uint32_t size = path.len < 64 ? 64 : (uint32_t)path.len;
        char *grown = realloc(trail->path, size);
        if (!grown)
            return -1;
        trail->path = grown;
        trail->size = size;
    }
    if (path.len > 0)
        memmove(trail->path, path.data, path.len);
    trail->len = (uint32_t)path.len;
    trail->get = get;
    return 0;
}

/* What the request asked for. */
static struct squall_bytes path_of(const struct squall_exchange *x)
{
    const struct http_step *step = step_of(x);
    const struct http_trail *trail = NULL;
    if (x->hop > 0 || !(step->constant & HTTP_BIT(HTTP_PATH)))
        trail = http_trail_of(x);
    return trail ? (struct squall_bytes){(const uint8_t *)trail->path, trail->len} : step->path;
}

/* ---- fields ---- */

enum h1_fields_wanted http_answer_wanted(const struct squall_exchange *x)
{
    if (x->wants & SQUALL_WANT_FIELDS)
        return H1_FIELDS_ALL;
    if ((x->wants & SQUALL_WANT_BODY) || target_of(x)->cookies || step_of(x)->redirects > 0)
        return H1_FIELDS_CLIENT;
    return H1_FIELDS_NONE;
}

static bool is_redirect(uint32_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void take_cookie(struct squall_conn *conn, struct squall_exchange *x, struct squall_bytes date,
                        struct squall_bytes value)
{
    const struct cookie_place place = {.host = conn->target->host,
                                       .path = path_of(x),
                                       .secure = conn->target->secure != 0,
                                       .now_s = host_of(conn)->now_ns(conn->worker) / NS_PER_S};
    struct http_past *past = make_past(x);
    /* A client may refuse any cookie; one without memory does. */
    if (past)
        (void)cookies_set(&past->cookies, &place, value, date);
}

static void take_location(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                          uint32_t status, struct squall_bytes value)
{
    const struct http_step *step = step_of(x);
    struct location location;
    struct http_trail *trail = x->hop > 0 ? http_trail_of(x) : NULL;
    bool head = step->kind == H1_REQUEST_HEAD, post = step->post && !(trail && trail->get);
    bool get = !head && (status == 303 || ((status == 301 || status == 302) && post) || (trail && trail->get));
    if (step->expect_given && http_expect_has(&step->expect, status))
        return;
    if (location_resolve(value, conn->target->secure != 0, conn->target->authority, path_of(x), &location) ||
        location.elsewhere)
        return; /* the answer stands as it is */
    if (x->hop >= step->redirects) {
        answer->too_many = true;
        return;
    }
    answer->leads_on = http_trail_set(x, (struct squall_bytes){(const uint8_t *)location.path, location.len}, get) == 0;
}

static void set_broken(const struct squall_conn *conn, struct http_answer *answer, const char *why)
{
    http_answer_drop(conn->worker, answer);
    answer->broken = true;
    answer->why = why;
}

static void take_coding(struct squall_conn *conn, const struct squall_exchange *x, struct http_answer *answer,
                        struct squall_bytes value)
{
    struct http_worker *worker = conn->worker->state;
    enum coding coding = coding_of(value);
    bool undone = coding == CODING_GZIP || coding == CODING_DEFLATE;
    if (!undone || !(x->wants & SQUALL_WANT_BODY) || answer->broken || answer->decoder ||
        step_of(x)->kind == H1_REQUEST_HEAD)
        return;
    answer->decoder = decoder_take(&worker->decoders, coding);
    if (!answer->decoder)
        set_broken(conn, answer, "no memory to undo the body's coding");
}

static bool name_is(struct squall_bytes name, const char *literal, size_t len)
{
    return h1_token_is(name.data, name.len, literal, len);
}
#define NAME_IS(name, literal) name_is(name, literal, sizeof(literal) - 1)

void http_answer_field(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer, uint32_t status,
                       struct squall_bytes date, struct squall_bytes name, struct squall_bytes value)
{
    switch (name.len) {
    case sizeof "location" - 1:
        if (is_redirect(status) && step_of(x)->redirects > 0 && NAME_IS(name, "location"))
            take_location(conn, x, answer, status, value);
        break;
    case sizeof "set-cookie" - 1:
        if (target_of(x)->cookies && NAME_IS(name, "set-cookie"))
            take_cookie(conn, x, date, value);
        break;
    case sizeof "content-encoding" - 1:
        if (NAME_IS(name, "content-encoding"))
            take_coding(conn, x, answer, value);
        break;
    default:
        break;
    }
}

/* ---- body and end ---- */

struct handing {
    struct squall_conn *conn;
    struct squall_exchange *x;
    const struct http_answer *answer;
};

/* What a reader of HTTP/1.1's bytes sees is shown already, but for what its coding stands for. */
static void trace_body(struct squall_conn *conn, struct squall_exchange *x, const struct http_answer *answer,
                       struct squall_bytes bytes)
{
    static const char name[] = "the body, decoded:";
    if (((const struct http_conn *)conn->state)->version == HTTP_2)
        h2_conn_trace_body(conn, x, bytes);
    else if (!answer->broken && answer->decoder)
        host_of(conn)->trace(conn, SQUALL_TRACE_NOTE, (struct squall_bytes){(const uint8_t *)name, sizeof name - 1},
                             bytes);
}

static void hand_on(void *arg, struct squall_bytes bytes)
{
    const struct handing *handing = arg;
    host_of(handing->conn)->body(handing->x, bytes);
    if (SQUALL_HOST_HAS(host_of(handing->conn), trace))
        trace_body(handing->conn, handing->x, handing->answer, bytes);
}

void http_answer_body(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                      struct squall_bytes bytes)
{
    struct handing handing = {conn, x, answer};
    if (!(x->wants & SQUALL_WANT_BODY) || answer->broken)
        return;
    if (!answer->decoder) {
        hand_on(&handing, bytes);
        return;
    }
    const char *why = decoder_feed(answer->decoder, bytes, hand_on, &handing);
    if (why)
        set_broken(conn, answer, why);
}

void http_answer_drop(const struct squall_worker *view, struct http_answer *answer)
{
    struct http_worker *worker = view->state;
    if (answer->broken)
        return;
    decoder_give(&worker->decoders, answer->decoder);
    answer->decoder = NULL;
}

uint32_t http_answer_end(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                         uint32_t status, const char **ret_reason)
{
    const char *why = !answer->broken && answer->decoder ? decoder_end(answer->decoder) : NULL;
    if (why)
        set_broken(conn, answer, why);
    http_answer_drop(conn->worker, answer);
    *ret_reason = answer->broken ? answer->why : NULL;
    if (answer->broken)
        return SQUALL_MALFORMED;
    if (answer->leads_on && host_of(conn)->follow(x) == 0)
        return SQUALL_OK;
    if (answer->leads_on || answer->too_many) {
        *ret_reason = "more redirects than `redirects` allows";
        return SQUALL_REJECTED;
    }
    return http_expect_has(&step_of(x)->expect, status) ? SQUALL_OK : SQUALL_REJECTED;
}
