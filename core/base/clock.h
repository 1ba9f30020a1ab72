/* Time: uint64_t nanoseconds of CLOCK_MONOTONIC, everywhere but for the date that a report shows. */
#ifndef SQUALL_BASE_CLOCK_H
#define SQUALL_BASE_CLOCK_H
#include <stdint.h>
#include <time.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static inline uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* "2026-01-02T03:04:05Z", the present time; buf holds at least 21 bytes. */
void clock_date(char *buf, unsigned long size);

#endif
