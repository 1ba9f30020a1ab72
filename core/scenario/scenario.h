/*
 * A scenario in its compiled form: immutable from the moment it is loaded, the same in the controller and in every
 * worker. All memory is its arena's.
 */
#ifndef SQUALL_SCENARIO_SCENARIO_H
#define SQUALL_SCENARIO_SCENARIO_H
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "engine/protocol.h"
#include "metrics/threshold.h"
#include "metrics/verdict.h"
#include "scenario/data.h"
#include "scenario/expression.h"
#include "schedule/schedule.h"

#define CONNECTIONS_DEFAULT 64
#define CONNECTIONS_PER_USER UINT32_MAX
#define CONNECTIONS_NEW (UINT32_MAX - 1) /* a user's own too, and closed after each exchange */

/* Addresses in a row: first, first + 1, and so on. */
struct address_range {
    int family;        /* AF_INET: first[0..3]; AF_INET6: first[0..15]; network byte order */
    uint8_t first[16];
    uint32_t count;
};

/* What a result may be grouped by, from the target, the class and the step; later ones stand above earlier ones. */
struct tag {
    const char *name, *value;
};
struct tags {
    const struct tag *list;
    uint32_t count;
};
#define TAGS_MAX 16u
#define GROUP_TAGS_MAX 16u
/* Of the tag with that name; NULL: there is none. */
const char *tags_value(const struct tags *tags, const char *name);

struct target {
    struct squall_target view; /* what the plugin sees; state allocated and target_init called */
    const struct protocol *protocol;
    const char *name;
    const char *engine;        /* NULL: the protocol's own plugin; else `protocol` is PROTOCOL-ENGINE */
    const char *url;           /* scheme://authority, no path */
    const char *path;          /* the URL's path and query, "" when none: prefixes nothing; used by the URL form only */
    const char *host;          /* IPv6 without brackets */
    uint16_t port;
    const char *connect_host;  /* what connections lead to: the URL's host and port, unless connect-to says otherwise */
    uint16_t connect_port;
    const char *connect_path;  /* connect-to: unix:PATH; then neither host nor port is used. NULL: TCP */
    const char *name_servers;  /* "address:port,..."; NULL: the system's */
    const struct address_range *sources; /* local addresses that connections take in turn */
    uint32_t source_count;     /* ranges; 0: the system picks */
    uint32_t connections;      /* for the whole run; CONNECTIONS_PER_USER; CONNECTIONS_NEW */
    double connect_rate;       /* connections opened per second by the whole run at most; 0: no limit */
    bool connections_set;      /* by the operator, not by default */
    uint64_t timeout_ns;       /* of an exchange, from its hand-over to a connection; default 30 s */
    uint64_t connect_timeout_ns; /* TCP and TLS; default 5 s */
    bool tls_insecure;         /* -k, tls: { insecure: true } */
    const char *tls_ca, *tls_crl; /* PEM files or NULL; absolute */
    const struct template *tls_cert, *tls_key; /* names of PEM files, of each user; NULL: none. For scenario_file */
    const struct node *tls_cert_place;         /* for messages */
    const char *tls_server_name;  /* SNI, and what the certificate must name; NULL: the host */
    bool tls_1_3_only;            /* min-version: 1.3; otherwise 1.2 */
    bool tls_session_reuse;
    const char *folder;           /* of the scenario, ends with '/'; NULL: URL form */
    struct tags tags;
    const void *constant_block;   /* the plugin's options with constants filled */
    struct step_variable *variables; /* those that differ from user to user; per-user connections only */
    uint32_t variable_count;
    bool opens;                   /* a step of it opens a session: squall_step.opens */
};

/* Each user has a connection of its own, kept or not. */
static inline bool target_per_user(const struct target *target)
{
    return target->connections >= CONNECTIONS_NEW;
}

/* The absolute path of a file that a scenario names: relative to the scenario's folder, and below it. 0, or -1 with the
 * reason, without a position. `ret_path` is the caller's to free. */
int scenario_file(const char *folder, const char *name, char **ret_path, struct error *error);

/* An option that must be rendered: a step's for each exchange, a target's for each user. */
struct step_variable {
    uint32_t row;                    /* of the plugin's table */
    const struct template *value;    /* all types but MAP and TREE */
    const struct template **pairs;   /* MAP: value templates, in the order of the block's pairs; names are constant. NULL: the
                                        block has the value */
    uint32_t pair_count;
    const struct tree *tree;         /* TREE */
};

struct check {
    const char *name;
    const struct expression *expression;
    uint32_t index;                  /* of the run's checks; the same name in two steps is one check */
};

/* `save` and `set`: what a variable becomes. */
struct assignment {
    uint32_t variable;                   /* of scenario->variables */
    const struct expression *expression; /* or NULL: */
    const struct template *text;
};

struct step {
    struct squall_step view;         /* step_init called */
    const struct protocol *protocol;
    const struct target *target;
    const char *name;                /* of its series; steps with the same name, protocol, target and tags share one */
    struct tags tags;
    uint32_t series;
    const void *constant_block;      /* options struct with constants filled */
    uint64_t constant;               /* mask of constant rows; all ones over the table: nothing to render */
    bool all_constant;
    struct step_variable *variables;
    uint32_t variable_count;
    struct check *checks;
    uint32_t check_count;
    const struct assignment *saves;        /* from the answer, before the checks */
    uint32_t save_count;
    uint64_t wants;
    uint32_t line;                   /* in the file; 0: URL form */
    const struct node *place;        /* for messages; NULL: URL form */
    bool scripted;                   /* its options come from a script with each exchange; then: */
    const void *defaults;            /* what they are when the script says nothing */
    uint64_t required;               /* rows that the script must give */
    uint64_t fixed;                  /* rows that it gives as one and the same plain value: they are constant */
    uint8_t headline[8];             /* rows that its words fill, in their order */
    uint32_t headline_count;
};

/* A step that a script may make, and what tells it from others: the name in its options, or the words that it begins with. */
struct script_call {
    const struct target *target;
    uint64_t verb;
    const char *name;      /* NULL: none */
    const char *word;      /* the first of the headline; NULL: not known */
    const char *text;      /* the next of the headline; NULL: not known */
    bool continues, other; /* text is only how it begins; all that fits no other row */
    uint32_t step;         /* of scenario->steps */
};
struct script {
    const char *file; /* as the scenario names it */
    const char *text;
    size_t len;
    struct script_call *calls;
    uint32_t call_count;
    uint32_t *checks;  /* of scenario->check_names */
    uint32_t check_count;
    bool spans;        /* it has transactions */
};
#define SCRIPTS_MAX      64u
#define SCRIPT_STEPS_MAX 600u

/* A flow is compiled into a straight line of operations. */
enum op_kind {
    OP_STEP,       /* run steps[step], wait for its end */
    OP_THINK,      /* wait for a uniform time in [think_min_ns, think_max_ns] */
    OP_END,        /* the walk is over */
    OP_JUMP,       /* go on at `target` */
    OP_IF,         /* go on at `target` unless the condition is true */
    OP_CHOOSE,     /* go on at one of `count` arms */
    OP_LOOP,       /* counter[slot] = count */
    OP_REPEAT,     /* counter[slot] -= 1; unless it is 0 go on at `target` */
    OP_WHILE,      /* go on at `target` unless the condition is true and counter[slot], which loses one, was above 0 */
    OP_SET,        /* `count` assignments */
    OP_PARALLEL,   /* run `count` steps from `step` on at once, wait for the end of all */
    OP_SPAN_BEGIN, /* span[slot] of transaction `count` begins */
    OP_SPAN_END,
    OP_SCRIPT,     /* go on in scripts[count] until that has ended */
};
#define FLOW_DEPTH_MAX 16u     /* of flows in flows */
#define FLOW_SLOTS_MAX 8u      /* of loops in loops, and of transactions in transactions */
#define VARIABLES_MAX  256u
#define VARIABLE_TEXT_MAX (UINT64_C(64) << 10) /* a longer text is not kept: the variable is null */
#define TRANSACTIONS_MAX 256u

struct arm {
    double weight; /* with those of the arms before it; the last is 1 */
    uint32_t target;
};
struct op {
    enum op_kind kind;
    uint32_t step, count, target, slot;
    uint32_t depth; /* for the plan in words: how many flows it is in */
    uint64_t think_min_ns, think_max_ns;
    const struct expression *condition;
    const char *text; /* for the plan: the condition as written, or what follows a jump: else, or */
    const struct assignment *assignments;
    const struct arm *arms;
};
/* Ends with OP_END. NULL: there is none. */
struct program {
    const struct op *ops;
    uint32_t count;
};

struct user_class {
    const char *name;
    double weight;
    struct program flow;
    struct program setup, teardown; /* once a user: before its first journey, and at the end of the run */
    const struct assignment *variables; /* the user's at its start, as texts */
    uint32_t variable_count;
    uint64_t feeds, setup_feeds; /* which scenario->feeds its journeys read, and its setup: bit i */
};

struct series_info {
    const char *name;
    const struct protocol *protocol;
    const struct target *target;
    struct tags tags;
    bool measured;   /* some flow has it; else only setups and teardowns, and it counts nothing but warm-up */
};

/* Stages one after the other, walked by users of its own. Several loads run side by side from the same start. */
struct load {
    const char *name;     /* NULL: the only one */
    const struct stage *stages;
    uint32_t stage_count;
    bool closed;          /* stages are of users, not of a rate */
    uint64_t iterations;  /* journeys of the whole run; UINT64_MAX: no limit */
    uint64_t user_iterations; /* journeys of each user, closed load only; UINT64_MAX: no limit */
    uint32_t users;       /* open load: the pool; closed: the highest number of any stage */
    bool users_set;       /* by the operator */
    uint32_t *classes;    /* who walks it: indexes of scenario->classes, ascending */
    uint32_t class_count;
};

/* A file's, whole. */
struct content {
    const char *path; /* real */
    struct squall_bytes bytes;
};

struct scenario {
    struct arena arena;
    struct content *contents;
    uint32_t content_count;
    const char *name;
    const char *file;     /* for messages; NULL: URL form */
    const char *text;     /* the YAML; NULL: URL form */
    uint64_t seed;
    struct target *targets;
    uint32_t target_count;
    struct step *steps;
    uint32_t step_count;
    struct series_info *series;
    uint32_t series_count;
    const char **check_names;
    uint32_t check_count;
    struct data_feed *feeds;
    uint32_t feed_count;
    struct script *scripts;
    uint32_t script_count;
    bool trusted;         /* --trust-scenario */
    struct user_class *classes;
    uint32_t class_count;
    struct program setup, teardown; /* once a run */
    const char **variables; /* names */
    uint32_t variable_count;
    const char **transactions; /* names */
    uint32_t transaction_count;
    uint32_t width;         /* exchanges of one user at once: the widest `parallel`, at least 1 */
    struct load *loads;
    uint32_t load_count;  /* at least 1 */
    uint64_t warmup_ns;
    uint64_t drain_ns;    /* default: the longest target time-out, plus its connect time-out where connections are users' own */
    uint64_t ready_within_ns; /* ready-before-load: users have so long for their setups before the clock starts; 0: they begin
                                 with the load */
    struct threshold *thresholds;
    uint32_t threshold_count;
    const char **group_tags; /* names of tags, each once: reports add steps up by what these say */
    uint32_t group_tag_count;
};

/*
 * What the command line says on top of a scenario, or instead of one. It is plain data, so that the controller can
 * send it to workers: they load the same text with the same overrides and arrive at the same scenario. The members are
 * rows, so that whoever sends them leaves none out.
 */
struct flag_value {
    const char *flag, *value; /* as written: "--header", "a: b"; value NULL: a switch */
};
/* NULL: not given. url: URL form; engine: of its target; ca, cert and key: absolute; secrets: NAME=VALUE lines, without which the environment has them; secrets_file: where
 * those come from. */
#define OVERRIDE_TEXTS(row)                                                                                                       \
    row(url) row(users) row(rate) row(duration) row(iterations) row(connections) row(warmup) row(timeout) row(drain) row(seed)    \
    row(arrivals) row(preset) row(peak) row(ramp) row(secrets) row(secrets_file) row(engine) row(ca) row(cert) row(key)
#define OVERRIDE_SWITCHES(row) row(insecure) row(trust_scenario)
/* A list and its count. flags: for the plugin's tables, URL form only; sets: --set NAME=VALUE, flag is the name; thresholds
 * and group_tags: --threshold EXPR and --group-by TAG, beside those of the scenario. */
#define OVERRIDE_LISTS(row) \
    row(flags, flag_count) row(sets, set_count) row(thresholds, threshold_count) row(group_tags, group_tag_count)
struct overrides {
#define OVERRIDE_TEXT(name) const char *name;
#define OVERRIDE_SWITCH(name) bool name;
#define OVERRIDE_LIST(name, count) const struct flag_value *name; uint32_t count;
    OVERRIDE_TEXTS(OVERRIDE_TEXT)
    OVERRIDE_SWITCHES(OVERRIDE_SWITCH)
    OVERRIDE_LISTS(OVERRIDE_LIST)
#undef OVERRIDE_TEXT
#undef OVERRIDE_SWITCH
#undef OVERRIDE_LIST
};

/* From YAML text. `file` names it in messages: every error reads "file:line:column: what is wrong; what to write". */
int scenario_load(const char *text, size_t len, const char *file, const struct overrides *overrides,
                  struct protocol_registry *registry, struct scenario **ret_scenario, struct error *error);
/* From overrides->url and flags. Without load flags: 1 user, 10 s. */
int scenario_from_url(const struct overrides *overrides, struct protocol_registry *registry,
                      struct scenario **ret_scenario, struct error *error);
void scenario_free(struct scenario *scenario);
/* What is found wrong with a step once the scenario is loaded, as it would read if it had been found then. */
void scenario_step_error(const struct scenario *scenario, const struct step *step, const char *why, struct error *error);
/* Reads a file of at most 4 MiB. */
int scenario_read(const char *path, char **ret_text, size_t *ret_len, struct error *error);

/* Splits "scheme://host:port/path?query"; strings from arena. */
struct url {
    const char *scheme, *authority, *host, *path; /* path with query, "" when none */
    const char *fragment; /* "#..." */
    uint16_t port; /* 0: not given */
};
int url_parse(const char *text, struct arena *arena, struct url *ret_url, struct error *error);

/* The class of an arrival (open) or of a user (closed), as a place in load->classes: a pure function that gives each class
 * its part by weight. */
uint32_t scenario_class_of(const struct scenario *scenario, const struct load *load, uint64_t index);
/* How many of a worker's users belong to each class of open load: by weight, one at least. users >= class_count. */
void scenario_class_users(const struct scenario *scenario, const struct load *load, uint32_t users, uint32_t *ret_counts);

/* This worker's view of a load's stages. */
struct schedule load_schedule(const struct scenario *scenario, const struct load *load, uint32_t worker, uint32_t workers);
/* Of `workers`, how many take part in a load: the first that have a user of each class of an open load, or a user of a
 * closed one. */
uint32_t load_workers(const struct load *load, uint32_t workers);
/* Whether a class that walks the load reads a feed in its journeys. */
bool load_reads(const struct scenario *scenario, const struct load *load, uint32_t feed);
/* Which rows of a shared feed this worker's journeys take: an equal part of those workers that have a user who reads it. */
struct data_share feed_share(const struct scenario *scenario, uint32_t feed, uint32_t worker, uint32_t workers);
/* Of the longest load; UINT64_MAX: some load has no end in time. */
uint64_t scenario_length_ns(const struct scenario *scenario);
/* Journeys a second asked of all loads at a time; 0 where all are closed. */
double scenario_rate_at(const struct scenario *scenario, uint64_t at_ns);
/* Over all loads. */
uint64_t scenario_users(const struct scenario *scenario);
/* Whether users of a class may go to a target, in a journey or beside it. */
bool scenario_class_uses(const struct scenario *scenario, const struct user_class *class, const struct target *target);
/* Users of the loads some of whose classes do. */
uint64_t scenario_target_users(const struct scenario *scenario, const struct target *target);
bool scenario_closed(const struct scenario *scenario);
bool scenario_counts_journeys(const struct scenario *scenario); /* some load ends after a number of them */

/* The options of one exchange: the constant block itself when all is constant, else a block in eval->scratch. 0, or -1
 * with the reason when a rendered value does not fit its row. */
int step_render(const struct step *step, const struct eval *eval, const void **ret_options, struct error *error);

/* The target's options for one user, in the same way. */
int target_render(const struct target *target, const struct eval *eval, const void **ret_options, struct error *error);

/* A word behind a protocol's name in a script, as the headline's first option wants it: in capitals where its fallback is. */
const char *script_word(const struct protocol *protocol, const char *word, struct arena *arena);

/* The plan in words, for `squall check`: targets, load, users with their steps, thresholds. */
void scenario_print_plan(const struct scenario *scenario, struct buffer *out);

#endif
