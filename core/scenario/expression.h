/*
 * The expression language of checks and of ${...}: numbers with units, strings, comparison, and/or/not, arithmetic,
 * functions. Compiled once when the scenario is read; evaluated without allocation but for the scratch arena.
 */
#ifndef SQUALL_SCENARIO_EXPRESSION_H
#define SQUALL_SCENARIO_EXPRESSION_H
#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include <squall/plugin.h>
#include <stdbool.h>

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING };
struct value {
    enum value_type type;
    bool boolean;
    bool json;                  /* string is an object or an array as it stood in a JSON text */
    double number;              /* durations in ns, sizes in bytes */
    struct squall_bytes string; /* borrowed: constant, user's, or scratch */
};

/* An answer as checks see it; all borrowed. */
struct answer {
    uint32_t outcome, code; /* enum outcome */
    uint32_t code_base;     /* what to take from code to have the status; code 0 is none */
    const char *code_name;  /* or NULL: what `status == "NAME"` compares with */
    uint64_t latency_ns, service_ns;
    struct squall_bytes body;
    const struct squall_pair *fields; /* what record() named */
    uint32_t field_count;
};

struct eval {
    uint64_t user_id, iteration; /* iteration: 0-based journeys of this user */
    struct random_stream *random;
    const struct answer *answer;   /* NULL outside checks and save */
    const struct value *variables; /* the user's, as the names that the expression was compiled with */
    const struct squall_bytes *rows; /* the user's present row of each feed; NULL: it has none */
    struct arena *scratch;
};

struct expression;
struct data_feed;
/* Where an expression may stand: answers exist in checks and in save; a check and a condition are true or false. */
enum expression_place { PLACE_TEMPLATE, PLACE_CHECK, PLACE_SAVE, PLACE_CONDITION };
/* Where feeds may be read: a row belongs to a journey, or to a user. */
enum feed_use { FEEDS_IN_FLOW, FEEDS_IN_SETUP, FEEDS_NOWHERE };
/* The variables and feeds that an expression may read; their places here are their places in eval->variables and
 * eval->rows. */
struct expression_names {
    const char *const *list;
    uint32_t count;
    const struct data_feed *feeds;
    uint32_t feed_count;
    enum feed_use feed_use;
    uint64_t *feeds_read; /* bit i is set when an expression reads feeds[i]; may be NULL */
};
int expression_compile(const char *text, enum expression_place place, struct arena *arena, const struct expression **ret,
                       uint32_t *ret_column, struct error *error);
/* The same with variables; names may be NULL. */
int expression_compile_named(const char *text, enum expression_place place, const struct expression_names *names,
                             struct arena *arena, const struct expression **ret, uint32_t *ret_column,
                             struct error *error);
/* Whether a variable may not be called so: another name of the language. */
bool expression_name_taken(const char *name);
void expression_evaluate(const struct expression *expression, const struct eval *eval, struct value *ret);
/* True when its value never changes in a run (no variable, user, iteration, random, time or answer in it). */
bool expression_constant(const struct expression *expression);
/* enum squall_want that it reads. */
uint64_t expression_wants(const struct expression *expression);

/* Text with ${...} in it. "$${" stands for "${". */
struct template;
int template_compile(const char *text, struct arena *arena, const struct template **ret, uint32_t *ret_column, struct error *error);
bool template_constant(const struct template *template);
int template_compile_named(const char *text, const struct expression_names *names, struct arena *arena,
                           const struct template **ret, uint32_t *ret_column, struct error *error);
/* When the text is one ${...} and nothing else, its expression, whose value has a type; else *ret stays as it is. */
int template_expression(const char *text, const struct expression_names *names, struct arena *arena,
                        const struct expression **ret, uint32_t *ret_column, struct error *error);
/* Renders into eval->scratch, NUL behind it; a constant template gives the same bytes each time without copying. */
struct squall_bytes template_render(const struct template *template, const struct eval *eval);
/* The text with every ${...} kept: for default step names ("GET /items/${...}" shows the variable's text). */
const char *template_text(const struct template *template);

#endif
