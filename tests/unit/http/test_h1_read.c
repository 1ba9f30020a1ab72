/* The response reader on well-formed answers and on ends of stream: every vector whole, cut at every place, and one
 * byte at a time must be read the same way. */
#include "h1_trace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { KEEP_OPEN, ENDS };

static const struct vector {
    const char *name, *input, *expected;
    enum h1_request_kind kind;
    int ends;
    bool fields;
} vectors[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "head 200 keep length; body \"hello\"; end", 0, 0,
     0},
    {"length 0", "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", "head 200 keep length; end", 0, 0, 0},
    {"no reason phrase", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "head 404 keep length; end", 0, 0, 0},
    {"reason phrase with obs-text", "HTTP/1.1 500 Fehl\xe4r\there\r\nContent-Length: 0\r\n\r\n",
     "head 500 keep length; end", 0, 0, 0},
    {"two in one read",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nb",
     "head 200 keep length; body \"a\"; end; head 201 keep length; body \"b\"; end", 0, 0, 0},
    {"length as list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2 ,,2\r\n\r\nok",
     "head 200 keep length; body \"ok\"; end", 0, 0, 0},
    {"length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\nCONTENT-LENGTH: 02\r\n\r\nok",
     "head 200 keep length; body \"ok\"; end", 0, 0, 0},
    {"length blanks", "HTTP/1.1 200 OK\r\nContent-Length: \t 2 \t\r\n\r\nok", "head 200 keep length; body \"ok\"; end",
     0, 0, 0},
    {"largest length", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nab",
     "head 200 keep length; body \"ab\"", 0, 0, 0},
    {"names like the ones that matter",
     "HTTP/1.1 200 OK\r\nContent-Lengtj: 9\r\nConnectiom: close\r\nTransfer-Encodinf: chunked\r\nxontent-Length: "
     "7\r\nContent-Length: 1\r\n\r\nx",
     "head 200 keep length; body \"x\"; end", 0, 0, 0},
    {"fields",
     "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie:  a=b \t\r\nA_very.long-Name~With*Every+Sort: "
     "\x80\xff\r\nEmpty:\r\nContent-Length: 1\r\n\r\nz",
     "Server=x; Set-Cookie=a=b; A_very.long-Name~With*Every+Sort=\\80\\ff; Empty=; Content-Length=1; head 200 keep "
     "length; body \"z\"; end",
     0, 0, 1},
    {"interim fields are not the answer's",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "Content-Length=0; head 200 keep length; end", 0, 0, 1},
    {"interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 \r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     "head 200 keep length; body \"hi\"; end", 0, 0, 0},
    {"interim framing does not last",
     "HTTP/1.1 103 Hints\r\nContent-Length: 9\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
     "2\r\n\r\nhi",
     "head 200 keep length; body \"hi\"; end", 0, 0, 0},
    {"head", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "head 200 keep none; end; head 200 keep none; end", H1_REQUEST_HEAD, 0, 0},
    {"204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "head 204 keep none; end", 0, 0, 0},
    {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "head 304 keep none; end", 0, 0, 0},
    {"connect", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "head 200 last none; end", H1_REQUEST_CONNECT, 0,
     0},
    {"connect refused", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello",
     "head 403 keep length; body \"hello\"; end", H1_REQUEST_CONNECT, 0, 0},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
     "head 200 keep chunked; body \"hello!\"; end", 0, 0, 0},
    {"chunked empty", "HTTP/1.1 200 OK\r\ntransfer-encoding:Chunked\r\n\r\n0\r\n\r\n", "head 200 keep chunked; end", 0,
     0, 0},
    {"chunk sizes",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n00000000000000000000A\r\n0123456789\r\n0b\r\nABCDEFGHIJK\r\n000\r\n\r\n",
     "head 200 keep chunked; body \"0123456789ABCDEFGHIJK\"; end", 0, 0, 0},
    {"chunk extensions",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d e\"\r\nok\r\n0 \t;last\r\n\r\n",
     "head 200 keep chunked; body \"ok\"; end", 0, 0, 0},
    {"chunk of line ends", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
     "head 200 keep chunked; body \"\\0d\\0a\\0d\\0a\"; end", 0, 0, 0},
    {"trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 99\r\nConnection: "
     "close\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
     "Transfer-Encoding=chunked; head 200 keep chunked; body \"x\"; end; head 204 keep none; end", 0, 0, 1},
    {"coding before chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip;q=\"a,b\", chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     "head 200 keep chunked; body \"x\"; end", 0, 0, 0},
    {"codings in two fields",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: , chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     "head 200 keep chunked; body \"x\"; end", 0, 0, 0},
    {"coding without chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
     "head 200 last close; body \"abc\"; end", 0, ENDS, 0},
    {"chunked not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc",
     "head 200 last close; body \"abc\"; end", 0, ENDS, 0},
    {"to the close", "HTTP/1.1 200 OK\r\n\r\nabc", "head 200 last close; body \"abc\"; end", 0, ENDS, 0},
    {"to the close, empty", "HTTP/1.1 200 OK\r\n\r\n", "head 200 last close; end", 0, ENDS, 0},
    {"close", "HTTP/1.1 200 OK\r\nConnection: foo , CLOSE\r\nContent-Length: 1\r\n\r\nx",
     "head 200 last length; body \"x\"; end", 0, 0, 0},
    {"no close", "HTTP/1.1 200 OK\r\nConnection: closed, notclose, close x\r\nContent-Length: 1\r\n\r\nx",
     "head 200 keep length; body \"x\"; end", 0, 0, 0},
    {"close wins", "HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
     "head 200 last length; body \"x\"; end", 0, 0, 0},
    {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "head 200 last length; body \"x\"; end", 0, 0, 0},
    {"1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
     "head 200 keep length; body \"x\"; end", 0, 0, 0},
    {"1.0 keep-alive to the close", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx",
     "head 200 last close; body \"x\"; end", 0, ENDS, 0},
    {"1.9 is 1.1", "HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", "head 200 keep length; end", 0, 0, 0},
    {"codes without a class", "HTTP/1.1 999 Strange\r\nContent-Length: 0\r\n\r\n", "head 999 keep length; end", 0, 0,
     0},
    {"no answer", "", "connection closed before an answer", 0, ENDS, 0},
    {"cut status line", "HTTP/1.1 20", "connection closed inside the head of the answer", 0, ENDS, 0},
    {"cut after interim", "HTTP/1.1 100 Continue\r\n\r\n", "connection closed inside the head of the answer", 0, ENDS,
     0},
    {"cut fields", "HTTP/1.1 200 OK\r\nA: b\r", "connection closed inside the head of the answer", 0, ENDS, 0},
    {"cut body", "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\nabc",
     "head 200 keep length; body \"abc\"; connection closed after 3 of 1024 body bytes", 0, ENDS, 0},
    {"cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
     "head 200 keep chunked; body \"abc\"; connection closed inside a chunked body, after 3 bytes", 0, ENDS, 0},
    {"cut behind last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
     "head 200 keep chunked; connection closed inside a chunked body, after 0 bytes", 0, ENDS, 0},
};
#define COUNT (sizeof vectors / sizeof vectors[0])

static struct trace whole, other;

static void prepare(const struct vector *vector)
{
    whole.kind = other.kind = vector->kind;
    whole.want_fields = other.want_fields = vector->fields;
}

static void check(const struct vector *vector, const char *how, size_t at)
{
    if (strcmp(other.text, vector->expected) != 0)
        fail_msg("%s, %s %zu:\n  %s\nexpected\n  %s", vector->name, how, at, other.text, vector->expected);
}

static void vectors_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const struct vector *vector = &vectors[i];
        const uint8_t *input = (const uint8_t *)vector->input;
        size_t len = strlen(vector->input);
        prepare(vector);
        for (size_t step = 1; step <= 40; step++) {
            trace_run(&other, input, len, 0, step, vector->ends == ENDS);
            check(vector, "in steps of", step);
        }
        trace_run(&other, input, len, 0, len + 1, vector->ends == ENDS);
        check(vector, "whole", len);
        for (size_t cut = 1; cut < len; cut++) {
            trace_run(&other, input, len, cut, 0, vector->ends == ENDS);
            check(vector, "cut at", cut);
        }
    }
}

/* Whichever head was read before, and whatever the request was then. */
static void known_heads_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const uint8_t *before = (const uint8_t *)vectors[i].input;
        struct h1_known known = {0};
        whole.known = other.known = &known;
        for (size_t j = 0; j < COUNT; j++) {
            const struct vector *vector = &vectors[j];
            prepare(&vectors[i]);
            trace_run(&whole, before, strlen(vectors[i].input), 0, SIZE_MAX / 2, false);
            prepare(vector);
            for (int turn = 0; turn < 2; turn++) {
                trace_run(&other, (const uint8_t *)vector->input, strlen(vector->input), 0, SIZE_MAX / 2,
                          vector->ends == ENDS);
                check(vector, "behind another head, turn", (size_t)turn);
            }
        }
        prepare(&vectors[i]);
        for (size_t cut = 1; cut < strlen(vectors[i].input); cut++) {
            trace_run(&other, before, strlen(vectors[i].input), cut, 0, vectors[i].ends == ENDS);
            check(&vectors[i], "behind itself, cut at", cut);
        }
    }
    whole.known = other.known = NULL;
}

/* It is taken and not only harmless: what it says is what is read. */
static void known_head_is_taken(void **state)
{
    (void)state;
    static const char input[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    struct h1_known known = {0};
    other.kind = H1_REQUEST_OTHER;
    other.want_fields = false;
    other.known = &known;
    trace_run(&other, (const uint8_t *)input, sizeof input - 1, 0, sizeof input, false);
    assert_int_equal(known.len, sizeof input - 1 - 3);
    known.content_length = 2;
    known.status = 299;
    trace_run(&other, (const uint8_t *)input, sizeof input - 2, 0, sizeof input, false);
    assert_string_equal(other.text, "head 299 keep length; body \"ab\"; end");
    other.want_fields = true; /* then each field must be said, and so be read */
    trace_run(&other, (const uint8_t *)input, sizeof input - 1, 0, sizeof input, false);
    assert_string_equal(other.text, "Content-Length=3; head 200 keep length; body \"abc\"; end");
    other.known = NULL;
}

static void end_of_stream_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const struct vector *vector = &vectors[i];
        const uint8_t *input = (const uint8_t *)vector->input;
        size_t len = strlen(vector->input);
        prepare(vector);
        for (size_t end = 0; end < len; end++) {
            trace_run(&whole, input, end, 0, len + 1, true);
            trace_run(&other, input, end, 0, 1, true);
            if (strcmp(whole.text, other.text) != 0)
                fail_msg("%s, ends at %zu:\n  %s\nbut byte by byte\n  %s", vector->name, end, whole.text, other.text);
            bool complete = strlen(whole.text) >= 3 && strcmp(whole.text + strlen(whole.text) - 3, "end") == 0;
            if (!complete && strstr(whole.text, "connection closed") == NULL)
                fail_msg("%s, ends at %zu: neither complete nor cut:\n  %s", vector->name, end, whole.text);
        }
    }
}

static void wire_bytes_count_everything(void **state)
{
    (void)state;
    static const char input[] =
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: x\r\n\r\n";
    other.kind = H1_REQUEST_OTHER;
    other.want_fields = false;
    for (size_t step = 1; step < sizeof input; step++) {
        trace_run(&other, (const uint8_t *)input, sizeof input - 1, 0, step, false);
        assert_int_equal(other.wire_bytes, sizeof input - 1);
    }
}

static void idle_reader_refuses_bytes(void **state)
{
    (void)state;
    struct h1_reader reader = {0};
    struct h1_piece piece;
    const uint8_t byte = 'x', *cursor = &byte;
    assert_int_equal(h1_read(&reader, &cursor, cursor, &piece), H1_MORE);
    assert_int_equal(h1_read(&reader, &cursor, cursor + 1, &piece), H1_MALFORMED);
    assert_string_equal(reader.reason, "bytes that answer no request");
    assert_int_equal(h1_read(&reader, &cursor, cursor, &piece), H1_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_at_every_split),      cmocka_unit_test(known_heads_change_nothing),
        cmocka_unit_test(known_head_is_taken),         cmocka_unit_test(end_of_stream_at_every_byte),
        cmocka_unit_test(wire_bytes_count_everything), cmocka_unit_test(idle_reader_refuses_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
