/*
 * Memory for OpenSSL, as a worker uses it. A connection gives its two record buffers back whenever they hold nothing
 * (SSL_MODE_RELEASE_BUFFERS), so that one that waits costs none; the price is that each record takes a buffer anew.
 */
#ifndef SQUALL_ENGINE_TLS_MEMORY_H
#define SQUALL_ENGINE_TLS_MEMORY_H

/* Makes it cheap: on the calling thread, freed buffers of a record's size are kept, at most 32, and handed out again.
 * For the whole process; call it before anything else touches OpenSSL, else nothing changes. */
void tls_memory_init(void);

#endif
