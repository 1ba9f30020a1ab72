/* Driving a plugin by hand: objects and their lives. What the plugin calls back is in fake_calls.c. See fake_host.h. */
#include "fake_host.h"
#include "fake_calls.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define CANARY_LEN 16
#define CANARY     0xa5
#define START_NS   UINT64_C(1000000000)

static const struct squall_protocol *abi_of(const struct fake_host *host)
{
    return &host->protocol->abi;
}

/* ---- state blocks ---- */

static void *block_new(uint32_t size)
{
    if (!size)
        return NULL;
#ifdef FAKE_SANITIZED
    return xcalloc(1, size);
#else
    uint8_t *block = xcalloc(1, (size_t)size + CANARY_LEN);
    memset(block + size, CANARY, CANARY_LEN);
    return block;
#endif
}

static void block_free(struct fake_host *host, void *block, uint32_t size, const char *what)
{
#ifndef FAKE_SANITIZED
    for (size_t i = 0; block && i < CANARY_LEN; i++)
        if (((uint8_t *)block)[size + i] != CANARY) {
            fake_violation(host, "memory: wrote behind its %s of %u bytes", what, size);
            break;
        }
#else
    (void)host;
    (void)size;
    (void)what;
#endif
    free(block);
}

/* ---- options ---- */

static int put_option(const struct squall_option *row, const char *value, struct arena *arena, uint8_t *block,
                      struct error *error)
{
    if (row->type == SQUALL_TREE) {
        struct squall_tree tree = {.text = {(const uint8_t *)arena_copy(arena, value, strlen(value)), strlen(value)}};
        memcpy(block + row->offset, &tree, sizeof tree);
        return 0;
    }
    if (row->type != SQUALL_MAP) {
        struct squall_bytes text = {(const uint8_t *)arena_copy(arena, value, strlen(value)), strlen(value)};
        return option_parse(row, text, block, error);
    }
    const char *colon = strchr(value, ':');
    if (!colon)
        return error_set(error, "`%s`: '%s' is no pair; write \"name: value\"", row->name, value);
    const char *behind = colon + 1 + strspn(colon + 1, " ");
    struct squall_map map;
    memcpy(&map, block + row->offset, sizeof map);
    struct squall_pair *pairs = arena_alloc(arena, (map.count + 1) * sizeof *pairs);
    if (map.count)
        memcpy(pairs, map.pairs, map.count * sizeof *pairs);
    pairs[map.count].name =
        (struct squall_bytes){(uint8_t *)arena_copy(arena, value, (size_t)(colon - value)), (uint64_t)(colon - value)};
    pairs[map.count].value =
        (struct squall_bytes){(uint8_t *)arena_copy(arena, behind, strlen(behind)), strlen(behind)};
    map = (struct squall_map){pairs, map.count + 1};
    memcpy(block + row->offset, &map, sizeof map);
    return 0;
}

/* What a required option without a value gets: the smallest thing that its type allows. */
static const char *any_value(const struct squall_option *row, struct arena *arena)
{
    switch (row->type) {
    case SQUALL_UINT:
    case SQUALL_SIZE:
        return arena_printf(arena, "%llu", (unsigned long long)row->min);
    case SQUALL_DURATION:
        return arena_printf(arena, "%lluns", (unsigned long long)row->min);
    case SQUALL_BOOL:
        return "false";
    case SQUALL_CHOICE:
        return row->choices[0];
    case SQUALL_MAP:
        return "name: value";
    case SQUALL_TREE:
        return "{}";
    default:
        return row->role & SQUALL_ROLE_URL_PATH ? "/" : "x";
    }
}

/* The struct that the table describes, filled as the engine would: given values, then fallbacks. */
static void *fill_options(const struct squall_table *table, const struct fake_option *given, struct arena *arena,
                          struct error *error)
{
    uint8_t *block = arena_alloc(arena, table->size);
    for (const struct fake_option *option = given; option && option->name; option++) {
        bool known = strcmp(option->name, "verb") == 0;
        for (uint32_t i = 0; i < table->count; i++)
            known = known || strcmp(protocol_option(table, i)->name, option->name) == 0;
        if (!known) {
            error_set(error, "`%s` is no option of this plugin; see `squall plugin show`", option->name);
            return NULL;
        }
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_option *row = protocol_option(table, i);
        bool found = false;
        for (const struct fake_option *option = given; option && option->name; option++)
            if (strcmp(row->name, option->name) == 0) {
                found = true;
                if (put_option(row, option->value, arena, block, error))
                    return NULL;
            }
        const char *value = row->fallback;
        if (!value && (row->role & SQUALL_ROLE_REQUIRED))
            value = any_value(row, arena);
        if (!value && row->type == SQUALL_STRING)
            value = "";
        if (!found && value && put_option(row, value, arena, block, error))
            return NULL;
    }
    return block;
}

/* ---- host ---- */

static struct squall_bytes text_bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static int start(struct fake_host *host, const struct fake_option *target_options, struct error *error)
{
    const struct squall_protocol *abi = abi_of(host);
    struct squall_error why = {""};
    uint16_t port = 0;
    bool secure = false;
    size_t len = strcspn(abi->schemes, ",");
    protocol_scheme(host->protocol, arena_copy(&host->arena, abi->schemes, len), &port, &secure);
    void *options = fill_options(&abi->target_options, target_options, &host->arena, error);
    if (!options)
        return -1;
    host->target = (struct squall_target){.state = block_new(abi->target_size),
                                          .options = options,
                                          .host = text_bytes("test.local"),
                                          .authority = text_bytes("test.local"),
                                          .port = port ? port : 1,
                                          .secure = secure};
    host->user = (struct squall_user){.state = block_new(abi->user_size), .id = 1};
    host->worker = (struct squall_worker){.state = block_new(abi->worker_size), .host = &host->table, .run = 1};
    if (abi->target_init && abi->target_init(&host->target, &why)) {
        block_free(host, host->target.state, abi->target_size, "target state");
        host->target.state = NULL;
        host->target.options = NULL;
        return error_set(error, "target_init: %s", why.text);
    }
    if (abi->worker_init && abi->worker_init(&host->worker, &why))
        return error_set(error, "worker_init: %s", why.text);
    host->worker_started = true;
    return 0;
}

struct fake_host *fake_host_new(const struct protocol *protocol, const struct fake_option *target_options,
                                struct error *error)
{
    struct fake_host *host = xcalloc(1, sizeof *host);
    host->protocol = protocol;
    host->thread = pthread_self();
    host->now_ns = START_NS;
    host->random = 1;
    pthread_mutex_init(&host->lock, NULL);
    arena_init(&host->arena);
    fake_calls_init(host);
    if (start(host, target_options, error) == 0)
        return host;
    fake_host_stop(host);
    fake_host_free(host);
    return NULL;
}

static void end_own_user(struct fake_conn *conn)
{
    const struct squall_protocol *abi = abi_of(conn->host);
    if (!conn->own.id)
        return;
    if (abi->user_fini)
        abi->user_fini(&conn->own);
    block_free(conn->host, conn->own.state, abi->user_size, "user state");
    conn->own = (struct squall_user){0};
}

void fake_host_stop(struct fake_host *host)
{
    const struct squall_protocol *abi = abi_of(host);
    for (struct fake_conn *conn = host->conns; conn; conn = conn->next) {
        fake_conn_cancel_all(conn);
        fake_conn_drop(conn);
    }
    for (struct fake_conn *conn = host->conns; conn; conn = conn->next)
        end_own_user(conn);
    fake_host_run_posts(host);
    if (host->worker_started && abi->user_fini)
        abi->user_fini(&host->user);
    if (host->worker_started && abi->worker_fini)
        abi->worker_fini(&host->worker);
    host->worker_started = false;
    host->post_count = 0; /* as in the engine: what is posted by now never runs */
    for (struct fake_step *step = host->steps; step; step = step->next) {
        if (abi->step_fini)
            abi->step_fini(&step->view);
        block_free(host, step->view.state, abi->step_size, "step state");
    }
    host->steps = NULL;
    if (host->target.options && abi->target_fini)
        abi->target_fini(&host->target);
    host->target.options = NULL;
    block_free(host, host->target.state, abi->target_size, "target state");
    block_free(host, host->user.state, abi->user_size, "user state");
    block_free(host, host->worker.state, abi->worker_size, "worker state");
    host->target.state = host->user.state = host->worker.state = NULL;
}

static void conn_free(struct fake_conn *conn)
{
    while (conn->exchanges) {
        struct fake_exchange *exchange = conn->exchanges;
        conn->exchanges = exchange->next;
        free(exchange);
    }
    buffer_fini(&conn->in);
    buffer_fini(&conn->out);
    buffer_fini(&conn->transcript);
    buffer_fini(&conn->traced);
    free(conn);
}

void fake_host_free(struct fake_host *host)
{
    while (host->conns) {
        struct fake_conn *conn = host->conns;
        host->conns = conn->next;
        conn_free(conn);
    }
    arena_fini(&host->arena);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

/* The row of the verb that the options name; the first when they name none. */
static uint64_t verb_of(const struct squall_table *verbs, const struct fake_option *options)
{
    for (const struct fake_option *option = options; option && option->name; option++)
        for (uint32_t i = 0; strcmp(option->name, "verb") == 0 && i < verbs->count; i++)
            if (strcmp(protocol_verb(verbs, i)->name, option->value) == 0)
                return i;
    return 0;
}

struct fake_step *fake_host_step(struct fake_host *host, const struct fake_option *options, bool variable,
                                 struct error *error)
{
    const struct squall_protocol *abi = abi_of(host);
    const struct squall_table *table = &abi->step_options;
    struct squall_error why = {""};
    void *block = fill_options(table, options, &host->arena, error);
    if (!block)
        return NULL;
    uint64_t all = table->count == 64 ? UINT64_MAX : (UINT64_C(1) << table->count) - 1;
    struct fake_step *step = arena_alloc(&host->arena, sizeof *step);
    step->host = host;
    step->options = options;
    step->block = block;
    step->constant = variable ? 0 : all;
    step->view = (struct squall_step){.state = block_new(abi->step_size), .target = &host->target, .verb = verb_of(&abi->verbs, options)};
    const void *constant_options = variable ? arena_alloc(&host->arena, table->size) : block;
    if (abi->step_init && abi->step_init(&step->view, constant_options, step->constant, &why)) {
        block_free(host, step->view.state, abi->step_size, "step state");
        error_set(error, "step_init: %s", why.text);
        return NULL;
    }
    step->next = host->steps;
    host->steps = step;
    return step;
}

/* ---- into the plugin and back ---- */

static void enter(struct fake_conn *conn)
{
    conn->host->depth++;
}

/* What the plugin asked for happens once it has returned, as in the engine. */
static void leave(struct fake_conn *conn)
{
    conn->host->depth--;
    fake_reserve_forget(conn);
    free(conn->options);
    conn->options = NULL;
    if (conn->retired && !conn->in_flight)
        conn->close_wanted = true;
    if (conn->close_wanted)
        fake_conn_drop(conn);
}

static void tick(struct fake_conn *conn)
{
    enter(conn);
    conn->next_tick_ns = abi_of(conn->host)->tick(&conn->view, conn->host->now_ns);
    leave(conn);
}

struct fake_conn *fake_conn_new(struct fake_host *host, bool per_user)
{
    struct fake_conn *conn = xcalloc(1, sizeof *conn);
    conn->host = host;
    conn->next = host->conns;
    host->conns = conn;
    conn->out_room = UINT64_MAX;
    conn->in.limit = FAKE_INPUT_MAX;
    conn->view = (struct squall_conn){.state = block_new(abi_of(host)->conn_size),
                                      .worker = &host->worker,
                                      .target = &host->target,
                                      .user = per_user ? &host->user : NULL,
                                      .alpn = host->alpn ? text_bytes(host->alpn) : (struct squall_bytes){NULL, 0}};
    if (per_user && (abi_of(host)->flags & SQUALL_SESSIONS)) {
        conn->own = (struct squall_user){.state = block_new(abi_of(host)->user_size), .id = 1};
        conn->view.user = &conn->own;
    }
    conn->connected = true;
    enter(conn);
    abi_of(host)->connect(&conn->view);
    leave(conn);
    if (conn->connected && abi_of(host)->tick)
        tick(conn);
    return conn;
}

bool fake_conn_free_for_request(const struct fake_conn *conn)
{
    return conn->connected && !conn->retired && conn->in_flight < conn->capacity;
}

struct fake_exchange *fake_conn_request(struct fake_conn *conn, const struct fake_step *step, uint32_t wants)
{
    const struct squall_protocol *abi = abi_of(conn->host);
    struct fake_exchange *exchange = xcalloc(1, sizeof *exchange);
    struct arena rendered;
    struct error error;
    arena_init(&rendered);
    exchange->conn = conn;
    exchange->number = ++conn->exchange_count;
    exchange->next = conn->exchanges;
    conn->exchanges = exchange;
    conn->in_flight++;
    exchange->view =
        (struct squall_exchange){.state = block_new(abi->exchange_size),
                                 .step = &step->view,
                                 .user = conn->own.id ? &conn->own : &conn->host->user,
                                 .options = step->constant || !abi->step_options.count
                                                ? step->block
                                                : fill_options(&abi->step_options, step->options, &rendered, &error),
                                 .wants = wants,
                                 .intended_ns = conn->host->now_ns,
                                 .id = exchange->number};
    fake_note(conn, "request %u", exchange->number);
    enter(conn);
    abi->request(&conn->view, &exchange->view);
    arena_fini(&rendered);
    leave(conn);
    return exchange;
}

/* ---- what the network does ---- */

void fake_conn_feed(struct fake_conn *conn, const void *data, uint64_t len)
{
    const struct squall_protocol *abi = abi_of(conn->host);
    if (!conn->connected || !abi->receive || !len)
        return;
    if (buffer_append(&conn->in, data, len)) {
        fake_note(conn, "input over the cap");
        fake_conn_drop(conn);
        return;
    }
    /* A copy of its own, of the exact size: reading behind it is seen, keeping a pointer to it too. */
    uint64_t offered = conn->in.len;
    uint8_t *copy = xmalloc(offered);
    memcpy(copy, conn->in.data, offered);
    enter(conn);
    uint64_t used = abi->receive(&conn->view, copy, offered);
    free(copy);
    if (used > offered) {
        fake_violation(conn->host, "memory: receive() used %llu of %llu bytes", (unsigned long long)used,
                       (unsigned long long)offered);
        used = offered;
    }
    buffer_consume(&conn->in, used);
    leave(conn);
}

void fake_conn_end_of_input(struct fake_conn *conn)
{
    const struct squall_protocol *abi = abi_of(conn->host);
    if (!conn->connected)
        return;
    if (abi->receive) {
        enter(conn);
        abi->receive(&conn->view, NULL, 0);
        leave(conn);
    }
    fake_conn_drop(conn);
}

static void end_in_flight(struct fake_conn *conn)
{
    while (conn->in_flight) {
        struct fake_exchange *oldest = NULL;
        for (struct fake_exchange *exchange = conn->exchanges; exchange; exchange = exchange->next)
            if (exchange->end == FAKE_IN_FLIGHT)
                oldest = exchange;
        fake_note(conn, "disconnected %u", oldest->number);
        fake_exchange_end(oldest, FAKE_DISCONNECTED);
    }
}

void fake_conn_drop(struct fake_conn *conn)
{
    const struct squall_protocol *abi = abi_of(conn->host);
    if (!conn->connected)
        return;
    end_in_flight(conn);
    fake_note(conn, "closed");
    if (abi->disconnect) {
        conn->host->depth++;
        abi->disconnect(&conn->view);
        conn->host->depth--;
    }
    fake_reserve_forget(conn);
    free(conn->options);
    conn->options = NULL;
    fake_borrows_check(conn);
    conn->connected = false;
    block_free(conn->host, conn->view.state, abi->conn_size, "connection state");
    conn->view.state = NULL;
}

void fake_exchange_cancel(struct fake_exchange *exchange)
{
    struct fake_conn *conn = exchange->conn;
    if (exchange->end != FAKE_IN_FLIGHT)
        return;
    fake_note(conn, "cancel %u", exchange->number);
    exchange->end = FAKE_CANCELLED; /* from here on done() breaks law 1 */
    enter(conn);
    abi_of(conn->host)->cancel(&conn->view, &exchange->view);
    fake_exchange_end(exchange, FAKE_CANCELLED);
    leave(conn);
}

void fake_conn_cancel_all(struct fake_conn *conn)
{
    for (uint32_t number = 1; number <= conn->exchange_count; number++)
        for (struct fake_exchange *exchange = conn->exchanges; exchange; exchange = exchange->next)
            if (exchange->number == number)
                fake_exchange_cancel(exchange);
}

void fake_exchange_end(struct fake_exchange *exchange, enum fake_end end)
{
    struct fake_conn *conn = exchange->conn;
    exchange->end = end;
    conn->in_flight--;
    block_free(conn->host, exchange->view.state, abi_of(conn->host)->exchange_size, "exchange state");
    memset(&exchange->view, 0, sizeof exchange->view);
}

void fake_conn_make_room(struct fake_conn *conn, uint64_t room)
{
    bool wanted = conn->room_wanted;
    conn->out_room = room;
    conn->room_wanted = false;
    if (!wanted || !conn->connected || !abi_of(conn->host)->writable)
        return;
    enter(conn);
    abi_of(conn->host)->writable(&conn->view);
    leave(conn);
}

static void run_turns(struct fake_exchange *exchange)
{
    struct fake_conn *conn = exchange->conn;
    while (exchange->end == FAKE_IN_FLIGHT && exchange->every_ns && exchange->turn_ns <= conn->host->now_ns) {
        exchange->turn_ns += exchange->every_ns;
        enter(conn);
        abi_of(conn->host)->turn(&conn->view, &exchange->view, exchange->turns++);
        leave(conn);
    }
}

void fake_host_advance(struct fake_host *host, uint64_t ns)
{
    host->now_ns += ns;
    for (struct fake_conn *conn = host->conns; conn; conn = conn->next)
        if (conn->connected && conn->next_tick_ns && conn->next_tick_ns <= host->now_ns)
            tick(conn);
    for (struct fake_conn *conn = host->conns; abi_of(host)->turn && conn; conn = conn->next)
        for (struct fake_exchange *exchange = conn->exchanges; exchange; exchange = exchange->next)
            run_turns(exchange);
}

uint32_t fake_host_run_posts(struct fake_host *host)
{
    struct fake_post posts[FAKE_POSTS_MAX];
    pthread_mutex_lock(&host->lock);
    uint32_t count = host->posts_due;
    memcpy(posts, host->posts, count * sizeof posts[0]);
    host->post_count -= count;
    memmove(host->posts, host->posts + count, host->post_count * sizeof posts[0]);
    host->posts_due = 0;
    pthread_mutex_unlock(&host->lock);
    for (uint32_t i = 0; i < count; i++) {
        host->depth++;
        posts[i].fn(&host->worker, posts[i].arg);
        host->depth--;
    }
    for (struct fake_conn *conn = host->conns; count && conn; conn = conn->next)
        if (conn->connected && (conn->close_wanted || (conn->retired && !conn->in_flight)))
            fake_conn_drop(conn);
    return count;
}

const char *fake_conn_transcript(struct fake_conn *conn)
{
    buffer_append(&conn->transcript, "", 1);
    conn->transcript.len--;
    return (const char *)conn->transcript.data;
}
