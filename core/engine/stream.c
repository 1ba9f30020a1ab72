/*
 * Sockets and TLS: connect, read, write, close, all non-blocking. Knows descriptors and OpenSSL; knows neither pools nor
 * plugins. `sent` rests on this file: stream_write counts a byte as written only when the kernel has accepted it (with
 * TLS: when the record that holds it was accepted whole, since SSL_write reports no less).
 */
#include "engine/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET    ? sizeof(struct sockaddr_in)
           : address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                            : sizeof(struct sockaddr_un);
}

/* The pool's next source address of a family, in turn; false: it has none. */
static bool next_source(struct pool *pool, int family, struct sockaddr_storage *ret_source)
{
    const struct target *target = pool->target;
    for (uint32_t i = 0; i <= target->source_count; i++) {
        const struct address_range *range = &target->sources[pool->source_range];
        if (range->family != family || pool->source_offset == range->count) {
            pool->source_range = (pool->source_range + 1) % target->source_count;
            pool->source_offset = 0;
            continue;
        }
        uint8_t *bytes = family == AF_INET ? (uint8_t *)&((struct sockaddr_in *)(void *)ret_source)->sin_addr
                                           : (uint8_t *)&((struct sockaddr_in6 *)(void *)ret_source)->sin6_addr;
        size_t size = family == AF_INET ? 4 : 16;
        memset(ret_source, 0, sizeof *ret_source);
        ret_source->ss_family = (sa_family_t)family;
        memcpy(bytes, range->first, size);
        uint32_t low;
        memcpy(&low, bytes + size - sizeof low, sizeof low);
        low = htonl(ntohl(low) + pool->source_offset++);
        memcpy(bytes + size - sizeof low, &low, sizeof low);
        return true;
    }
    return false;
}

/* Without IP_BIND_ADDRESS_NO_PORT the kernel would take a port here, for all peers at once. 0 or errno. */
static int bind_source(struct pool *pool, int fd, int family)
{
    struct sockaddr_storage source;
    int one = 1;
    if (!pool->target->source_count || family == AF_UNIX)
        return 0;
    if (!next_source(pool, family, &source))
        return EAFNOSUPPORT;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (const struct sockaddr *)&source, address_size(&source)) < 0 ? errno : 0;
}

int stream_connect(struct conn *conn, const struct sockaddr_storage *address)
{
    conn->bind_failed = false;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int one = 1;
    if (address->ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int failure = bind_source(conn->pool, fd, address->ss_family);
    conn->bind_failed = failure != 0;
    if (!failure && connect(fd, (const struct sockaddr *)address, address_size(address)) < 0 && errno != EINPROGRESS)
        failure = errno;
    if (failure) {
        close(fd);
        return failure;
    }
    conn->fd = fd;
    return 0;
}

int stream_connected(struct conn *conn)
{
    int failure = 0;
    socklen_t len = sizeof failure;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
        return errno;
    return failure;
}

/* ---- TLS ---- */

/* ALPN as the wire wants it (RFC 7301 3.1): each name with its length before it. */
static int alpn_wire(const char *names, unsigned char *wire, size_t size, unsigned *ret_len)
{
    size_t used = 0;
    while (*names) {
        size_t len = strcspn(names, ",");
        if (len == 0 || len > 255 || used + len + 1 > size)
            return -1;
        wire[used] = (unsigned char)len;
        memcpy(wire + used + 1, names, len);
        used += len + 1;
        names += len + (names[len] == ',');
    }
    *ret_len = (unsigned)used;
    return 0;
}

int stream_tls_context(const struct target *target, SSL_CTX **ret_context, struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return error_set_code(error, EXIT_CODE_INTERNAL, "target %s: OpenSSL gave no context", target->name);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* Many servers close without close_notify; whether an answer is whole is the protocol's to say. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(context, target->tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (target->tls_ca) {
        if (SSL_CTX_load_verify_locations(context, target->tls_ca, NULL) != 1) {
            error_set(error, "target %s: %s holds no certificate that OpenSSL can read; give a PEM file", target->name, target->tls_ca);
            goto failed;
        }
    } else {
        SSL_CTX_set_default_verify_paths(context);
    }
    unsigned char wire[256];
    unsigned len = 0;
    if (target->protocol->abi.alpn && (alpn_wire(target->protocol->abi.alpn, wire, sizeof wire, &len) < 0 ||
                                       SSL_CTX_set_alpn_protos(context, wire, len) != 0)) {
        error_set(error, "target %s: the plugin's ALPN list \"%s\" is not valid", target->name, target->protocol->abi.alpn);
        goto failed;
    }
    ERR_clear_error();
    *ret_context = context;
    return 0;
failed:
    ERR_clear_error();
    SSL_CTX_free(context);
    return -1;
}

static int tls_begin(struct conn *conn)
{
    const struct target *target = conn->pool->target;
    conn->tls = SSL_new(conn->pool->tls_context);
    if (!conn->tls || SSL_set_fd(conn->tls, conn->fd) != 1)
        return -1;
    struct in6_addr address;
    bool numeric = inet_pton(AF_INET, target->host, &address) == 1 || inet_pton(AF_INET6, target->host, &address) == 1;
    /* RFC 6066 3: no SNI for literal addresses; the certificate must then name the address. */
    if (numeric)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(conn->tls), target->host);
    else if (SSL_set_tlsext_host_name(conn->tls, target->host) != 1 || SSL_set1_host(conn->tls, target->host) != 1)
        return -1;
    SSL_set_connect_state(conn->tls);
    return 0;
}

static void tls_reason(struct conn *conn, char *text, size_t size)
{
    long verified = SSL_get_verify_result(conn->tls);
    unsigned long code = ERR_peek_last_error();
    if (verified != X509_V_OK && !conn->pool->target->tls_insecure)
        snprintf(text, size, "TLS: %s (tls: { ca: FILE } trusts another authority, -k checks nothing)", X509_verify_cert_error_string(verified));
    else if (code && ERR_reason_error_string(code))
        snprintf(text, size, "TLS: %s", ERR_reason_error_string(code));
    else
        snprintf(text, size, "TLS: the connection ended during the handshake");
    ERR_clear_error();
}

enum stream_status stream_handshake(struct conn *conn, char *text, size_t size)
{
    if (!conn->tls && tls_begin(conn) < 0) {
        snprintf(text, size, "TLS: OpenSSL could not start a session");
        return STREAM_FAILED;
    }
    int status = SSL_do_handshake(conn->tls);
    if (status == 1)
        return STREAM_OK;
    int why = SSL_get_error(conn->tls, status);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        conn->write_blocked = why == SSL_ERROR_WANT_WRITE;
        return STREAM_BLOCKED;
    }
    tls_reason(conn, text, size);
    return STREAM_FAILED;
}

static enum stream_status tls_status(struct conn *conn, int returned)
{
    int why = SSL_get_error(conn->tls, returned);
    ERR_clear_error();
    switch (why) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    default:
        return STREAM_FAILED;
    }
}

/* ---- bytes ---- */

enum stream_status stream_read(struct conn *conn, uint8_t *data, size_t size, size_t *ret_len)
{
    if (conn->tls) {
        int len = SSL_read(conn->tls, data, (int)size);
        if (len <= 0)
            return tls_status(conn, len);
        *ret_len = (size_t)len;
        return STREAM_OK;
    }
    ssize_t len = recv(conn->fd, data, size, 0);
    if (len > 0) {
        *ret_len = (size_t)len;
        return STREAM_OK;
    }
    if (len == 0)
        return STREAM_END;
    return errno == EAGAIN || errno == EINTR ? STREAM_BLOCKED : STREAM_FAILED;
}

bool stream_pending(const struct conn *conn)
{
    return conn->tls && SSL_has_pending(conn->tls);
}

static const uint8_t *segment_data(const struct conn *conn, const struct segment *segment, size_t owned_before)
{
    return segment->borrowed ? segment->borrowed : conn->out.data + conn->out_taken + owned_before;
}

static enum stream_status plain_write(struct conn *conn, size_t *ret_len)
{
    struct iovec parts[SEGMENTS];
    size_t owned = 0;
    for (uint32_t i = 0; i < conn->segment_count; i++) {
        struct segment *segment = &conn->segments[(conn->segment_first + i) % SEGMENTS];
        parts[i].iov_base = (void *)(uintptr_t)segment_data(conn, segment, owned);
        parts[i].iov_len = segment->len;
        owned += segment->borrowed ? 0 : segment->len;
    }
    ssize_t len;
    if (conn->segment_count == 1) {
        len = send(conn->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = conn->segment_count};
        len = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    }
    if (len >= 0) {
        *ret_len = (size_t)len;
        return STREAM_OK;
    }
    return errno == EAGAIN || errno == EINTR ? STREAM_BLOCKED : STREAM_FAILED;
}

enum stream_status stream_write(struct conn *conn, size_t *ret_len)
{
    if (!conn->tls)
        return plain_write(conn, ret_len);
    const struct segment *segment = &conn->segments[conn->segment_first];
    int len = SSL_write(conn->tls, segment_data(conn, segment, 0), (int)(segment->len < INT_MAX ? segment->len : INT_MAX));
    if (len <= 0)
        return tls_status(conn, len);
    *ret_len = (size_t)len;
    return STREAM_OK;
}

void stream_close(struct conn *conn, bool reset)
{
    if (conn->tls) {
        if (!reset && SSL_is_init_finished(conn->tls))
            SSL_shutdown(conn->tls); /* close_notify as far as it goes; RFC 8446 6.1 asks for no answer */
        SSL_free(conn->tls);
        conn->tls = NULL;
        ERR_clear_error();
    }
    if (conn->fd < 0)
        return;
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(conn->fd);
    conn->fd = -1;
}
