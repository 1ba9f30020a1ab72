/*
 * What a client does around its exchanges: it keeps each user's cookies, follows redirects, and undoes content codings.
 * The two versions of HTTP call it alike.
 *
 * Redirects (RFC 9110 15.4) are followed on the same scheme, host and port, each as an exchange of its own. 303, and
 * 301 and 302 after a POST, go on as GET without the body; the others repeat the request. An answer whose code the
 * step's `expect` names is what the step wants, and is not followed.
 */
#ifndef SQUALL_HTTP_CLIENT_H
#define SQUALL_HTTP_CLIENT_H
#include "coding.h"
#include "cookies.h"
#include "h1.h"
#include <squall/plugin.h>

/* Where an exchange of a user was or is to be sent; a user has one for each exchange that it can have at once. */
struct http_trail {
    const void *exchange; /* squall_exchange.state: the same for all hops */
    char *path;
    uint32_t len, size;
    bool get; /* the hop is a GET without a body */
};

/* What of a user's exchanges its next ones must know. */
struct http_past {
    struct cookies cookies;
    struct http_trail *trails;
    uint32_t trail_count;
};

/* squall_user.state */
struct http_user {
    struct http_past *past; /* NULL: nothing yet, as with most users */
};

/* An answer as far as it has come; zero when its request is sent. Ended by http_answer_end or http_answer_drop. */
struct http_answer {
    union {
        struct decoder *decoder; /* NULL: the body is handed on as it comes */
        const char *why;         /* the coding is broken */
    };
    bool broken;
    bool leads_on; /* the trail says where to */
    bool too_many; /* it would be one redirect too many */
};

void http_user_fini(struct http_user *user);

/* What has to be told of an answer to this step. */
enum h1_fields_wanted http_answer_wanted(const struct squall_exchange *x);
/* Called for each field that is told; others than a client's are passed over. `date`: of the answer's Date field, for
 * cookies; empty: none has come so far. */
void http_answer_field(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer, uint32_t status,
                       struct squall_bytes date, struct squall_bytes name, struct squall_bytes value);
/* Body bytes: to the engine where the scenario looks at them. */
void http_answer_body(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                      struct squall_bytes);
/* The answer is complete: what comes of it (enum squall_outcome), and why in *ret_reason. Asks for the next hop; done()
 * must follow. */
uint32_t http_answer_end(struct squall_conn *conn, struct squall_exchange *x, struct http_answer *answer,
                         uint32_t status, const char **ret_reason);
/* The answer will not be complete. */
void http_answer_drop(const struct squall_worker *worker, struct http_answer *answer);

/* The trail of an exchange; NULL: none is known. */
struct http_trail *http_trail_of(const struct squall_exchange *x);
/* Remembers the path of a request, for the answer to be seen against. 0, or -1: no memory. */
int http_trail_set(const struct squall_exchange *x, struct squall_bytes path, bool get);

#endif
