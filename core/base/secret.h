/*
 * Values that no output shows. They come from the environment or from a file of NAME=VALUE lines; one that a scenario reads
 * is kept here for the rest of the process, and secret_hide() takes it out of texts that hold words of a peer, of a plugin
 * or of the operator's scenario: as it is, percent-encoded, with the escapes of JSON, as hexadecimal digits, and in base64
 * of both alphabets, alone or within something longer. One thread.
 */
#ifndef SQUALL_BASE_SECRET_H
#define SQUALL_BASE_SECRET_H
#include "base/error.h"
#include <stddef.h>

#define SECRETS_MAX      64u
#define SECRET_LEN_MIN   4u    /* a shorter one would take letters out of every other word */
#define SECRET_LEN_MAX   4096u
#define SECRET_BYTES_MAX 65536u /* of the file */

/* Lines of NAME=VALUE; empty ones and those that begin with # are passed over. They stand above the environment, in place of
 * those defined before. `text` is borrowed for as long as secret_get is called. `file` is for messages. */
int secrets_define(const char *text, const char *file, struct error *error);
/* The value, which is hidden from now on. -1 when there is none, or when it cannot be hidden. */
int secret_get(const char *name, const char **ret_value, struct error *error);
/* Replaces what is secret in len bytes by ***; returns the new length, which is never longer. */
size_t secret_hide(char *text, size_t len);
/* The same for a C string; returns text. */
char *secret_hide_text(char *text);

#endif
