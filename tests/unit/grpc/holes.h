/* Every scalar of a JSON text that may be a variable: values, and not names of fields. */
#ifndef SQUALL_TEST_GRPC_HOLES_H
#define SQUALL_TEST_GRPC_HOLES_H
#include "json.h"
#include <squall/plugin.h>
#include <string.h>

#define HOLES_MAX 4096

/* The text is well formed. "@type" keeps its value: it decides what the rest means. */
static inline size_t find_holes(const char *text, struct squall_hole *holes)
{
    struct pb_json json = {text, strlen(text), 0};
    size_t count = 0, at, len;
    int names_type = 0;
    while (pb_json_peek(&json) != '\0' && count < HOLES_MAX) {
        char next = text[json.at];
        if (next == '{' || next == '}' || next == '[' || next == ']' || next == ',' || next == ':') {
            json.at++;
            continue;
        }
        if (pb_json_scalar(&json, &at, &len) != NULL)
            break;
        if (pb_json_peek(&json) == ':') {
            names_type = strncmp(text + at, "\"@type\"", len) == 0;
            continue;
        }
        if (!names_type) {
            holes[count].at = at;
            holes[count++].len = len;
        }
        names_type = 0;
    }
    return count;
}

#endif
