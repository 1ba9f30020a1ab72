/* `squall target`: the embedded demo server. */
#ifndef SQUALL_TARGET_COMMAND_H
#define SQUALL_TARGET_COMMAND_H
#include "base/error.h"
#include "target/server.h"

/* Parses argv[1..] (argv[0] is the command's own name), serves until the duration ends or a signal comes, and prints
 * to stdout: help, or "squall target listening on ADDR:PORT" as the first line and one line of totals as the last.
 * servers is the table of rooms that CMake generates, NULL behind the last. 0, or -1 with the error filled. */
int target_command(int argc, char **argv, const struct squall_server *const *servers, struct error *error);

#endif
