/* Diagnostics on stderr, one write a line: "squall: warning: text". Never used for results. */
#ifndef SQUALL_BASE_LOG_H
#define SQUALL_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
/* Name shown after "squall" (such as "worker 2"); NULL: none. Copied. */
void log_set_role(const char *role);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 0, or -1 for an unknown word: error, warning, info, debug. */
int log_level_parse(const char *text, enum log_level *ret_level);

#endif
