/*
 * The engine's own structs, for the files of core/engine only.
 *
 * Who calls whom: load.c starts journeys -> user.c walks the flow -> exchange.c begins and ends exchanges ->
 * pool.c finds a connection -> conn.c, output.c and stream.c move its bytes -> host.c is what a plugin calls back.
 * Nothing calls a plugin from within a host call (law 9): host calls change state and leave the connection or the user
 * on a list (touched, ready); engine_settle works these off once the plugin has returned.
 *
 * What each user, exchange and connection carries is kept small: a run may have tens of thousands that wait. So there
 * are three kinds of member. What is needed at any time stands in the struct. What is needed for a while only stands
 * behind a pointer that is NULL at other times, and comes from a list of spare ones: an exchange with its plugin's state
 * (exchange.c); and of spare.c the body of an answer, the transit of a connection that is on its way, the output that the kernel has
 * not taken, the input that a plugin has left. What only some scenarios need is an array that others do not have (slots, variables, feeds).
 * tests/unit/test_sizes.c holds the bounds.
 */
#ifndef SQUALL_ENGINE_INTERNAL_H
#define SQUALL_ENGINE_INTERNAL_H
#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/spool.h"
#include "engine/connection.h"
#include "engine/engine.h"
#include "metrics/crossings.h"
#include "metrics/tracks.h"
#include <pthread.h>

#define BODY_KEPT_MAX (UINT64_C(1) << 20)  /* of an answer, for checks */
#define INPUT_HELD_MAX (UINT64_C(1) << 20) /* of bytes that a plugin has not used yet */
#define OUTPUT_HELD_MAX (UINT64_C(64) << 20)
#define MESSAGES_MAX 4096 /* of one exchange that wait for their answer; the oldest makes room */
#define FIELDS_MAX 128
#define POSTS_MAX 65536
#define WAITING_ARRIVALS_MAX (UINT64_C(1) << 20)
#define CONNECTING_MAX 100 /* at once, for each pool: below the usual listen backlog */
#define LINGER_NS NS_PER_S /* for deliveries that are under way when the load has ended */
#define NEVER UINT64_MAX
#define NO_TIME RAW_NO_TIME

/* ---- exchanges and users ---- */

enum exchange_state { EXCHANGE_NONE, EXCHANGE_WAITING, EXCHANGE_IN_FLIGHT };

/* How full an exchange found its pool: at most a quarter, anything between, or it had to wait. */
enum crowd_met { CROWD_FEW, CROWD_SOME, CROWD_FULL };

struct exchange {
    struct squall_exchange view; /* first */
    struct exchange *next;       /* of its user's, or of the spare ones */
    struct user *user;
    struct conn *conn; /* NULL: it waits for one */
    uint8_t state; /* enum exchange_state */
    uint8_t block; /* enum block */
    uint8_t crowd; /* enum crowd_met */
    uint8_t given_back;
    bool waited : 1, attempted : 1, request_ended : 1, cancelled : 1, followed : 1, ended : 1;
    bool answerless : 1; /* ends when it is sent */
    union { uint64_t possible_ns, send_lag_ns; }; /* from when it could have been sent; attempted: how much later it was */
    uint64_t handed_ns, sent_ns; /* NO_TIME: not yet, as in the next one */
    union { uint64_t first_byte_ns, bytes_out; }; /* of the answer; answerless: of the request */
    union { uint64_t end_offset, ended_ns; }; /* in the connection's output; of one that waits for done() */
    struct link place;     /* in pool->waiting or conn->waiters, conn->exchanges (IN_FLIGHT), or engine->following */
    struct link unsent;    /* in output->unsent */
    struct link deadline;  /* in pool->deadlines */
    struct buffer *body;   /* of the answer; NULL: none of it was kept */
    struct messages *messages; /* NULL until it has some */
};

/* One that was sent and is not answered. */
struct message {
    uint64_t key, intended_ns, sent_ns, end_offset; /* sent_ns NO_TIME: the kernel has not taken end_offset */
    bool answered;
};

/* The messages of an exchange, and of those that its user has later. */
struct messages {
    struct exchange *exchange;
    struct message *ring; /* size places, a power of two */
    uint32_t size, first, count, unsent;
    struct link streaming; /* in output->streaming while unsent > 0 */
    struct timer turn;
    uint64_t every_ns, due_ns, number;
    bool in_turn;
    uint64_t last_received_ns; /* NO_TIME: none yet */
};

/* One of a user's places for what its walk is in: a loop's and a transaction's of the same depth share it. */
struct slot {
    uint64_t began_ns; /* the transaction */
    bool failed;
    uint16_t transaction; /* of scenario->transactions */
    uint32_t left;     /* rounds of the loop */
};

/* The rows that a user reads. */
struct user_feeds {
    struct squall_bytes *rows; /* as scenario->feeds: its journey's; data NULL: none */
    uint64_t *draws;           /* how many of each feed it took for itself */
    uint64_t held;             /* bit i: its setup took rows[i], and the first journey keeps it */
};

struct user {
    struct engine *engine;
    uint64_t id;
    const struct user_class *class;
    const struct op *op;        /* where it is in the program that it walks */
    struct exchange *exchanges; /* under way: one at most, but for parallel steps. NULL: none */
    uint32_t in_flight;        /* how many of them have not ended */
    uint32_t load;             /* that it belongs to, of engine->loads */
    uint32_t class_place;      /* of its class in the load's */
    uint8_t walk;              /* enum walk */
    uint8_t journey_block;     /* enum block */
    uint8_t span_count;        /* transactions that are open */
    bool set_up : 1, waited : 1; /* its setup has ended; the walk has waited for something */
    bool in_journey : 1, failed : 1, active : 1, spent : 1;
    struct link place;         /* ready: in engine->ready; with nothing to walk: among its class's idle users */
    union {
        struct timer timer;    /* walking: the end of a pause; else of its pace, the next tick */
        uint64_t ready_ns;     /* when its next operation is due: what the timer is set to, if it is */
    };
    uint64_t due_ns;           /* of the present journey */
    uint64_t free_since_ns;    /* when it last became idle */
    uint64_t iteration;
    struct random_stream random;
};
_Static_assert(offsetof(struct timer, at_ns) == 0, "user.ready_ns is its timer's time");

/* What users have besides, in arrays of all users: as much for each as the scenario asks for, so nothing as a rule. */
struct users_more {
    struct squall_user *views; /* as engine->plugins: what each plugin sees, with state of its own */
    struct slot *slots;        /* slot_count: as many as the scenario's flows are deep */
    struct value *variables;   /* as scenario->variables; texts lie in `texts` */
    struct buffer *texts;
    struct user_feeds *feeds;    /* NULL: the scenario has none */
    struct script_user *scripts; /* NULL: the scenario has none */
    uint32_t slot_count;
};

/* What a user walks. Only a journey is measured: the rest is counted with the warm-up. */
enum walk { WALK_JOURNEY, WALK_SETUP, WALK_TEARDOWN, WALK_RUN_SETUP, WALK_RUN_TEARDOWN };

/* An arrival that no user was free for. All loads' and classes' share one table, in chains. */
struct waiting_arrival {
    uint64_t due_ns;
    uint32_t next; /* place in the table plus one; 0: the last */
};

/* One class of an open load: its users that have nothing to do, longest first, or its arrivals that wait for one. */
struct class_queue {
    struct link idle;
    uint32_t waiting_first, waiting_last; /* places plus one; 0: none */
};

/* One load of the scenario, this worker's part. */
struct load_run {
    struct engine *engine;
    const struct load *load;
    struct schedule schedule; /* its worker and workers are those that take part */
    uint64_t length_ns;       /* of the schedule; NEVER: it has no end in time */
    struct user *users;       /* user_count of the engine's, in a row */
    uint64_t *ticks;          /* of each, with a pace: the last that has come. NULL: no user keeps one */
    uint32_t user_count;
    bool closed, over;
    uint64_t quota;           /* journeys that may still start, or fall due */
    /* open */
    struct schedule_cursor cursor;
    struct arrival next_arrival;
    bool arrivals_left;
    struct class_queue *queues; /* as load->classes */
    /* closed */
    uint32_t active_users, spent_users; /* that may walk; those of them that have walked all of their journeys */
    uint64_t users_change_ns;
};

/* What makes two errors the same line of the list; parallel to store.errors. */
struct error_key {
    uint32_t series, outcome, code;
    uint64_t reason_hash;
};

struct post {
    struct squall_worker *worker;
    void (*fn)(struct squall_worker *, void *);
    void *arg;
    uint64_t at_ns; /* of the call, by the calling thread */
};

/* A plugin's view of this worker: one for each protocol of the scenario. */
struct plugin_worker {
    struct squall_worker view; /* first */
    struct engine *engine;
    const struct protocol *protocol;
    bool started;
};

/* The last one that was given back first. */
struct spares {
    struct exchange *exchanges;
    struct output *outputs;
    struct transit *transits;
    struct spare_buffer *buffers;
};

struct engine {
    struct engine_config config;
    const struct scenario *scenario;
    struct loop *loop;
    struct arena arena;   /* run */
    struct arena scratch; /* one exchange */
    struct arena conn_scratch; /* conn_options() */
    struct arena tls_scratch;  /* tls(): a plugin may want both at once */
    struct squall_host host;
    struct plugin_worker *plugins; /* as registry indexes; protocol NULL: not used */
    uint32_t plugin_count;
    struct pool *pools;   /* as scenario->targets; count 0: not used by any step */
    struct user *users;
    struct users_more more;
    uint32_t user_count, users_busy;
    uint32_t exchange_size; /* of a plugin's state of one: the largest, since one block serves all */
    uint8_t *input;       /* shared by all connections: INPUT_SIZE bytes */
    struct timers timers;
    struct timer beat, second;
    struct random_stream random;
    struct conn *touched, *last_touched; /* first and last of those that conn_settle has to look at */
    struct link ready, flushes;
    struct spares spares;
    struct link following; /* exchanges to be begun once more: follow() */

    uint64_t now_ns, woke_ns; /* the last stamp taken; the last wake-up */
    uint64_t asked_ns;        /* when the loop wanted to be woken */
    uint64_t start_ns, over_ns, warm_until_ns, drain_until_ns, next_due_ns;
    bool connecting, started, over, stopping, finished;
    uint64_t last_done_ns; /* when the last exchange ended */
    bool preparing, hurried;  /* setups are walked before the start; told to stop now */
    uint32_t setups_left;     /* of users, before the start */
    uint64_t prepare_began_ns;
    struct timer prepare_limit;
    bool users_torn_down, run_torn_down; /* these have begun, or were left out */
    bool setup_failed;
    bool refused; /* by a plugin, before the load: refusal says why */
    char refusal[1200];
    uint64_t connect_deadline_ns;
    uint64_t next_exchange_id;
    uint32_t connections_up;

    struct load_run *loads;
    uint32_t load_count;
    struct feed_run *feeds; /* as scenario->feeds */
    struct script_engine *scripts; /* NULL: there are none */
    struct buffer script_json;
    struct waiting_arrival *waiting; /* WAITING_ARRIVALS_MAX places */
    uint32_t waiting_used, waiting_free; /* places ever taken; the first place given back, plus one */
    uint64_t waiting_count;

    struct store store; /* of the interval; its ledgers are unused: the page's count */
    struct error_key error_keys[ERRORS_MAX];
    const char **check_samples; /* of the scenario's checks: what failed first; NULL: nothing yet */
    struct generator_facts facts;
    struct tracks tracks;       /* of the whole run */
    struct crossings crossings; /* of the whole run */
    uint64_t last_delivery_ns;  /* 0: none yet */
    struct timer linger;        /* after the load: until a second has passed without one */
    struct spool *spool;
    struct raw_names raw_names;

    /* record() */
    struct squall_recorder recorder;
    struct series *recording; /* NULL: warm-up */
    const struct protocol *recorded; /* whose metrics these are; NULL: nobody's yet */
    uint8_t recording_metrics[64];   /* enum squall_metric_kind of each row */
    struct squall_pair fields[FIELDS_MAX];
    uint32_t field_count;

    pthread_mutex_t post_lock; /* the one thing that other threads may touch */
    struct post *posts, *posts_taken;
    uint32_t post_count;
    uint64_t posted_ns; /* while a posted function runs: when it was posted; else 0 */
};
#define INPUT_SIZE (64u << 10)

static inline struct exchange *exchange_of(struct squall_exchange *view)
{
    return (struct exchange *)(void *)view;
}
static inline size_t user_index(const struct user *user)
{
    return (size_t)(user - user->engine->users);
}
static inline struct squall_user *user_views(const struct user *user)
{
    return &user->engine->more.views[user_index(user) * user->engine->plugin_count];
}
static inline struct slot *user_slots(const struct user *user)
{
    return &user->engine->more.slots[user_index(user) * user->engine->more.slot_count];
}
static inline struct value *user_variables(const struct user *user)
{
    return &user->engine->more.variables[user_index(user) * user->engine->scenario->variable_count];
}
static inline struct buffer *user_texts(const struct user *user)
{
    return &user->engine->more.texts[user_index(user) * user->engine->scenario->variable_count];
}
/* NULL: the scenario has none; as the next one. */
static inline struct user_feeds *user_feeds(const struct user *user)
{
    return user->engine->more.feeds ? &user->engine->more.feeds[user_index(user)] : NULL;
}
static inline struct load_run *user_load(const struct user *user)
{
    return &user->engine->loads[user->load];
}
static inline const struct step *step_of(const struct exchange *exchange)
{
    return (const struct step *)(const void *)exchange->view.step;
}
static inline uint64_t engine_stamp(struct engine *engine)
{
    return engine->now_ns = clock_now_ns();
}

/* engine.c */
void engine_settle(struct engine *engine);          /* works off touched connections and ready users */
void engine_user_ready(struct engine *engine, struct user *user, uint64_t ready_ns);
void engine_check_finished(struct engine *engine);

/* prepare.c */
void prepare_run(struct engine *engine); /* connections are up: what comes before `ready` */
void prepare_run_set_up(struct engine *engine, struct user *user, bool finished); /* the run's setup has ended */
void prepare_user_set_up(struct engine *engine); /* a user's setup has ended */
void prepare_late(struct timer *timer, uint64_t now_ns);

/* load.c */
void load_init(struct engine *engine);       /* how many users there are */
void load_init_users(struct engine *engine); /* who is of which load and class */
void load_fini(struct engine *engine);
uint32_t load_begin_setups(struct engine *engine); /* before the start; how many there are */
void load_start(struct engine *engine);
void load_run_due(struct engine *engine, uint64_t now_ns); /* starts what is due */
uint64_t load_next(const struct engine *engine);           /* when load_run_due has something to do */
void load_user_idle(struct user *user);
void load_pace_over(struct user *user);      /* its tick has come */
void load_user_set_up(struct user *user); /* its setup has ended: from here on it may be asked to walk */
void load_stop(struct engine *engine);                     /* waiting arrivals end as unfinished */

/* user.c */
void user_init(struct user *user, struct engine *engine);
const struct op *user_ops(const struct user *user); /* of the program that it walks */
void user_begin_journey(struct user *user, uint64_t due_ns);
void user_advance(struct user *user);
void user_end_walk(struct user *user, bool finished);
/* Each begins a walk, or gives false when there is none to walk. */
bool user_begin_setup(struct user *user, uint64_t due_ns);
bool user_begin_teardown(struct user *user);
bool user_begin_run(struct user *user, const struct program *program, bool setup);

/* flow.c */
bool flow_step(struct user *user); /* does what user->op says; false: it waits, or has ended */
void flow_failed(struct user *user); /* an exchange of the walk has failed */
/* Transactions of a walk: the one that began last ends first. At most as many at once as the user has slots. */
void span_begin(struct user *user, uint32_t transaction);
void span_end(struct user *user);

/* variables.c */
void variables_init(struct engine *engine);
void variables_fini(struct engine *engine);
void variables_share(struct engine *engine, const struct user *from); /* all users take what the run's setup has set */
void variables_set(struct user *user, uint32_t variable, const struct value *value); /* keeps a copy */
void variables_set_all(struct engine *engine, uint32_t variable, const struct value *value); /* of all users */
/* Keeps a copy; what is too long becomes null. */
void variables_assign(struct user *user, const struct assignment *assignments, uint32_t count, const struct eval *eval);
struct eval variables_eval(struct user *user, const struct answer *answer);

/* script_user.c */
int script_open(struct engine *engine, struct error *error); /* runs each script's file, for the function that it returns */
void script_close(struct engine *engine);
bool script_step(struct user *user, const struct op *op); /* lets the user's script run on; false: it waits, or the walk has ended */
void script_drop(struct user *user);                      /* its walk has ended before it has */
void script_answered(struct exchange *exchange, const struct answer *answer);
void script_unanswered(struct exchange *exchange, enum outcome outcome);
struct squall_bytes script_options(const struct user *user); /* the block of the step that it asked for */

/* feeds.c */
void feeds_init(struct engine *engine);
/* A journey of the class falls due: false when a feed that stops has no row left for it. */
bool feeds_claim(struct engine *engine, const struct user_class *class);
bool feeds_spent(const struct user *user); /* it has gone through all rows that it may */
/* The user takes a row of each of these feeds (bit i), but for those that its setup took. */
void feeds_draw(struct user *user, uint64_t feeds);
void feeds_hold(struct user *user, uint64_t feeds); /* its setup took a row of these: the first journey keeps it */

/* exchange.c */
void exchange_begin(struct user *user, const struct step *step, uint64_t intended_ns);
void exchanges_fini(struct engine *engine); /* of all users, and the spare ones */
void exchange_hand_over(struct exchange *exchange, struct conn *conn);
void exchange_sent(struct exchange *exchange, uint64_t now_ns); /* the kernel has its last byte */
void exchange_attempted(struct exchange *exchange, uint64_t now_ns); /* all that we do for it to be sent was done by then */
void exchange_ended(struct exchange *exchange); /* now; exchange_end() says later how */
void exchange_end_sent(struct exchange *exchange); /* an answerless one: the kernel has it */
void exchange_end(struct exchange *exchange, enum outcome outcome, const struct squall_result *result, const char *reason);
void exchange_expire(struct engine *engine, uint64_t now_ns); /* time-outs */
void exchange_abandon(struct exchange *exchange);             /* end of the run */
int exchange_give_back(struct exchange *exchange);            /* again(): 0, or -1 when that is enough */
void exchange_follow(struct engine *engine);                  /* begins the first of engine->following */

/* messages.c: messages of streams, with times of their own. */
void messages_every(struct exchange *exchange, uint64_t interval_ns);
void messages_sent(struct exchange *exchange, uint64_t key);
void messages_answered(struct exchange *exchange, uint64_t key);
void messages_received(struct exchange *exchange);
void messages_written(struct output *output, uint64_t now_ns); /* the kernel has taken more of the output */
void messages_end(struct exchange *exchange, uint64_t done_ns); /* it has ended, or been given back */
void messages_fini(struct exchange *exchange);

/* measure.c */
void measure_exchange(struct exchange *exchange, enum outcome outcome, const struct squall_result *result, const char *reason,
                      uint64_t done_ns);
void measure_script_error(struct engine *engine, const char *text, bool warmup);
void measure_error(struct engine *engine, uint32_t series, uint32_t outcome, uint32_t code, const char *reason);
void measure_field(struct squall_recorder *recorder, struct squall_bytes name, struct squall_bytes value);
void measure_sample(struct squall_recorder *recorder, uint32_t metric, uint64_t value);
/* What belongs to no exchange. Of the time `at_ns`. */
void measure_metric(struct engine *engine, const struct squall_step *step, uint32_t metric, uint64_t value, uint64_t at_ns);

/* spare.c: what is in use for a while only. Given is what there is. */
struct output *output_new(struct engine *engine);
void output_trim(struct output *output); /* gives its memory back */
struct transit *transit_take(struct conn *conn);
void transit_give(struct conn *conn);
struct buffer *buffer_take(struct engine *engine, size_t limit);
void buffer_give(struct engine *engine, struct buffer **buffer); /* leaves NULL */
void spares_fini(struct engine *engine);
/* Taken where it has none. */
static inline struct output *output_of(struct conn *conn)
{
    struct spares *spares = &conn->pool->engine->spares;
    struct output *output = conn->output;
    if (output)
        return output;
    output = spares->outputs;
    if (output)
        spares->outputs = output->next_spare;
    else
        output = output_new(conn->pool->engine);
    output->conn = conn;
    conn->output = output;
    return output;
}
/* Nothing waits in it any more; `unsent` and `streaming` are empty. */
static inline void output_give(struct conn *conn)
{
    struct spares *spares = &conn->pool->engine->spares;
    struct output *output = conn->output;
    if (!list_empty(&output->flush))
        list_remove(&output->flush);
    output->bytes.len = output->taken = 0;
    if (output->bytes.capacity > INPUT_SIZE)
        output_trim(output);
    output->next_spare = spares->outputs;
    spares->outputs = output;
    conn->output = NULL;
}

/* host.c */
void host_init(struct engine *engine);
void host_fini(struct engine *engine);
void host_run_posts(void *engine);

#endif
