/* Diagnostics on stderr. One write(2) a line keeps the lines of several processes whole. See log.h. */
#include "base/log.h"
#include "base/secret.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_words[] = {"error", "warning", "info", "debug"};
static enum log_level shown_level = LOG_WARNING;
static char role_name[64];

void log_set_level(enum log_level level)
{
    shown_level = level;
}

void log_set_role(const char *role)
{
    snprintf(role_name, sizeof(role_name), "%s", role ? role : "");
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof(level_words) / sizeof(level_words[0]); i++) {
        if (strcmp(text, level_words[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

/* Texts may hold bytes of a peer: none of them may steer the terminal or break the line. */
static void make_printable(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[1600];
    if (level > shown_level)
        return;
    int head = snprintf(line, sizeof(line), "squall%s%s: %s: ", role_name[0] ? " " : "", role_name, level_words[level]);
    size_t length = (size_t)head;
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + length, sizeof(line) - length - 1, format, args);
    va_end(args);
    if (body > 0)
        length += (size_t)body < sizeof(line) - length - 1 ? (size_t)body : sizeof(line) - length - 2;
    length = (size_t)head + secret_hide(line + (size_t)head, length - (size_t)head);
    make_printable(line + (size_t)head, length - (size_t)head);
    line[length++] = '\n';
    /* A stderr that takes nothing is not worth a second attempt, and there is nowhere to report it. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}
