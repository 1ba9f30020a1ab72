/*
 * What an answer to plain HTTP/1.1 gives away of a server that wants to be spoken to in another way: TLS, or HTTP/2.
 * Pure; what is found depends on the bytes alone and never on how they are split.
 */
#ifndef SQUALL_HTTP_HINTS_H
#define SQUALL_HTTP_HINTS_H
#include <squall/plugin.h>

/* For an answer that is no HTTP/1.x, by its first byte: what it is in its place, and what to try. Static text, or NULL:
 * nothing is known that begins so. */
const char *http_hint_first_byte(uint8_t byte);

#define HTTP_HINT_BYTES 1024 /* of a body are looked at: what servers write there is a page of a few lines */

/* Looks for the word HTTPS in the body of a refusal (400), as web servers write it on their TLS port. Zero: none looked
 * at. */
struct http_hint_search {
    uint16_t looked_at;
    uint8_t matched; /* letters of the word so far; all of them once it was there */
};
void http_hint_look(struct http_hint_search *search, struct squall_bytes body);
/* What to try; NULL: the word was not there. */
const char *http_hint_found(const struct http_hint_search *search);

#endif
