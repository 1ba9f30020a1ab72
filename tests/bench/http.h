/* The little that floor and pacer share: a URL, a connection, a request's bytes. Blocking; exits on any trouble. */
#ifndef SQUALL_BENCH_HTTP_H
#define SQUALL_BENCH_HTTP_H
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

struct url {
    char host[128], port[8], path[512];
};

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static inline struct url parse_url(const char *text)
{
    struct url url = {.port = "80", .path = "/"};
    if (sscanf(text, "http://%127[^:/]:%7[0-9]%511s", url.host, url.port, url.path) < 2 &&
        sscanf(text, "http://%127[^:/]%511s", url.host, url.path) < 1) {
        fprintf(stderr, "%s: write http://HOST:PORT/PATH\n", text);
        exit(2);
    }
    return url;
}

static inline int connect_to(const struct url *url)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(url->host, url->port, &hints, &list)) {
        fprintf(stderr, "%s: unknown host\n", url->host);
        exit(1);
    }
    int one = 1, fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen))
        die("connect");
    freeaddrinfo(list);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Returns its length. */
static inline size_t write_request(const struct url *url, char *buf, size_t size)
{
    int len = snprintf(buf, size, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", url->path, url->host, url->port);
    if (len < 0 || (size_t)len >= size) {
        fprintf(stderr, "the URL is too long\n");
        exit(2);
    }
    return (size_t)len;
}

#endif
