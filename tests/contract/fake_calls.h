/* Between fake_host.c, fake_calls.c and fake_samples.c only. */
#ifndef CONTRACT_FAKE_CALLS_H
#define CONTRACT_FAKE_CALLS_H
#include "fake_host.h"

static inline struct fake_host *fake_host_of(const struct squall_worker *worker)
{
    return (struct fake_host *)(uintptr_t)worker;
}

/* Fills host->table. */
void fake_calls_init(struct fake_host *host);
/* Its part of that. */
void fake_samples_init(struct squall_host *table);
/* Whether it is called on the engine's thread and from within the plugin, as the laws want it; else that is written down. */
bool fake_on_thread(struct fake_host *host, const char *call);
/* Writes down that the plugin broke a law; any thread. */
void fake_violation(struct fake_host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of the transcript. */
void fake_note(struct fake_conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the exchange out of flight and lets its memory die. */
void fake_exchange_end(struct fake_exchange *exchange, enum fake_end end);
/* The room of the last out_reserve() is no longer valid. */
void fake_reserve_forget(struct fake_conn *conn);
/* Were borrowed bytes left alone? Forgets them. */
void fake_borrows_check(struct fake_conn *conn);

#endif
