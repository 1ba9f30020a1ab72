/* What the live view says at a moment: pure functions of the progress, so that a test can read them. */
#ifndef SQUALL_REPORT_CONSOLE_FRAME_H
#define SQUALL_REPORT_CONSOLE_FRAME_H
#include "base/buffer.h"
#include "metrics/result.h"

#define FRAME_STAGES_MAX 8   /* stages shown at once */
#define FRAME_WIDTH_MAX  120 /* wider is no easier to read; with the limit on stages it bounds a frame's bytes */
#define FRAME_BYTES_MAX  4096

/* Lines of at most `width` columns, each ended by a newline, at most `height` of them where height >= 8. */
void console_frame(const struct progress *progress, uint32_t width, uint32_t height, bool colour, struct buffer *out);

/* One line without escapes: "12s 200.0/s p50 1.2ms p99 3.4ms failed 0 in flight 3 users 20", and behind it, where they
 * hold: "warm-up", "draining", "late", "lost 1". While connecting: "connecting: 12 connections open"; and
 * while users are made ready before the load: "setting up: 12 users not ready". */
void console_line(const struct progress *progress, struct buffer *out);

#endif
