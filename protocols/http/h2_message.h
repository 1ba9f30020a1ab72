/*
 * Is an answer a message that RFC 9113 8 allows? nghttp2 can tell too, but takes longer for it, and tells some of it
 * only when it sends next. Each function returns NULL or what is wrong, a static text.
 */
#ifndef SQUALL_HTTP_H2_MESSAGE_H
#define SQUALL_HTTP_H2_MESSAGE_H
#include "h2_internal.h"

/* A header or trailer section begins. */
void h2_message_section(struct h2_section *section, const struct h2_stream *stream);
/* The section's next field. Sets status, interim and the length that is promised. */
const char *h2_message_field(struct h2_section *section, struct h2_stream *stream, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len);
/* The section is complete; `ends`: so is the stream. */
const char *h2_message_head(const struct h2_section *section, struct h2_stream *stream, bool ends);
/* Body bytes. *ret_len: how many of them are within the length that is promised. */
const char *h2_message_data(struct h2_stream *stream, size_t len, size_t *ret_len);
/* The stream is complete. */
const char *h2_message_end(const struct h2_stream *stream);

#endif
