/* Numbers with units, as scenarios and the command line write them and as reports print them. */
#ifndef SQUALL_BASE_UNITS_H
#define SQUALL_BASE_UNITS_H
#include <stddef.h>
#include <stdint.h>

/* Each parses the whole of text and returns 0, or -1 when text is not of the form or out of range. */
int units_parse_duration(const char *text, uint64_t *ret_ns);   /* 250ms, 1.5s, 2m, 1h, 10us, 5ns, 1m30s, 0 */
int units_parse_size(const char *text, uint64_t *ret_bytes);    /* 512, 64KiB, 10k, 1MB, 2GiB, 16B */
int units_parse_count(const char *text, uint64_t *ret_count);   /* 100, 10k, 2M, 1_000_000 */
int units_parse_rate(const char *text, double *ret_per_s);      /* 200, 200/s, 10k/s, 30/m, 5/h, 0.5/s */
int units_parse_ratio(const char *text, double *ret_ratio);     /* 0.1%, 0.001 */

/* Human forms with 3 significant digits: "1.23ms", "12.3 MiB", "4.5k". Return buf. */
char *units_print_duration(char *buf, size_t size, uint64_t ns);
char *units_print_size(char *buf, size_t size, uint64_t bytes);
char *units_print_count(char *buf, size_t size, double count);
/* "1,234,567" */
char *units_print_grouped(char *buf, size_t size, uint64_t count);

#endif
