/* A client's side of answers. See client.h. */
#include "client.h"
#include "h1_scan.h"
#include "location.h"
#include "plugin.h"
#include "step.h"
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

static struct http_user *user_of(const struct squall_exchange *x)
{
    return x->user->state;
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
    cookies_fini(&user->cookies);
    for (uint32_t i = 0; i < user->trail_count; i++)
        free(user->trails[i].path);
    free(user->trails);
    *user = (struct http_user){0};
}

struct http_trail *http_trail_of(const struct squall_exchange *x)
{
    struct http_user *user = user_of(x);
    for (uint32_t i = 0; i < user->trail_count; i++)
        if (user->trails[i].exchange == x->state)
            return &user->trails[i];
    return NULL;
}

static struct http_trail *new_trail(const struct squall_exchange *x)
{
    struct http_user *user = user_of(x);
    struct http_trail *trails = realloc(user->trails, (user->trail_count + 1) * sizeof *trails);
    if (!trails)
        return NULL;
    user->trails = trails;
    trails[user->trail_count] = (struct http_trail){.exchange = x->state};
    return &trails[user->trail_count++];
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

static void take_cookie(struct squall_conn *conn, struct squall_exchange *x, const struct http_answer *answer,
                        struct squall_bytes value)
{
    const struct cookie_place place = {.host = conn->target->host,
                                       .path = path_of(x),
                                       .secure = conn->target->secure != 0,
                                       .now_s = host_of(conn)->now_ns(conn->worker) / NS_PER_S};
    struct squall_bytes date = {(const uint8_t *)answer->date, answer->date_len};
    /* A client may refuse any cookie; one without memory does. */
    (void)cookies_set(&user_of(x)->cookies, &place, value, date);
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

static void take_coding(struct squall_conn *conn, const struct squall_exchange *x, struct http_answer *answer,
                        struct squall_bytes value)
{
    struct http_worker *worker = conn->worker->state;
    enum coding coding = coding_of(value);
    bool undone = coding == CODING_GZIP || coding == CODING_DEFLATE;
    if (!undone || !(x->wants & SQUALL_WANT_BODY) || answer->decoder || step_of(x)->kind == H1_REQUEST_HEAD)
        return;
    answer->decoder = decoder_take(&worker->decoders, coding);
    if (!answer->decoder)
        answer->broken = "no memory to undo the body's coding";
}

static bool name_is(struct squall_bytes name, const char *literal, size_t len)
{
    return h1_token_is(name.data, name.len, literal, len);
}
#define NAME_IS(name, literal) name_is(name, literal, sizeof(literal) - 1)

void http_answer_date(struct http_answer *answer, struct squall_bytes value)
{
    if (value.len > sizeof answer->date)
        return;
    memcpy(answer->date, value.data, value.len);
    answer->date_len = (uint8_t)value.len;
}

void http_answer_field(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer, uint32_t status,
                       struct squall_bytes name, struct squall_bytes value)
{
    switch (name.len) {
    case sizeof "date" - 1:
        if (NAME_IS(name, "date"))
            http_answer_date(answer, value);
        break;
    case sizeof "location" - 1:
        if (is_redirect(status) && step_of(x)->redirects > 0 && NAME_IS(name, "location"))
            take_location(conn, x, answer, status, value);
        break;
    case sizeof "set-cookie" - 1:
        if (target_of(x)->cookies && NAME_IS(name, "set-cookie"))
            take_cookie(conn, x, answer, value);
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
    else if (answer->decoder)
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
    if (answer->decoder)
        answer->broken = decoder_feed(answer->decoder, bytes, hand_on, &handing);
    else
        hand_on(&handing, bytes);
}

void http_answer_drop(const struct squall_worker *view, struct http_answer *answer)
{
    struct http_worker *worker = view->state;
    decoder_give(&worker->decoders, answer->decoder);
    answer->decoder = NULL;
}

uint32_t http_answer_end(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                         uint32_t status, const char **ret_reason)
{
    if (answer->decoder && !answer->broken)
        answer->broken = decoder_end(answer->decoder);
    http_answer_drop(conn->worker, answer);
    *ret_reason = answer->broken;
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
