/* Between fake_host.c and fake_calls.c only. */
#ifndef CONTRACT_FAKE_CALLS_H
#define CONTRACT_FAKE_CALLS_H
#include "fake_host.h"

/* Fills host->table. */
void fake_calls_init(struct fake_host *host);
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
