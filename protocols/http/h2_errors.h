/* Names of HTTP/2's error codes (RFC 9113 7), as RST_STREAM and GOAWAY carry them. */
#ifndef SQUALL_HTTP_H2_ERRORS_H
#define SQUALL_HTTP_H2_ERRORS_H
#include <stdint.h>

/* "PROTOCOL_ERROR"; for a code that the RFC does not name: "unknown error". A static text. */
const char *h2_error_name(uint32_t code);

#endif
