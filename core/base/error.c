/* Error texts and the search for the name that somebody meant. See error.h. */
#include "base/error.h"
#include "base/exit_code.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Longer words than this are no typing mistakes of ours: they get no suggestion. */
#define WORD_MAX 64u

/* Formats aside first: an argument may be the error's present text. */
static void set_text(struct error *error, const char *format, va_list args)
{
    char text[sizeof(error->text)];
    vsnprintf(text, sizeof(text), format, args);
    memcpy(error->text, text, sizeof(text));
}

int error_set(struct error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_text(error, format, args);
    va_end(args);
    error->exit_code = EXIT_CODE_USAGE;
    return -1;
}

int error_set_code(struct error *error, int exit_code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_text(error, format, args);
    va_end(args);
    error->exit_code = exit_code;
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    char prefix[sizeof(error->text) - 3];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    size_t length = strlen(prefix), room = sizeof(error->text) - length - 3;
    size_t kept = strnlen(error->text, room);
    memmove(error->text + length + 2, error->text, kept);
    error->text[length + 2 + kept] = '\0';
    memcpy(error->text, prefix, length);
    memcpy(error->text + length, ": ", 2);
    return -1;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned smallest(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form: insert, delete, replace, or swap two neighbours, and no
 * place edited twice. Both words are at most WORD_MAX long. Three rows of the table are enough. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned a_length = (unsigned)strlen(a), b_length = (unsigned)strlen(b);
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = before[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            now[j] = smallest(replaced, smallest(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
                now[j] = smallest(now[j], two_before[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* One mistake in words of 2 to 4 letters, two up to 7, three in longer ones: more, and the suggestion is noise. */
static unsigned mistakes_allowed(size_t length)
{
    return smallest((unsigned)(length + 1) / 3, 3);
}

const char *error_nearest(const char *word, const char *const *names, unsigned count, unsigned long stride)
{
    size_t length = strlen(word);
    const char *best = NULL, *completed = NULL;
    unsigned best_distance = mistakes_allowed(length) + 1;
    if (length < 2 || length > WORD_MAX)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)names + i * stride);
        if (!name || strlen(name) > WORD_MAX)
            continue;
        unsigned d = distance(word, name);
        if (d < best_distance) {
            best_distance = d;
            best = name;
        }
        if (!completed && length >= 3 && strncasecmp(word, name, length) == 0)
            completed = name;
    }
    return best ? best : completed;
}
