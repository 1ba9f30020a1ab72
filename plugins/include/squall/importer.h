/*
 * squall/importer.h: the contract between `squall new` and a protocol's part of it.
 *
 * A room turns what its users have (a URL, a recording, a description of a service) into a scenario to start from. Rooms
 * are linked into the program, so this header has no version of its own. What they write must be a scenario that loads; the
 * program checks it before anybody sees it.
 */
#ifndef SQUALL_IMPORTER_H
#define SQUALL_IMPORTER_H

#include <squall/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What stands behind `squall new`. All is borrowed until the call returns. */
struct squall_import {
    const char *kind;          /* the first of two words, such as a protocol's name; NULL: there is one word only */
    const char *argument;      /* the last word: a URL, a file's name, a command line */
    struct squall_bytes text;  /* of the file that the argument names, NUL behind it; data NULL: it names none */
};

struct squall_import_out {
    /* Adds to the scenario. */
    void (*add)(struct squall_import_out *, const char *data, uint64_t len);
};

struct squall_importer {
    const char *name; /* the protocol's */
    const char *help; /* lines of `squall new --help`, such as "http URL  a scenario of one step", each ended by a newline */
    /* 1: this is for me, whether or not it is right. */
    int32_t (*claims)(const struct squall_import *);
    /* 0, or -1 with what is wrong and what to do. Takes any bytes. */
    int32_t (*write)(const struct squall_import *, struct squall_import_out *, struct squall_error *);
};

#ifdef __cplusplus
}
#endif
#endif
