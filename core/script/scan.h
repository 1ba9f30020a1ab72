/*
 * What a script's text says without being run: which steps it makes, under which names, and which words occur in it. So the
 * tables of a run are known before it begins, the same in every worker, and `squall check` runs nobody's code.
 *
 * A step is PROTOCOL.word(...) or PROTOCOL(...), wherever the protocol's name stands; its first argument and its options are known
 * when they are plain texts, numbers or truths. Of what is computed only the option's name is seen here.
 */
#ifndef SQUALL_SCRIPT_SCAN_H
#define SQUALL_SCRIPT_SCAN_H
#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

#define SCAN_CALLS_MAX   500u
#define SCAN_OPTIONS_MAX 32u /* of one call */

struct scan_option {
    const char *name, *value; /* value NULL: it is computed */
    bool number;
};
struct scan_call {
    const char *protocol;
    const char *word;    /* behind the point; NULL: none */
    const char *text;    /* the first argument; NULL: not a plain text */
    bool continues;      /* something is joined to it: text .. more */
    const char *name, *target; /* of the options; NULL: not given as plain texts */
    struct scan_option *options; /* all that are written in the call, those two too */
    uint32_t option_count;
    bool computed;     /* the first argument is neither a plain text nor the options */
    bool more_options; /* there may be others: an argument behind the first is a name */
    uint32_t line;
};
struct scan {
    struct scan_call *calls;
    uint32_t call_count;
    bool calls_left_out; /* more than SCAN_CALLS_MAX */
    const char **checks; /* first arguments of check(...), each once */
    uint32_t check_count;
    const char **transactions; /* of transaction(...), likewise */
    uint32_t transaction_count;
    const char **words;  /* names and texts of the script, each once, sorted */
    uint32_t word_count;
};

void scan_script(const char *text, size_t len, const char *const *protocols, uint32_t protocol_count, struct arena *arena, struct scan *ret_scan);
/* Whether the script has a name or a text that is exactly this. */
bool scan_has(const struct scan *scan, const char *word);

#endif
