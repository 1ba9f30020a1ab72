/* Exit codes: a contract with scripts (docs/cli.md). One row each: code, name, meaning. */
#ifndef SQUALL_BASE_EXIT_CODE_H
#define SQUALL_BASE_EXIT_CODE_H

#define EXIT_CODES(row)                                                                                  \
    row(0, OK, "the run ended and every threshold held")                                                 \
    row(1, INTERNAL, "something of squall's own failed")                                                 \
    row(2, USAGE, "bad command line or scenario")                                                        \
    row(3, UNREACHABLE, "no connection to some target succeeded within its connect time-out")            \
    row(97, INVALID, "a worker or a snapshot was lost: the result is incomplete")                        \
    row(98, UNTRUSTED, "not to be trusted: the generator was the bottleneck")                            \
    row(99, THRESHOLD, "a threshold failed")                                                             \
    row(130, INTERRUPTED, "interrupted; what was measured until then is written out")

enum exit_code {
#define EXIT_CODE_ROW(code, name, meaning) EXIT_CODE_##name = code,
    EXIT_CODES(EXIT_CODE_ROW)
#undef EXIT_CODE_ROW
};

/* Which of several codes a run ends with: the smallest of 1-3, else 97, 130, 98, 99, 0 in that order. */
enum exit_code exit_code_worst(enum exit_code a, enum exit_code b);

#endif
