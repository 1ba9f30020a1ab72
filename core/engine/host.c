/*
 * What plugins may call. Each function changes state and returns; what follows from it happens when the plugin has
 * returned (conn_settle). Calls on a connection or an exchange that is gone change nothing.
 */
#include "engine/internal.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct engine *engine_of(const struct squall_worker *view)
{
    return ((const struct plugin_worker *)(const void *)view)->engine;
}

static bool alive(const struct conn *conn)
{
    return conn->state >= CONN_OPENING && conn->state <= CONN_FLUSHING && !conn->reset_wanted;
}

static uint64_t host_now_ns(const struct squall_worker *view)
{
    return engine_of(view)->now_ns;
}

static uint64_t host_random(struct squall_worker *view)
{
    return random_next(&engine_of(view)->random);
}

static void host_log(struct squall_worker *view, uint32_t level, const char *line)
{
    const struct plugin_worker *worker = (const struct plugin_worker *)(void *)view;
    log_line(level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level, "%s: %s", worker->protocol->name, line);
}

/* ---- output ---- */

static struct segment *last_segment(struct output *output)
{
    return output->count ? &output->segments[(output->first + output->count - 1) % SEGMENTS] : NULL;
}

static void add_segment(struct output *output, const uint8_t *borrowed, size_t len)
{
    output->segments[(output->first + output->count++) % SEGMENTS] = (struct segment){.borrowed = borrowed, .len = len};
}

/* The last place is kept for owned bytes, so that a reserve can always be committed. */
static bool borrow_fits(const struct output *output)
{
    return output->count < SEGMENTS - 1;
}

static uint8_t *host_out_reserve(struct squall_conn *view, uint64_t len)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn) || conn->pool->own_transport)
        return NULL;
    struct output *output = output_of(conn);
    if (output->taken && output->taken >= output->bytes.len / 2) {
        buffer_consume(&output->bytes, output->taken);
        output->taken = 0;
    }
    uint8_t *room = buffer_reserve(&output->bytes, len);
    conn->room_wanted |= !room;
    return room;
}

/* Nothing else follows from it where the output goes out later anyway. */
static void output_added(struct conn *conn)
{
    if (conn->state == CONN_UP && conn->capacity > 1 && !conn->close_wanted)
        conn_flush_soon(conn, true);
    else
        conn_touch(conn);
}

static void host_out_commit(struct squall_conn *view, uint64_t len)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn) || !len || conn->pool->own_transport)
        return;
    struct output *output = output_of(conn);
    output->bytes.len += len;
    output->queued += len;
    struct segment *last = last_segment(output);
    if (last && !last->borrowed)
        last->len += len;
    else
        add_segment(output, NULL, len);
    output_added(conn);
}

static int32_t host_out_borrow(struct squall_conn *view, struct squall_bytes run_memory)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn) || conn->pool->own_transport)
        return -1;
    if (!run_memory.len)
        return 0;
    struct output *output = output_of(conn);
    if (!borrow_fits(output)) {
        uint8_t *room = host_out_reserve(view, run_memory.len);
        if (!room)
            return -1;
        memcpy(room, run_memory.data, run_memory.len);
        host_out_commit(view, run_memory.len);
        return 0;
    }
    add_segment(output, run_memory.data, run_memory.len);
    output->queued += run_memory.len;
    output_added(conn);
    return 0;
}

static int32_t host_out_room(struct squall_conn *view, uint64_t enough)
{
    struct conn *conn = conn_of(view);
    const struct output *output = conn->output;
    if ((output ? output->queued - output->written : 0) < enough)
        return 1;
    conn->room_wanted = true;
    return 0;
}

static void host_request_end(struct squall_exchange *view)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT || exchange->request_ended || !alive(exchange->conn) || exchange->conn->pool->own_transport)
        return;
    exchange->request_ended = true;
    struct output *output = exchange->conn->output;
    if (!conn_has_output(exchange->conn)) {
        exchange_sent(exchange, engine_stamp(exchange->user->engine));
        return;
    }
    exchange->end_offset = output->queued;
    list_append(&output->unsent, &exchange->unsent);
}

/* ---- connection ---- */

static void host_capacity(struct squall_conn *view, uint32_t in_flight_max)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn))
        return;
    conn->capacity = in_flight_max;
    conn_touch(conn);
}

static void host_retire(struct squall_conn *view)
{
    struct conn *conn = conn_of(view);
    conn->retired = true;
    conn_touch(conn);
}

static void host_close(struct squall_conn *view, uint32_t how)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn))
        return;
    conn->close_wanted = true;
    conn->reset_wanted = how == SQUALL_CLOSE_RESET;
    conn_touch(conn);
}

static void host_fail(struct squall_conn *view, const char *why)
{
    struct conn *conn = conn_of(view);
    if (!alive(conn))
        return;
    conn_fail(conn, why ? why : "the protocol gave up the connection");
    conn_touch(conn);
}

static void host_refuse(struct squall_conn *view, const struct squall_step *step, const char *why)
{
    struct conn *conn = conn_of(view);
    struct engine *engine = conn->pool->engine;
    struct error error = {0};
    if (!alive(conn))
        return;
    if (step)
        scenario_step_error(engine->scenario, (const struct step *)(const void *)step, why ? why : "refused", &error);
    else
        error_set(&error, "target %s: %s", conn->pool->target->name, why ? why : "refused");
    if (!engine->started && !engine->refused) {
        engine->refused = true;
        snprintf(engine->refusal, sizeof engine->refusal, "%s", error.text);
    }
    host_fail(view, why);
}

static int32_t host_tls(struct squall_conn *view, struct squall_tls *ret_tls)
{
    struct error error = {0};
    if (tls_tell(conn_of(view), ret_tls, &error) == 0)
        return 0;
    host_fail(view, error.text);
    return -1;
}

static const void *host_conn_options(struct squall_conn *view)
{
    struct conn *conn = conn_of(view);
    const struct target *target = conn->pool->target;
    const void *options = target->view.options;
    struct error error = {0};
    if (!target->variable_count || !conn->owner)
        return options;
    struct eval eval = variables_eval(conn->owner, NULL);
    eval.scratch = &conn->pool->engine->conn_scratch;
    arena_reset(eval.scratch);
    if (target_render(target, &eval, &options, &error) == 0)
        return options;
    host_fail(view, error.text);
    return NULL;
}

static void host_tick_at(struct squall_conn *view, uint64_t at_ns)
{
    struct conn *conn = conn_of(view);
    if (conn->connected && conn_abi(conn)->tick)
        timer_set(&conn->pool->engine->timers, &conn->tick, at_ns);
}

/* ---- exchange ---- */

static void host_first_byte(struct squall_exchange *view)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state == EXCHANGE_IN_FLIGHT && !exchange->answerless && exchange->first_byte_ns == NO_TIME)
        exchange->first_byte_ns = engine_stamp(exchange->user->engine);
}

static void host_body(struct squall_exchange *view, struct squall_bytes bytes)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT)
        return;
    if (!exchange->body)
        exchange->body = buffer_take(exchange->user->engine, BODY_KEPT_MAX);
    uint64_t room = BODY_KEPT_MAX - exchange->body->len;
    buffer_append(exchange->body, bytes.data, bytes.len < room ? bytes.len : room);
}

static void host_ended(struct squall_exchange *view)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state == EXCHANGE_IN_FLIGHT && !exchange->cancelled && !exchange->ended)
        exchange_ended(exchange);
}

static void host_done(struct squall_exchange *view, const struct squall_result *result)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT || exchange->cancelled) {
        log_line(LOG_ERROR, "plugin law 1 broken: done() on an exchange that has ended; ignored");
        return;
    }
    enum outcome outcome = result->outcome <= SQUALL_UNSENT       ? (enum outcome)result->outcome
                           : result->outcome == SQUALL_BROKEN_OFF ? OUTCOME_DISCONNECTED
                                                                  : OUTCOME_MALFORMED;
    exchange_end(exchange, outcome, result, result->reason);
}

static void host_request_is_all(struct squall_exchange *view, uint64_t bytes_out)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT || exchange->cancelled) {
        log_line(LOG_ERROR, "plugin law 1 broken: request_is_all() on an exchange that has ended; ignored");
        return;
    }
    host_request_end(view);
    exchange->answerless = true;
    exchange->bytes_out = bytes_out;
    /* With a transport of its own a plugin knows when it has been sent: then it is now. */
    if (exchange->sent_ns != NO_TIME || exchange->conn->pool->own_transport)
        exchange_end_sent(exchange);
}

static int32_t host_again(struct squall_exchange *view)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT || exchange->cancelled)
        return -1;
    return exchange_give_back(exchange);
}

static int32_t host_follow(struct squall_exchange *view)
{
    struct exchange *exchange = exchange_of(view);
    if (exchange->state != EXCHANGE_IN_FLIGHT || exchange->cancelled || view->hop >= SQUALL_HOPS_MAX)
        return -1;
    exchange->followed = true;
    return 0;
}

/* ---- messages of streams ---- */

static bool in_flight(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_IN_FLIGHT && !exchange->cancelled;
}

static void host_every(struct squall_exchange *view, uint64_t interval_ns)
{
    if (in_flight(exchange_of(view)))
        messages_every(exchange_of(view), interval_ns);
}

static void host_message_sent(struct squall_exchange *view, uint64_t key)
{
    if (in_flight(exchange_of(view)))
        messages_sent(exchange_of(view), key);
}

static void host_message_answered(struct squall_exchange *view, uint64_t key)
{
    if (in_flight(exchange_of(view)))
        messages_answered(exchange_of(view), key);
}

static void host_message_received(struct squall_exchange *view)
{
    if (in_flight(exchange_of(view)))
        messages_received(exchange_of(view));
}

/* ---- what belongs to no exchange ---- */

static void host_sample(struct squall_worker *view, const struct squall_step *step, uint32_t metric, uint64_t value)
{
    struct engine *engine = engine_of(view);
    measure_metric(engine, step, metric, value, engine->now_ns);
}

static uint64_t host_stamp_ns(struct squall_worker *view)
{
    return engine_stamp(engine_of(view));
}

static uint32_t host_address(struct squall_worker *view, const struct squall_step *step, struct squall_bytes address)
{
    return tracks_address(&engine_of(view)->tracks, ((const struct step *)(const void *)step)->series, address);
}

static void host_sent_to(struct squall_worker *view, uint32_t address, uint64_t due_ns)
{
    struct engine *engine = engine_of(view);
    if (engine->started && due_ns >= engine->warm_until_ns)
        tracks_sent(&engine->tracks, address, 1);
}

static void host_want(struct squall_worker *view, const struct squall_step *step, struct squall_bytes pattern, uint32_t plain,
                      int32_t receivers)
{
    struct engine *engine = engine_of(view);
    if (!engine->over)
        tracks_want(&engine->tracks, ((const struct step *)(const void *)step)->series, pattern, plain != 0, receivers, !engine->started);
}

/* What another thread posted happened when it was posted. */
static void host_elapsed(struct squall_worker *view, const struct squall_step *step, uint32_t metric, uint64_t since_ns)
{
    struct engine *engine = engine_of(view);
    uint64_t now_ns = engine->posted_ns ? engine->posted_ns : engine_stamp(engine);
    measure_metric(engine, step, metric, now_ns > since_ns ? now_ns - since_ns : 0, since_ns);
}

/* ---- times that cross workers ---- */

static int32_t host_set_out(struct squall_worker *view, uint64_t key)
{
    struct engine *engine = engine_of(view);
    uint64_t at_ns = engine_stamp(engine);
    if (!engine->started || at_ns < engine->warm_until_ns)
        return 0;
    return crossings_start(&engine->crossings, CROSSINGS_MAX, key, at_ns);
}

/* What set out in this worker is known at once; what did not may have in another, which only the controller sees. */
static int32_t host_arrived(struct squall_worker *view, const struct squall_step *step, uint32_t metric, uint64_t key)
{
    struct engine *engine = engine_of(view);
    uint64_t start_ns, at_ns = engine->posted_ns ? engine->posted_ns : engine_stamp(engine);
    engine->last_delivery_ns = engine->now_ns;
    if (crossings_find(&engine->crossings, key, &start_ns)) {
        measure_metric(engine, step, metric, at_ns > start_ns ? at_ns - start_ns : 0, start_ns);
        return 0;
    }
    if (!engine->started || engine->config.workers < 2 || at_ns < engine->warm_until_ns)
        return 0; /* nobody else's either: all workers' warm-ups end at one time */
    uint32_t series = ((const struct step *)(const void *)step)->series;
    return crossings_end(&engine->crossings, CROSSINGS_MAX, &(struct crossing_end){key, at_ns, series, metric});
}

/* ---- for who looks on ---- */

static void host_trace(struct squall_conn *view, uint32_t what, struct squall_bytes name, struct squall_bytes value)
{
    struct conn *conn = conn_of(view);
    struct engine *engine = conn->pool->engine;
    conn->traced |= what == SQUALL_TRACE_SENT || what == SQUALL_TRACE_RECEIVED;
    engine->config.trace(engine->config.arg, conn, what, &name, &value);
}

/* ---- posts from other threads ---- */

static int32_t host_hold(struct squall_worker *view, void (*fn)(struct squall_worker *, void *), void *arg)
{
    struct engine *engine = engine_of(view);
    int32_t status = -1;
    uint64_t at_ns = clock_now_ns();
    pthread_mutex_lock(&engine->post_lock);
    if (engine->post_count < POSTS_MAX) {
        engine->posts[engine->post_count++] = (struct post){view, fn, arg, at_ns};
        status = 0;
    }
    pthread_mutex_unlock(&engine->post_lock);
    return status;
}

static void host_wake(struct squall_worker *view)
{
    loop_wake(engine_of(view)->loop);
}

static int32_t host_post(struct squall_worker *view, void (*fn)(struct squall_worker *, void *), void *arg)
{
    int32_t status = host_hold(view, fn, arg);
    if (status == 0)
        host_wake(view);
    return status;
}

void host_run_posts(void *arg)
{
    struct engine *engine = arg;
    pthread_mutex_lock(&engine->post_lock);
    struct post *posts = engine->posts;
    uint32_t count = engine->post_count;
    engine->posts = engine->posts_taken;
    engine->posts_taken = posts;
    engine->post_count = 0;
    pthread_mutex_unlock(&engine->post_lock);
    for (uint32_t i = 0; i < count; i++) {
        engine->posted_ns = posts[i].at_ns;
        posts[i].fn(posts[i].worker, posts[i].arg);
    }
    engine->posted_ns = 0;
    engine_settle(engine);
}

void host_init(struct engine *engine)
{
    engine->host = (struct squall_host){.size = sizeof engine->host,
                                        .abi_major = SQUALL_ABI_MAJOR,
                                        .abi_minor = SQUALL_ABI_MINOR,
                                        .now_ns = host_now_ns,
                                        .random = host_random,
                                        .log = host_log,
                                        .out_reserve = host_out_reserve,
                                        .out_commit = host_out_commit,
                                        .out_borrow = host_out_borrow,
                                        .request_end = host_request_end,
                                        .capacity = host_capacity,
                                        .retire = host_retire,
                                        .close = host_close,
                                        .fail = host_fail,
                                        .first_byte = host_first_byte,
                                        .body = host_body,
                                        .done = host_done,
                                        .post = host_post,
                                        .again = host_again,
                                        .follow = host_follow,
                                        .refuse = host_refuse,
                                        .conn_options = host_conn_options,
                                        .every = host_every,
                                        .message_sent = host_message_sent,
                                        .message_answered = host_message_answered,
                                        .message_received = host_message_received,
                                        .sample = host_sample,
                                        .elapsed = host_elapsed,
                                        .stamp_ns = host_stamp_ns,
                                        .out_room = host_out_room,
                                        .tick_at = host_tick_at,
                                        .address = host_address,
                                        .sent_to = host_sent_to,
                                        .want = host_want,
                                        .set_out = host_set_out,
                                        .arrived = host_arrived,
                                        .hold = host_hold,
                                        .wake = host_wake,
                                        .tls = host_tls,
                                        .trace = engine->config.trace ? host_trace : NULL,
                                        .ended = host_ended,
                                        .request_is_all = host_request_is_all};
    engine->recorder = (struct squall_recorder){.field = measure_field, .sample = measure_sample};
    pthread_mutex_init(&engine->post_lock, NULL);
    engine->posts = arena_alloc(&engine->arena, POSTS_MAX * sizeof *engine->posts);
    engine->posts_taken = arena_alloc(&engine->arena, POSTS_MAX * sizeof *engine->posts_taken);
    loop_on_wake(engine->loop, host_run_posts, engine);
}

void host_fini(struct engine *engine)
{
    pthread_mutex_destroy(&engine->post_lock);
}
