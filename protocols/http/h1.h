/*
 * An HTTP/1.1 response reader that does no I/O: bytes in, events out. It keeps no bytes: a line that is not complete
 * yet stays with the caller, who hands it in again with more behind it.
 *
 *   h1_expect(&reader, H1_REQUEST_OTHER, H1_FIELDS_NONE);  a request has been sent
 *   while ((event = h1_read(&reader, &p, end, &piece)) != H1_MORE) ...
 *   keep the bytes in [p, end); at the end of the stream: h1_read_end
 *
 * Invariants, held by the tests: the events are a function of the bytes and never of how they are split (but for where
 * one H1_BODY ends and the next begins); each byte is looked at a bounded number of times; nothing is allocated.
 *
 * How strict it is (RFC 9112 unless named). squall reports what a server sends, so where the text lets a recipient
 * choose between repairing and refusing, it refuses: 2.2    a line ends in CR LF. A bare LF, which a recipient MAY
 * accept, and a bare CR are malformed 2.3    HTTP/1.x only; a minor version above 1 is read as 1.1 4      the SP after
 * the status code is required, as senders MUST; the code is 100 to 999 (600 and up are no class of RFC 9110 15, and
 * reported as they come) 5.1    white space between a name and its colon is malformed 5.2    obs-fold is malformed: no
 * sender may generate it. (A user agent that shows an answer has to repair it; a measuring tool has to say it.) 6.1
 * Transfer-Encoding in an HTTP/1.0 answer is malformed 6.3    1: no body after HEAD, 1xx, 204, 304, whatever the fields
 * say   2: none after a 2xx to CONNECT 3: Transfer-Encoding beside Content-Length is malformed         4: codings not
 * ending in chunked: to the close 5: Content-Length "5, 5" and repeated equal fields are one 5; anything else that is
 * no number is malformed 8: neither field: to the close 7.1    chunk sizes up to 2^63-1; extensions are skipped,
 * bounded; parameters of chunked are malformed 7.1.2  trailer fields are checked for form, bounded, and dropped: they
 * never become header fields RFC 9110 5.5: control characters but HTAB in a field line are malformed RFC 9110 15.2:
 * interim answers (1xx) are skipped; 101 is malformed, since no upgrade is asked for Codings other than chunked are not
 * undone: body bytes are those of the content coding.
 */
#ifndef SQUALL_HTTP_H1_H
#define SQUALL_HTTP_H1_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H1_HEAD_MAX       65536 /* bytes of one status line with its header fields */
#define H1_FIELDS_MAX     256   /* field lines of one head or one trailer section */
#define H1_INTERIM_MAX    32    /* 1xx answers before the final one */
#define H1_CHUNK_LINE_MAX 4096  /* bytes of a chunk's size with its extensions */
#define H1_TRAILER_MAX    16384 /* bytes of a trailer section */
#define H1_KNOWN_MAX      480   /* bytes of a head that is remembered */
#define H1_DATE_MAX       32    /* bytes of a Date field that are kept: RFC 9110 5.6.7 needs 29 */
#define H1_REASON_MAX     112   /* bytes of a reason that h1_read_end writes, with its NUL */

/* What the request was, as far as it changes how its answer is framed. */
enum h1_request_kind { H1_REQUEST_OTHER, H1_REQUEST_HEAD, H1_REQUEST_CONNECT };

/* Which header fields of the final answer are events. */
enum h1_fields_wanted {
    H1_FIELDS_NONE,
    H1_FIELDS_ALL,
    H1_FIELDS_CLIENT, /* those that a client acts on: Content-Encoding, Location, Set-Cookie */
};

enum h1_event {
    H1_MORE,      /* nothing more without more bytes */
    H1_FIELD,     /* piece.name, piece.data: a header field of the final answer; only if asked for */
    H1_HEAD,      /* the final answer's head is complete: status, keep_alive, framing are set */
    H1_BODY,      /* piece.data: body bytes, chunked coding removed; never empty */
    H1_END,       /* the answer is complete; the reader is idle until h1_expect */
    H1_MALFORMED, /* reader.reason says why; said again whatever follows */
};

struct h1_piece {
    const uint8_t *name, *data; /* into the caller's bytes */
    size_t name_len, data_len;
};

enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_TO_CLOSE };

enum h1_state {
    H1_IDLE,        /* no request is open; h1_expect -> STATUS */
    H1_STATUS,      /* before or in a status line -> FIELDS */
    H1_FIELDS,      /* header fields -> STATUS after an interim head, else END, LENGTH_BODY, CHUNK_SIZE, CLOSE_BODY */
    H1_LENGTH_BODY, /* -> END after the last byte */
    H1_CLOSE_BODY,  /* left by h1_read_end only */
    H1_CHUNK_SIZE,  /* -> CHUNK_DATA, or TRAILERS after the last chunk */
    H1_CHUNK_DATA,  /* -> CHUNK_END */
    H1_CHUNK_END,   /* the CR LF behind a chunk -> CHUNK_SIZE */
    H1_TRAILERS,    /* -> END */
    H1_ENDED,       /* H1_END is still to be said -> IDLE */
    H1_BROKEN,      /* malformed; never left */
};

/* A final head that was read in one piece, and what it said. Servers say the same again and again: bytes that are equal
 * to these mean the same, and need not be read a second time. All zero: none yet. */
struct h1_known {
    uint16_t len, status;
    uint8_t seen;
    bool version_1_0;
    uint64_t content_length;
    uint8_t bytes[H1_KNOWN_MAX];
};

/* All zero: idle. Read what H1_HEAD promises; the rest is the reader's own. */
struct h1_reader {
    uint8_t state;   /* enum h1_state */
    uint8_t framing; /* enum h1_framing */
    bool keep_alive; /* the connection may carry another request, 9.3 */
    bool started;    /* a byte of the answer has come */
    bool continued;  /* 100 Continue has */
    uint16_t status;
    uint8_t request; /* enum h1_request_kind */
    uint8_t wanted;  /* enum h1_fields_wanted */
    uint8_t seen;    /* what the present head's fields said */
    bool version_1_0;
    uint16_t fields, interims; /* counted against their limits */
    uint32_t budget;           /* bytes that the present head or trailer section may still take */
    size_t scanned;            /* of the incomplete line at the cursor: known to hold no line end */
    uint64_t left;             /* body bytes still to come, of the answer or of the chunk */
    uint64_t content_length;
    uint64_t body_bytes; /* taken so far, chunked coding removed */
    uint64_t wire_bytes; /* taken so far, interim answers and framing included */
    uint8_t date_len;    /* of the Date field, if it came before the field that is told; unless NONE is wanted */
    char date[H1_DATE_MAX];
    const char *reason;     /* static text */
    struct h1_known *known; /* the caller's to set and to change between answers; NULL: heads are not remembered */
};

/* A request is out; the next bytes answer it. The reader must be idle. */
void h1_expect(struct h1_reader *reader, enum h1_request_kind request, enum h1_fields_wanted wanted);

/* Takes bytes from *cursor up to the next event and moves *cursor behind them. Bytes left when it returns H1_MORE must
 * be the first of the next call's. `piece` is set for H1_FIELD and H1_BODY. Bytes that come while idle are malformed.
 */
enum h1_event h1_read(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end, struct h1_piece *piece);

/* The peer's orderly end of stream. H1_END: it ends the answer; H1_MALFORMED: a closed connection cuts the answer, or
 * nothing has come at all: ret_reason (H1_REASON_MAX bytes) says where. Only for a reader that is not idle. */
enum h1_event h1_read_end(struct h1_reader *reader, char *ret_reason);

#endif
