/* What h2_session.c (life, sending) and h2_receive.c (what nghttp2 tells of the peer's frames) share. */
#ifndef SQUALL_HTTP_H2_INTERNAL_H
#define SQUALL_HTTP_H2_INTERNAL_H
#include "h2_session.h"

#define H2_TEXT_MAX   160
#define H2_FRAME_HEAD 9 /* RFC 9113 4.1: length 3, type 1, flags 1, stream 4 */

_Static_assert(H2_INTERIM_MAX < UINT8_MAX, "counted in h2_stream.interims");

/* The piece of a request's body that is being sent. */
struct h2_upload {
    const uint8_t *body;
    size_t len, taken;
    uint8_t *copy; /* of the rest of a piece that was only borrowed, or NULL */
    bool lasts, ends, deferred;
};

/* The header or trailer section that is being read, or was read last. The frames of one come at a stretch (RFC 9113
 * 4.3), so that a session reads one at a time. */
struct h2_section {
    uint32_t fields, fields_size; /* counted against their limits */
    bool in_trailers, interim, status_seen, regular_seen;
};

struct h2_session {
    nghttp2_session *ng;
    const struct h2_callbacks *callbacks;
    void *arg;
    struct h2_memory *memory;
    struct h2_options options;
    struct h2_stream streams;     /* the list's head: all that are open */
    struct h2_stream *submitting; /* inside h2_submit: its head must go out */
    bool sending;                 /* inside nghttp2's sending: it must not be entered again */
    uint8_t *out;                 /* reserved for the DATA frame that nghttp2 is about to make */
    const char *over;             /* why the session is, or NULL; text or static */
    uint32_t over_code;

    /* The frame that is being read, or was read last. */
    int32_t current_id;
    struct h2_stream *current; /* its stream; NULL: none of ours, or no longer */
    struct h2_section section; /* of that stream */
    bool unfinished;           /* it is one of a stream of ours, and not known to be good yet */
    int32_t ended_id;          /* ended by us just now: nghttp2 closes it next, and nobody is to be told */
    uint32_t continuations, idle_frames;
    int32_t invalid_id; /* the stream that nghttp2 found fault with, and what it is */
    const char *invalid;

    bool ready, closing; /* capacity and closing have been told */
    uint32_t capacity;
    bool goaway;
    uint32_t goaway_last, goaway_code;
    uint8_t first[8]; /* the peer's first bytes, which show when it speaks something else */
    uint8_t first_len;
    char *text, *closed; /* H2_TEXT_MAX each, once something is said; NULL before, and where memory ran out */
};

/* As `nghttp2_session_callbacks` wants them. */
void h2_receive_set(nghttp2_session_callbacks *set);

/* After the peer's GOAWAY no stream is open any more: nothing that comes still means anything. */
bool h2_is_through(const struct h2_session *session);
/* Sets why the session is over, unless something said so before: "NAME: why". */
void h2_over(struct h2_session *session, uint32_t code, const char *why);
void h2_no_more_streams(struct h2_session *session);
/* Takes the stream out of the session, and tells its owner. nghttp2 must not find it any more: it closes it next
 * (ended_id), or its user data is NULL. */
void h2_end_stream(struct h2_session *session, struct h2_stream *stream, const struct h2_end *end);
void h2_detach(struct h2_session *session, struct h2_stream *stream);

#endif
