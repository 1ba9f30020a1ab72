/*
 * Sockets: connect, read, write, close, all non-blocking; what is encrypted goes through tls.c's sessions. Knows neither
 * pools nor plugins. `sent` rests on this file: stream_write counts a byte as written only when the kernel has accepted it (with
 * TLS: when the record that holds it was accepted whole, since SSL_write reports no less).
 */
#include "engine/internal.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
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

static const uint8_t *segment_data(const struct output *output, const struct segment *segment, size_t owned_before)
{
    return segment->borrowed ? segment->borrowed : output->bytes.data + output->taken + owned_before;
}

static enum stream_status plain_write(struct conn *conn, size_t *ret_len)
{
    const struct output *output = conn->output;
    struct iovec parts[SEGMENTS];
    size_t owned = 0;
    for (uint32_t i = 0; i < output->count; i++) {
        const struct segment *segment = &output->segments[(output->first + i) % SEGMENTS];
        parts[i].iov_base = (void *)(uintptr_t)segment_data(output, segment, owned);
        parts[i].iov_len = segment->len;
        owned += segment->borrowed ? 0 : segment->len;
    }
    ssize_t len;
    if (output->count == 1) {
        len = send(conn->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = output->count};
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
    const struct segment *segment = &conn->output->segments[conn->output->first];
    int len = SSL_write(conn->tls, segment_data(conn->output, segment, 0), (int)(segment->len < INT_MAX ? segment->len : INT_MAX));
    if (len <= 0)
        return tls_status(conn, len);
    *ret_len = (size_t)len;
    return STREAM_OK;
}

uint32_t stream_retransmits(const struct conn *conn)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    /* A unix socket has none, and says so. */
    if (conn->fd < 0 || getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return info.tcpi_total_retrans;
}

void stream_close(struct conn *conn, bool reset)
{
    if (conn->tls) {
        tls_end(conn, reset);
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
