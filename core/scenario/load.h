/*
 * Between the files that turn a document (or flags) into a scenario. Everything here runs once, before a run, and
 * takes its memory from the scenario's arena.
 */
#ifndef SQUALL_SCENARIO_LOAD_H
#define SQUALL_SCENARIO_LOAD_H
#include "scenario/expression_tree.h"
#include "scenario/scenario.h"
#include "scenario/yaml.h"

#define USERS_MAX 10000000u
#define RATE_MAX 1e7              /* journeys per second */
#define DURATION_MAX_NS (UINT64_C(366) * 24 * 3600 * UINT64_C(1000000000))
#define STAGES_MAX 1000u
#define LOADS_MAX 100u
#define STEPS_MAX  200000u
#define SERIES_MAX 1000u          /* each has histograms of its own */

struct loader {
    struct scenario *scenario;
    struct arena *arena;          /* the scenario's */
    const char *file;             /* NULL: URL form */
    const struct overrides *overrides;
    struct protocol_registry *registry;
    struct error *error;
    struct tags tags;             /* of the class whose steps are read */
    enum feed_use feed_use;       /* of what is read now */
    uint64_t *feeds_read;         /* which feeds that reads; may be NULL */
    const struct node *flows;     /* the map of named flows; NULL: none */
};

/* A node for a flag's value: messages begin with the flag's name. */
const struct node *node_from_flag(struct arena *arena, const char *flag, const char *value);

/* Errors at a node: "file:line:column: text". Return -1. */
int fail_at(const struct loader *loader, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same at a 1-based column within the node's text. */
int fail_at_column(const struct loader *loader, const struct node *node, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts the position before the text that loader->error has. */
int fail_prefix(const struct loader *loader, const struct node *node, uint32_t column);
/* A key that has no place in `where`: known from the whole language, misspelt, or foreign. `known` is NULL-ended. */
int fail_unknown_key(const struct loader *loader, const struct node *key, const char *where, const char *const *known);

/* Fails for a word of the whole language that this version does not have; else 0. */
int fail_if_later(const struct loader *loader, const struct node *key);

/* Values; each may hold ${...} that is the same for the whole run. `what` names the value: "a duration". */
int read_text(const struct loader *loader, const struct node *node, const char **ret_text);
int read_count(const struct loader *loader, const struct node *node, uint64_t min, uint64_t max, uint64_t *ret_count);
int read_duration(const struct loader *loader, const struct node *node, uint64_t min_ns, uint64_t *ret_ns);
int read_rate(const struct loader *loader, const struct node *node, double *ret_per_s);
int read_bool(const struct loader *loader, const struct node *node, bool *ret_bool);
int read_map(const struct loader *loader, const struct node *node, const char *what, const char *example);
int read_list(const struct loader *loader, const struct node *node, const char *what, const char *example);
/* 64, per-user, or new. */
int read_connections(const struct loader *loader, const struct node *node, uint32_t *ret_connections);
/* What to show of a value in a message: the text as written when it holds a secret. */
const char *shown_value(const struct loader *loader, const struct node *node);
/* As read_text, for what reports show and nobody sends: without secrets. */
int read_shown_text(const struct loader *loader, const struct node *node, const char **ret_text);
const char *without_secrets(const struct loader *loader, const char *text);

/* ---- options.c: a plugin's table against values ---- */

struct option_value {
    const struct node *node;  /* NULL: not given */
    const char *text;         /* scalars: the node's text, or a word of the headline; without a node a value as it is */
    uint32_t column;          /* where text begins within the node's text, 1-based */
};
/* A block of option values, from which a target or a step is made. */
struct option_set {
    const struct squall_table *table;
    uint64_t verb; /* of a step: rows that it does not take stay empty */
    struct option_value values[64];
    void *block;              /* all constants filled; variable maps have their names */
    void *init_block;         /* the same with variable rows at zero: what init functions see */
    uint64_t constant;
    uint64_t given_later;     /* bit i: row i is neither built nor constant: a script gives it */
    struct step_variable *variables;
    uint32_t variable_count;
};
int32_t option_find(const struct squall_table *table, const char *name);
/* values[] to block, constant, variables. `place`: where a missing required option is reported. */
int option_set_build(const struct loader *loader, struct option_set *set, const struct node *place);
/* Parses text into row's place in the block. The error has no position. */
int option_parse(const struct squall_option *row, struct squall_bytes text, void *block, struct error *error);
/* The keys of a table and `more` (NULL-ended) as one NULL-ended list. */
const char *const *option_names(struct arena *arena, const struct squall_table *table, const char *const *more);

/* ---- the parts of a scenario ---- */

/* Empty, with an arena of its own; freed by scenario_free. */
struct scenario *scenario_new(void);
int define_secrets(const struct loader *loader);
int load_targets(const struct loader *loader, const struct node *node);
/* A target from its URL, with defaults; the path stays unused. */
int target_from_url(const struct loader *loader, const struct node *node, const char *url, struct target *ret_target);
/* `engine: NAME`: the protocol's other plugin, PROTOCOL-NAME, with the same steps and the same options. NULL: none is
 * wanted. */
int read_engine(const struct loader *loader, const struct node *node, struct target *target);
/* Ends it: options, state, target_init. */
int target_finish(const struct loader *loader, struct target *target, struct option_set *set, const struct node *place);
int load_loads(const struct loader *loader, const struct node *node);
/* After users: who walks each load. */
int load_walkers(const struct loader *loader, const struct node *node);
/* A load without limits, stages or classes. */
struct load load_empty(const char *name);
int load_stages(const struct loader *loader, const struct node *node, struct load *load);
int load_pace(const struct loader *loader, const struct node *node, bool closed, uint64_t *ret_pace_ns);
int load_user_iterations(const struct loader *loader, const struct node *node, struct load *load);
/* Stages from a preset: a map with the key `preset`, or what flags say. NULL: not given. */
struct preset_nodes {
    const struct node *preset, *rate, *users, *peak, *length, *arrivals;
    bool users_are_pool; /* --users beside --rate */
};
int preset_load(const struct loader *loader, const struct preset_nodes *nodes, struct load *load);
int load_preset(const struct loader *loader, const struct node *node, struct load *load);
int read_arrivals(const struct loader *loader, const struct node *node, enum arrivals_kind *ret_arrivals);
int load_overrides(const struct loader *loader);
/* Joins what `include` names to the root. */
int load_includes(const struct loader *loader, const struct node **root);
/* --set: appended to what users of the class begin with. */
int load_sets(const struct loader *loader, struct user_class *class);
int load_users(const struct loader *loader, const struct node *root);
/* A list of entries as a program that ends with OP_END. */
int flow_compile(const struct loader *loader, const struct node *node, bool step_needed, struct program *ret_program);
/* Collects the names of all variables, wherever they are set. */
int load_variables(const struct loader *loader, const struct node *root);
/* Whether a key may name a variable, or a feed. */
int check_name(const struct loader *loader, const struct node *key, const char *what);
struct expression_names loader_names(const struct loader *loader);
/* A map of variables and expressions. */
int read_assignments(const struct loader *loader, const struct node *node, enum expression_place place,
                     const struct assignment **ret_assignments, uint32_t *ret_count, uint64_t *ret_wants);
/* `vars`: a map of variables and values; those in `before` come first. */
int read_initial_values(const struct loader *loader, const struct node *node, const struct assignment *before,
                        uint32_t before_count, const struct assignment **ret_assignments, uint32_t *ret_count);
/* An expression that reads variables, with the message for one that `{ }` has cut. */
int read_expression(const struct loader *loader, const struct node *node, enum expression_place place,
                    const struct expression **ret_expression);
int load_feeds(const struct loader *loader, const struct node *node);
/* Once the users are known: whether rows suffice where they end. */
int check_feeds(const struct loader *loader, const struct node *node);
/* With a '/' at its end; "./" where the file's name has none. */
/* The content of a file that an option names: of the scenario's folder, or of the URL form from where squall was
 * started. Run memory. The error has no position. */
int scenario_content(const struct loader *loader, const char *name, struct squall_bytes *ret_bytes);
void scenario_contents_close(struct scenario *scenario);
const char *scenario_folder(const struct loader *loader);
/* node: NULL where the scenario has none; those of the command line stand behind it. */
int load_thresholds(const struct loader *loader, const struct node *node);
/* What the key before a threshold names. */
int threshold_find_scope(const struct loader *loader, const struct node *key, struct threshold *threshold);
/* Once all flows are there: which series a flow has. */
void find_measured(struct scenario *scenario);
/* After load and targets: connections, users, drain. */
int load_defaults(const struct loader *loader);

/* A file of Lua: *ret_index of scenario->scripts. */
int load_script(const struct loader *loader, const struct node *node, uint32_t *ret_index);
/* Stages from a Lua function. */
int load_shape(const struct loader *loader, const struct node *node, struct load *load);
/* Of scenario->check_names, which has room for it. */
uint32_t check_index(const struct loader *loader, const char *name);
/* Its place among scenario->transactions, added when it is new; -1: there are too many. */
int transaction_index(const struct loader *loader, const char *name, const struct node *place);

/* Whether a step with that protocol's key can go to a target: it speaks it, by whichever engine. */
bool target_speaks(const struct target *target, const char *key);
/* Steps, shared by flows and the URL form. `series` and `check_names` have been given their room. */
int load_step(const struct loader *loader, const struct node *node, struct step *step);
/* Once the loads are known: whether each step has the users that it needs. */
int check_step_users(const struct loader *loader);
int step_finish(const struct loader *loader, struct step *step, struct option_set *set, const struct node *place);
/* The default name: the headline's options as written, or their fallbacks. */
const char *step_default_name(const struct loader *loader, const struct protocol *protocol, const struct option_set *set);
uint32_t scenario_series(const struct loader *loader, const struct step *step);
/* `tags`: a map of names and fixed texts, above those of *ret_tags. */
int read_tags(const struct loader *loader, const struct node *node, struct tags *ret_tags);
/* `group-by`: one tag or a list of them; NULL where the scenario has none. Those of the command line stand behind it. Once
 * the series are there. */
int load_group_tags(const struct loader *loader, const struct node *node);
struct tags tags_joined(const struct loader *loader, struct tags below, struct tags above);

#endif
