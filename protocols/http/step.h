/*
 * One `http` step of a scenario: its options as a table, and what is worked out of them once, when the scenario is
 * loaded, so that a request costs only what changes from one to the next.
 */
#ifndef SQUALL_HTTP_STEP_H
#define SQUALL_HTTP_STEP_H
#include "content.h"
#include "expect.h"
#include "h1.h"
#include "h1_write.h"
#include "request_h2.h"
#include <squall/plugin.h>

/* The rows of http_step_rows, in their order: bit i of a `constant` mask is row i. */
enum http_row {
    HTTP_METHOD,
    HTTP_PATH,
    HTTP_HEADERS,
    HTTP_BODY,
    HTTP_JSON,
    HTTP_FORM,
    HTTP_MULTIPART,
    HTTP_FILE,
    HTTP_BASIC,
    HTTP_BEARER,
    HTTP_COMPRESSED,
    HTTP_REDIRECTS,
    HTTP_EXPECT,
    HTTP_EXPECT_CONTINUE,
    HTTP_ROWS
};
#define HTTP_BIT(row) (UINT64_C(1) << (row))
/* What the fields and what the body are made of. */
#define HTTP_FIELD_BITS                                                                                                \
    (HTTP_BIT(HTTP_HEADERS) | HTTP_BIT(HTTP_BASIC) | HTTP_BIT(HTTP_BEARER) | HTTP_BIT(HTTP_COMPRESSED))
#define HTTP_BODY_BITS                                                                                                 \
    (HTTP_BIT(HTTP_BODY) | HTTP_BIT(HTTP_JSON) | HTTP_BIT(HTTP_FORM) | HTTP_BIT(HTTP_MULTIPART) | HTTP_BIT(HTTP_FILE))

struct http_options {
    struct squall_bytes method, path;
    struct squall_map headers;
    struct squall_bytes body;
    struct squall_tree json;
    struct squall_map form, multipart;
    struct squall_bytes file, basic, bearer;
    uint64_t compressed, redirects;
    struct squall_bytes expect;
    uint64_t expect_continue; /* ns; 0: the body follows its head at once */
};
extern const struct squall_option http_step_rows[HTTP_ROWS];

/* squall_step.state. Immutable after step_init, but for `known`. */
struct http_step {
    struct http_expect expect;
    uint64_t constant;
    struct squall_bytes whole;   /* all is constant: the request as it goes out; else empty */
    struct squall_bytes fields;  /* the header block, if it is the same in every request; else empty */
    struct h1_fields found;      /* in constant headers */
    struct http_content content; /* headers and body, each if it is the same in every request */
    bool fields_constant, body_constant;
    struct squall_bytes path;  /* a constant one: run memory */
    enum h1_request_kind kind; /* of a constant method */
    bool idempotent, post;     /* it is */
    bool expect_given;         /* the scenario says which codes are ok */
    uint64_t redirects;        /* followed at most */
    uint8_t *memory;           /* holds whole or fields */
    uint8_t *content_memory;   /* what `content` is made of */
    struct h1_known known;     /* of the answers to this step, on whatever connection */

    /* HTTP/2: the fields that never change. */
    struct h2_head head; /* count 0: none are made ahead */
    bool head_whole;     /* all are constant, the path and the length included */
    void *head_memory;
};

/* As squall_protocol wants them. */
int32_t http_step_init(struct squall_step *step, const void *constant_options, uint64_t constant,
                       struct squall_error *error);
void http_step_fini(struct squall_step *step);

enum h1_request_kind http_kind_of(struct squall_bytes method);
struct squall_bytes http_agent(void);

#endif
