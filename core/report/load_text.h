/* Load in words, for the console and the screen. */
#ifndef SQUALL_REPORT_LOAD_TEXT_H
#define SQUALL_REPORT_LOAD_TEXT_H
#include "scenario/scenario.h"

#define LOAD_TEXT_MAX 256

/* "ramp 0 → 200/s", "hold 200/s", "users 0 → 50", "50 users". Returns buf. */
char *load_stage_text(char *buf, size_t size, const struct stage *stage);
/* "ramp 0 → 200/s over 30s, hold 200/s for 2m"; many stages: "12 stages up to 200/s"; several loads: "browse: hold 100/s
 * for 1m; buy: 5 users for 1m". Cut where it does not fit. Returns buf. */
char *load_text(char *buf, size_t size, const struct scenario *scenario);

#endif
