/*
 * HTTP/1.1 for `squall target`: reads requests one behind the other, writes answers in their order. Bodies are drained
 * and never kept, but for /echo.
 */
#include "target_h1.h"
#include <string.h>

#define CHUNK_SIZE 4096 /* of a chunked answer */
#define PART_SIZE  8192 /* of any other answer, at a time */
#define STOPPED_NS UINT64_C(60000000000)
#define HEAD_SIZE  256 /* more than any answer's head and a chunk's framing */

/* ---- reading ---- */

static void put(struct squall_server_conn *conn, const char *text)
{
    size_t len = strlen(text);
    uint8_t *room = conn->run->host->out_reserve(conn, len);
    if (room) {
        memcpy(room, text, len);
        conn->run->host->out_commit(conn, len);
    }
}

/* The input cannot be read any further; said once all earlier requests are answered. */
static void refuse_input(struct squall_server_conn *conn, struct target_h1 *h1, const char *why)
{
    if (conn->in_flight)
        return;
    char length[32], *digit = length + sizeof length - 1;
    *digit = '\0';
    for (size_t len = strlen(why) + 1; len; len /= 10)
        *--digit = (char)('0' + len % 10);
    put(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ");
    put(conn, digit);
    put(conn, "\r\n\r\n");
    put(conn, why);
    put(conn, "\n");
    conn->run->host->malformed(conn);
    h1->finished = true;
}

static void arrive(struct squall_server_conn *conn, struct target_h1 *h1, struct squall_bytes label)
{
    const struct target_incoming *incoming = &h1->incoming;
    struct target_answer answer;
    struct squall_server_request *request = target_arrive(conn, incoming, &h1->echo, label, &answer);
    *(struct target_h1_request *)request->state = (struct target_h1_request){
        .answer = answer,
        .version_1_0 = incoming->version_1_0,
        .echo = incoming->echo,
    };
    h1->finished = !incoming->keep_alive;
}

/* Keeps what the answer will need of the head, which is gone when the body has been read. */
static void begin_request(struct squall_server_conn *conn, struct target_h1 *h1, const struct target_head *head)
{
    h1->incoming = (struct target_incoming){
        .is_head = head->is_head,
        .version_1_0 = head->version_1_0,
        .keep_alive = head->keep_alive,
    };
    target_incoming_begin(conn->run, &h1->incoming, head->path, head->query);
    if (h1->incoming.echo)
        h1->echo.len = 0;
}

static void begin_body(struct squall_server_conn *conn, struct target_h1 *h1, const struct target_head *head)
{
    h1->label_len = head->label.len < TARGET_LABEL_SIZE ? head->label.len : TARGET_LABEL_SIZE;
    memcpy(h1->label, head->label.data, h1->label_len);
    target_body_begin(&h1->body, head->chunked, head->content_length);
    if (head->expects_continue)
        put(conn, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* Returns how many bytes were used; 0: it needs more, or must wait for earlier answers. */
static size_t read_head(struct squall_server_conn *conn, struct target_h1 *h1, const uint8_t *data, size_t len)
{
    struct target_head head;
    size_t used;
    const char *why;
    if (!conn->spare)
        return 0;
    int result = target_head_parse(data, len, &head, &used, &why);
    if (result == 0)
        return 0;
    if (result < 0) {
        refuse_input(conn, h1, why);
        return 0;
    }
    bool has_body = head.chunked || head.content_length;
    /* One echo buffer a connection, and an interim answer may not stand among others. */
    if (conn->in_flight && (target_is_echo(head.path) || (has_body && head.expects_continue)))
        return 0;
    begin_request(conn, h1, &head);
    if (has_body)
        begin_body(conn, h1, &head);
    else
        arrive(conn, h1, head.label);
    return used;
}

/* As read_head; a state that needs no input is passed within the call that entered it. */
static size_t read_body(struct squall_server_conn *conn, struct target_h1 *h1, const uint8_t *data, size_t len)
{
    size_t used = 0;
    for (;;) {
        struct squall_bytes piece;
        size_t count = 0;
        const char *why;
        switch (target_body_read(&h1->body, data + used, len - used, &piece, &count, &why)) {
        case TARGET_BODY_MORE:
            return used;
        case TARGET_BODY_MALFORMED:
            refuse_input(conn, h1, why);
            return used;
        case TARGET_BODY_PIECE:
            used += count;
            target_echo_add(&h1->echo, &h1->incoming, piece);
            break;
        case TARGET_BODY_END:
            arrive(conn, h1, (struct squall_bytes){h1->label, h1->label_len});
            return used + count;
        }
    }
}

uint64_t target_h1_receive(struct squall_server_conn *conn, struct target_h1 *h1, const uint8_t *data, uint64_t len)
{
    size_t used = 0;
    while (used < len) {
        if (h1->finished)
            return len;
        bool in_body = h1->body.state != TARGET_BODY_NONE;
        size_t count =
            in_body ? read_body(conn, h1, data + used, len - used) : read_head(conn, h1, data + used, len - used);
        if (!count)
            break;
        used += count;
    }
    return used;
}

/* ---- answering ---- */

/* Names for the statuses that people program; any other gets a neutral one, which RFC 9112 allows. */
static const char *reason_phrase(uint32_t status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

static uint8_t *put_text(uint8_t *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return out + len;
}

static uint8_t *put_head(uint8_t *out, const struct squall_server_request *request,
                         const struct target_h1_request *h1_request)
{
    const struct target_answer *answer = &h1_request->answer;
    out = target_put_number(put_text(out, "HTTP/1.1 "), request->status, 10);
    *out++ = ' ';
    out = put_text(put_text(out, reason_phrase(request->status)), "\r\nContent-Type: text/plain\r\n");
    if (answer->chunked && request->status != 204)
        out = put_text(out, "Transfer-Encoding: chunked\r\n");
    else if (request->status != 204)
        out = put_text(target_put_number(put_text(out, "Content-Length: "), answer->left, 10), "\r\n");
    if (request->last)
        out = put_text(out, "Connection: close\r\n");
    else if (h1_request->version_1_0)
        out = put_text(out, "Connection: keep-alive\r\n");
    return put_text(out, "\r\n");
}

/* The body's next bytes, with their framing: behind the head, in the same room. */
static uint8_t *put_part(uint8_t *out, struct target_answer *answer, uint64_t count)
{
    if (!answer->chunked)
        return target_put_body(out, answer, count);
    if (count)
        out = put_text(target_put_body(put_text(target_put_number(out, count, 16), "\r\n"), answer, count), "\r\n");
    return answer->left ? out : put_text(out, "0\r\n\r\n");
}

/* Nothing may be written now: the part's time is not over, or the answer has stopped and is asked for now and then. */
static void pause_answer(struct squall_server_conn *conn, struct squall_server_request *request,
                         struct target_answer *answer)
{
    target_next_part(answer);
    conn->run->host->resume(request, answer->stop_left ? answer->pace_ns : STOPPED_NS);
}

int32_t target_h1_answer(struct squall_server_conn *conn, struct target_h1 *h1, struct squall_server_request *request)
{
    struct target_h1_request *h1_request = request->state;
    struct target_answer *answer = &h1_request->answer;
    const uint64_t most = answer->chunked ? CHUNK_SIZE : PART_SIZE;
    for (;;) {
        uint64_t ready = answer->bodiless ? 0 : target_ready(answer), part = ready < most ? ready : most;
        if (h1_request->begun && !part) {
            pause_answer(conn, request, answer);
            return 0;
        }
        uint8_t *start = conn->run->host->out_reserve(conn, HEAD_SIZE + part), *out = start;
        if (!start)
            return 0;
        if (!h1_request->begun) {
            h1_request->begun = true;
            out = put_head(out, request, h1_request);
        }
        if (!answer->bodiless)
            out = put_part(out, answer, part);
        conn->run->host->out_commit(conn, (uint64_t)(out - start));
        if (answer->bodiless || !answer->left)
            break;
    }
    if (h1_request->echo)
        target_echo_release(&h1->echo);
    return 1;
}

void target_h1_disconnect(struct target_h1 *h1)
{
    target_echo_fini(&h1->echo);
}
