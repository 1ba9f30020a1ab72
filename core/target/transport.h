/*
 * How a client's bytes travel: as they are, or over TLS by OpenSSL. Non-blocking; the descriptor is the client's.
 *
 * A TLS session may hold bytes that the kernel has handed over and nobody has read. No event announces them: who stops
 * reading before it is blocked asks transport_pending().
 */
#ifndef SQUALL_TARGET_TRANSPORT_H
#define SQUALL_TARGET_TRANSPORT_H
#include "base/error.h"
#include <openssl/types.h>
#include <squall/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRANSPORT_BLOCKED = -1, TRANSPORT_FAILED = -2 };

struct transport {
    int fd;
    SSL *tls;         /* NULL: bytes as they are */
    bool up;          /* the handshake is over, or there is none */
    bool wants_write; /* what blocked a receive is that nothing can be sent */
    bool blocked;     /* the last receive has read all that there was */
};

/* What TLS sessions of a server share: its certificate, and which protocols it agrees on by ALPN. cert and key are PEM
 * files; key may be NULL, then cert holds both; both NULL: a certificate for this machine is made now, signed by
 * itself. alpn: names with commas between, in the server's order; they must last. 0, or -1 with the error filled. */
int transport_context(const char *cert, const char *key, const char *alpn, SSL_CTX **ret_context, struct error *error);
void transport_context_free(SSL_CTX *context);

/* context NULL: no TLS. 0, or -1: no memory. */
int transport_begin(struct transport *transport, int fd, SSL_CTX *context);
/* At least 1 byte; 0: the peer has ended its side; or TRANSPORT_BLOCKED or TRANSPORT_FAILED. */
ssize_t transport_receive(struct transport *transport, uint8_t *data, size_t size);
/* So many bytes as the kernel has taken, or TRANSPORT_BLOCKED or TRANSPORT_FAILED. What was blocked comes again. */
ssize_t transport_send(struct transport *transport, const uint8_t *data, size_t len);
/* Whether there may be input that no event announces. */
static inline bool transport_pending(const struct transport *transport)
{
    return transport->tls && !transport->blocked;
}
/* Which protocol was agreed on; empty: none. */
struct squall_bytes transport_alpn(const struct transport *transport);
/* Says that nothing more will be sent. */
void transport_shutdown(struct transport *transport);
/* Frees, and closes the descriptor. */
void transport_end(struct transport *transport);

#endif
