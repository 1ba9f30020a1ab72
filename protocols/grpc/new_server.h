/*
 * What a server's reflection tells, for `squall new`: one connection, blocking, with an end to its patience. Without
 * TLS.
 */
#ifndef SQUALL_GRPC_NEW_SERVER_H
#define SQUALL_GRPC_NEW_SERVER_H
#include "schema.h"

#define NEW_SERVER_WAIT_S 10 /* for all of it */

/* Adds the files that define the services of a server to a schema, but for those of reflection itself. `url` is
 * grpc://host[:port]. 0, or -1 with the error. */
int new_server_read(const char *url, struct pb_schema *schema, struct squall_error *error);

#endif
