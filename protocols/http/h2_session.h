/*
 * An HTTP/2 client's session (RFC 9113) that does no I/O, on nghttp2: bytes of the peer in, bytes for the peer out by
 * way of callbacks, events in between. Plain HTTP and protocols on top of HTTP/2 use the same library.
 *
 *   session = h2_session_new(&options, &callbacks, arg, &memory);   the preface and SETTINGS are queued
 *   h2_send(session)                                                writes what is queued
 *   h2_submit(session, &stream, &request)                           sends a request as far as it goes
 *   h2_receive(session, data, len)                                  takes all of len, tells what it means, answers
 *   h2_cancel(session, &stream, code); h2_send(session)             gives a stream up
 *   h2_session_free(session)
 *
 * Invariants, held by the tests:
 *   - a stream that h2_submit took is ended once, by the callback `end`, by h2_cancel or by h2_session_free; from then
 * on its memory is its owner's again and no callback names it.
 *   - callbacks are a function of the bytes and never of how they are split (but for where one `data` ends and the next
 *     begins, and for faults on a stream that we have reset within the same bytes).
 *   - whatever the peer sends costs bounded memory: header lists, interim answers, CONTINUATION frames and frames that
 *     carry nothing are counted against the limits below, and nothing is kept of an answer.
 *
 * Callbacks run inside h2_submit, h2_write, h2_send and h2_receive. They may call h2_cancel, h2_consume and, from
 * `taken`, h2_write for the stream that it names; nothing else of this header. Once a function has said why the session
 * is over, only h2_cancel and h2_session_free are of use; the GOAWAY that tells the peer has been written by then.
 *
 * Server push is switched off (ENABLE_PUSH 0) and a pushed stream is a connection error. Priorities are neither sent
 * nor heeded (RFC 9113 5.3.2). Pings and SETTINGS are answered.
 */
#ifndef SQUALL_HTTP_H2_SESSION_H
#define SQUALL_HTTP_H2_SESSION_H
#include "h2_memory.h"
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_INTERIM_MAX      32    /* 1xx answers before the final one */
#define H2_CONTINUATION_MAX 8     /* frames of one header block behind its first */
#define H2_IDLE_FRAMES_MAX  10000 /* in a row that move no exchange on: PING, SETTINGS, empty DATA and the like */
#define H2_WINDOW_MIN       65535 /* of a connection: RFC 9113 6.9.2 has no way to make it smaller */
#define H2_WINDOW_MAX       0x7fffffff
#define H2_FRAME_MIN        16384
#define H2_FRAME_MAX        16777215

/* What the session says in its SETTINGS, and what it holds the peer to. */
struct h2_options {
    uint32_t streams_max;       /* of ours at once; the peer may allow fewer */
    uint32_t stream_window;     /* bytes that the peer may send on a stream without a WINDOW_UPDATE */
    uint32_t connection_window; /* the same on all streams together; H2_WINDOW_MIN or more */
    uint32_t header_table;      /* bytes of the HPACK table that we offer, and of the peer's that we use at most */
    uint32_t frame_max;         /* bytes of a frame's payload that we take */
    uint32_t fields_max;        /* header fields of a header or trailer section */
    uint32_t fields_size;       /* of a section: names, values and 32 bytes for each (RFC 9113 10.5.1) */
    bool manual_window;         /* windows open only as far as h2_consume says; else as data comes in */
};

/* What the request was, as far as it changes how its answer is framed. */
enum h2_answer {
    H2_ANSWER_USUAL,
    H2_ANSWER_HEAD,    /* has no content, whatever its content-length */
    H2_ANSWER_CONNECT, /* a 2xx opens a tunnel (RFC 9113 8.5), of which nothing is wanted: it is complete with its head
                        */
};

struct h2_upload;

/* One request with its answer. Memory of the caller, all zero before h2_submit; read what is named, leave the rest. It
 * is kept small, since a run may have tens of thousands at once: what only the section needs that is being read stands
 * in the session, what only a body does that is being sent in a block of its own. */
struct h2_stream {
    uint64_t bytes_in; /* frames of this stream so far, their heads included */
    uint64_t bytes_out;
    uint32_t id;            /* 0: not submitted */
    uint32_t field_lengths; /* with want_fields: bit n: of names of n bytes; 0: of all */
    uint16_t status;        /* of the final head; 0: not known yet */
    bool want_fields : 1;   /* tell `field` */
    bool sent : 1;          /* the last byte of the request has been committed */

    /* The session's. */
    bool started : 1, has_length : 1;
    uint8_t answer; /* enum h2_answer */
    uint8_t interims;
    struct h2_stream *next, *previous;
    struct h2_upload *upload; /* NULL: the request has no body, or all of it has been committed */
    uint64_t length, body_in; /* promised; come so far */
};

enum h2_part { H2_HEAD, H2_TRAILER };

/* A header field; pseudo-header fields are not told. Names are lower-case. Borrowed until the callback returns. */
struct h2_field {
    const uint8_t *name, *value;
    size_t name_len, value_len;
    enum h2_part part;
};

/* How a stream came to its end. */
enum h2_how {
    H2_COMPLETE,  /* the answer is complete; code 0 */
    H2_RESET,     /* the peer sent RST_STREAM with `code` */
    H2_UNTOUCHED, /* the peer says that it has not acted on the request (RFC 9113 8.7): RST_STREAM with REFUSED_STREAM,
                     or its GOAWAY, with `code`, leaves the stream out. It may be sent again on another connection */
    H2_MALFORMED, /* the answer breaks RFC 9113 8.1.1 or a limit; the stream has been reset, the connection goes on */
};

struct h2_end {
    enum h2_how how;
    uint32_t code;      /* see h2_error_name */
    const char *reason; /* in words, valid during the call; NULL with H2_COMPLETE */
};

/* Each gets the session's `arg`. All but `borrow`, `room`, `field`, `head`, `started` and `taken` are required. */
struct h2_callbacks {
    /* Output, in order. reserve: room for len bytes until the next call for output; NULL: none, which ends the session.
     * commit: as many as were reserved. borrow: bytes that live on (h2_request.lasts), queued without a copy; 0 or -1.
     * room: false holds DATA and answers to the peer back until h2_send is called again; requests' heads are written
     * all the same. */
    uint8_t *(*reserve)(void *arg, size_t len);
    void (*commit)(void *arg, size_t len);
    int (*borrow)(void *arg, const uint8_t *data, size_t len);
    bool (*room)(void *arg);

    void (*sent)(void *arg, struct h2_stream *stream);  /* its last byte has been committed */
    void (*taken)(void *arg, struct h2_stream *stream); /* the piece has been committed, and more may come: h2_write */

    void (*started)(void *arg, struct h2_stream *stream); /* the first frame of the answer is here, interim ones too */
    void (*field)(void *arg, struct h2_stream *stream, const struct h2_field *field);
    void (*head)(void *arg, struct h2_stream *stream); /* the final answer's head is complete: status is set */
    void (*data)(void *arg, struct h2_stream *stream, const uint8_t *data, size_t len); /* len > 0, padding removed */
    void (*end)(void *arg, struct h2_stream *stream, const struct h2_end *end);

    /* The peer's SETTINGS are here: so many streams may be open from now on, 0 included. Told first when the session is
     * ready, and whenever it changes. */
    void (*capacity)(void *arg, uint32_t streams);
    /* No new stream is taken: the peer's GOAWAY, or our stream identifiers run out. Streams that are open go on. */
    void (*closing)(void *arg);
};

struct h2_request {
    const nghttp2_nv *fields; /* pseudo-header fields first, names lower-case; borrowed until h2_submit returns, and
                                 read without a copy if they are flagged so */
    size_t field_count;
    const uint8_t *body; /* NULL with len 0 */
    size_t body_len;
    bool lasts; /* the body outlives the session's output; otherwise what is not sent at once is copied */
    bool more;  /* further pieces follow by h2_write; the request has DATA even if the body is empty now */
    enum h2_answer answer;
};

struct h2_session;

/* NULL: no memory. `callbacks` and `memory` outlive the session; `options` need not. */
struct h2_session *h2_session_new(const struct h2_options *options, const struct h2_callbacks *callbacks, void *arg,
                                  struct h2_memory *memory);
/* Takes one of the streams that are open away from the session, without a word to the peer: for an owner that is about
 * to free the session. NULL: none is open. */
struct h2_stream *h2_forget(struct h2_session *session);
/* Streams that are open are forgotten. NULL is taken. */
void h2_session_free(struct h2_session *session);

/* Each returns NULL, or why the session is over; the text lives as long as the session. h2_receive ends in h2_send. */
const char *h2_send(struct h2_session *session);
const char *h2_receive(struct h2_session *session, const uint8_t *data, size_t len);

/* Takes the stream and sends as much as goes. NULL, or why not: then the stream is the caller's still, and if the
 * session is over too the next call says so. Not above the capacity last told. */
const char *h2_submit(struct h2_session *session, struct h2_stream *stream, const struct h2_request *request);
/* The next piece of a request with `more`, once the one before has been taken; `ends`: the last, which may be empty.
 * Sends as much as goes; lasts as in h2_request. 0, or -1: no memory; if the session is over the next call says so. */
int h2_write(struct h2_session *session, struct h2_stream *stream, const uint8_t *data, size_t len, bool lasts,
             bool ends);
/* The stream is over for its owner; the peer is told with RST_STREAM. Followed by h2_send. */
void h2_cancel(struct h2_session *session, struct h2_stream *stream, uint32_t code);
/* manual_window: so many bytes that `data` told have been used. Followed by h2_send. */
void h2_consume(struct h2_session *session, struct h2_stream *stream, size_t len);

/* NULL, or why the session is over, without sending: for who knows that nothing waits. */
const char *h2_why_over(const struct h2_session *session);
/* What to say when the peer ends the connection: names the error of its GOAWAY, if there was one. */
const char *h2_closed_text(struct h2_session *session);

#endif
