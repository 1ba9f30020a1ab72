/*
 * What `squall try` prints of what goes over the wire: bytes as they are, or, where a protocol says it in words, a
 * title, fields and a content. Whatever is shown is bounded, is free of what would control a terminal, and holds no
 * secret: secrets are taken out of a block before it is laid out, so that no line's end can part them.
 */
#ifndef SQUALL_CLI_SHOW_H
#define SQUALL_CLI_SHOW_H
#include "base/secret.h"
#include <squall/plugin.h>
#include <stdbool.h>
#include <stdint.h>

#define SHOW_TEXT_MAX 4096u /* bytes of a block, and of its content; the rest is counted */
#define SHOW_HEX_MAX  256u  /* bytes of a content that is no text */

/* A text that grows up to its limit. A secret may begin before what is shown ends. */
struct show_text {
    char bytes[SHOW_TEXT_MAX + 3 * SECRET_LEN_MAX];
    size_t len, more; /* more: what was left out */
};

struct show {
    char mark;  /* '>' sent, '<' received */
    bool words; /* the block is one of trace(), else bytes */
    bool gap;   /* an empty line is due before the next block */
    bool line_open;
    const void *conn; /* whose words these are */
    struct show_text head, content;
    struct show_text note; /* of the exchange, for its end */
    char note_name[80];
};

/* Bytes as they went over the wire. */
void show_bytes(struct show *show, bool out, const uint8_t *data, size_t len);
/* As engine_config.trace. */
void show_trace(struct show *show, const void *conn, uint32_t what, const struct squall_bytes *name,
                const struct squall_bytes *value);
/* Prints what is held: before anything else is printed. */
void show_end(struct show *show);
/* Prints the note of an exchange that has ended. */
void show_note(struct show *show);

#endif
