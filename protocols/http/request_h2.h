/*
 * The head of a request in HTTP/2: the fields as nghttp2 takes them, names in lower case, what HTTP/2 forbids left out.
 *
 * Of a step the fields are made once, when the scenario is loaded, as far as they are the same in every exchange; an
 * exchange then only fills the places that vary.
 */
#ifndef SQUALL_HTTP_REQUEST_H2_H
#define SQUALL_HTTP_REQUEST_H2_H
#include "h2_memory.h"
#include "request.h"
#include <squall/plugin.h>

#define H2_LENGTH_DIGITS 20

struct h2_head {
    nghttp2_nv *fields; /* in memory; what they name is in memory too, or in the request's parts */
    size_t count;
    bool changed; /* `fields` is of one exchange: to be given back */
};

/* Bytes for h2_head_make. */
size_t h2_head_size(const struct http_parts *parts);
/* All of the parts' fields, in memory of the caller of that size. `secure`: the scheme is https. */
struct h2_head h2_head_make(void *memory, const struct http_parts *parts, struct squall_bytes authority, bool secure);

/* Makes what is constant of a step; 0, or -1: no memory. */
struct http_step;
struct http_options;
int h2_head_prepare(struct http_step *step, const struct http_options *options, const struct squall_target *target);

/* The head of an exchange: the step's if nothing varies, else made in memory that h2_head_done gives back. `fields`
 * NULL: no memory. */
struct h2_head h2_head_of(const struct squall_exchange *x, const struct http_parts *parts,
                          const struct squall_target *target, struct h2_memory *memory);
void h2_head_done(struct h2_head *head, struct h2_memory *memory);

#endif
