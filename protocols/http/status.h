/* Names of status codes. */
#ifndef SQUALL_HTTP_STATUS_H
#define SQUALL_HTTP_STATUS_H
#include <stdint.h>

/* A static text, or NULL for a code without a name. Any thread. */
const char *http_status_name(uint32_t code);

#endif
