/*
 * A file's bytes for the whole run, without holding them in memory: mapped, and from a copy without a name. The kernel reads
 * in what is looked at, and whoever changes or cuts the original meanwhile changes nothing here: a map of the original
 * would end the worker by SIGBUS.
 */
#ifndef SQUALL_SCENARIO_COPIED_FILE_H
#define SQUALL_SCENARIO_COPIED_FILE_H
#include "base/error.h"
#include <squall/plugin.h>

/* From a descriptor at its start, which stays the caller's; `name` is for messages. An empty file gives no bytes. The map
 * is the caller's to unmap. The copy takes room in TMPDIR, or /tmp. */
int copied_file_map(int from, const char *name, struct squall_bytes *ret_bytes, struct error *error);

#endif
