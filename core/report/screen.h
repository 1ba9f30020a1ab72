/* What the files of the final screen share. Each section appends itself, and nothing at all when it has nothing to say.
 */
#ifndef SQUALL_REPORT_SCREEN_H
#define SQUALL_REPORT_SCREEN_H
#include "report/figures.h"
#include "report/report.h"
#include "report/text.h"

#define SCREEN_INDENT 2
#define MARK_GOOD     "\xE2\x9C\x93" /* U+2713 */
#define MARK_BAD      "\xE2\x9C\x97" /* U+2717 */
#define AT_LEAST      "\xE2\x89\xA5" /* U+2265 */
#define DOT           " \xC2\xB7 "   /* U+00B7 between facts */

struct screen {
    const struct result *result;
    uint32_t width;
    bool colour;
    struct buffer *out;
};

/* An empty line and the section's title. */
void screen_title(const struct screen *screen, const char *title);
/* One indented line, wrapped; mark may be NULL. */
void screen_line(const struct screen *screen, const char *mark, enum tone mark_tone, const char *text, enum tone tone);
/* "0.02%" with as many digits as it takes to be neither 0 nor 100 when it is not. Returns buf. */
char *screen_share(char *buf, size_t size, uint64_t part, uint64_t whole);

void screen_thresholds(const struct screen *screen);
void screen_steps(const struct screen *screen);
void screen_groups(const struct screen *screen);
void screen_metrics(const struct screen *screen);
void screen_transactions(const struct screen *screen);
void screen_codes(const struct screen *screen);
void screen_checks(const struct screen *screen);
void screen_errors(const struct screen *screen);
void screen_verdict(const struct screen *screen);

#endif
