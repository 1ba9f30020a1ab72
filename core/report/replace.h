/* Writes a whole file so that a reader finds the old one or the new one, never a part. */
#ifndef SQUALL_REPORT_REPLACE_H
#define SQUALL_REPORT_REPLACE_H
#include "base/error.h"
#include <stddef.h>

/* Writes path.PID.tmp beside path and renames it. A path that is no regular file (a device, a pipe) is written to as
 * it stands; a symbolic link stays, and what it names is replaced. 0, or -1 with exit code 1 and nothing left behind.
 */
int replace_file(const char *path, const void *data, size_t len, struct error *error);

#endif
