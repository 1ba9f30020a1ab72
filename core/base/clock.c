/* The date for a report's head. The monotonic clock is in clock.h. */
#include "base/clock.h"

void clock_date(char *buf, unsigned long size)
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    if (strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0 && size > 0)
        buf[0] = '\0';
}
