/*
 * The scenario that `squall new` writes: requests in groups, collected by who reads a recording, a description or a
 * command line, and printed in one place. Texts that are given are copied.
 */
#ifndef HTTP_NEW_SCENARIO_H
#define HTTP_NEW_SCENARIO_H
#include <squall/importer.h>
#include <stdbool.h>
#include <stddef.h>

#define NEW_REQUESTS_MAX 500u
#define NEW_HEADERS_MAX  64u
#define NEW_NOTES_MAX    8u
#define NEW_BODY_MAX     ((size_t)256 << 10)

struct new_header {
    char *name, *value;
};
struct new_request {
    char *group;  /* flow that it belongs to; NULL: the only one */
    char *target; /* scheme://authority */
    char *method, *path, *name;
    struct new_header headers[NEW_HEADERS_MAX];
    uint32_t header_count;
    char *body;   /* NULL: none */
    char *check;  /* an expression; NULL: that it is ok */
    int expect;   /* the code that is ok; 0: as usual */
    char *notes[NEW_NOTES_MAX]; /* comments */
    uint32_t note_count;
    uint64_t think_ms; /* before it */
};
struct new_scenario {
    char *title;  /* a line of comment */
    char *name;
    struct new_request *requests[NEW_REQUESTS_MAX];
    uint32_t request_count;
    uint64_t left_out;
    bool insecure; /* certificates are not verified */
};

void new_scenario_fini(struct new_scenario *scenario);
/* NULL beyond NEW_REQUESTS_MAX, when it is counted as left out. */
struct new_request *new_request_add(struct new_scenario *scenario);
/* "scheme://authority/path?query#fragment" to target and path. 0, or -1 when it is no http or https URL. */
int new_request_url(struct new_request *request, const char *url);
/* Left out where its name or value cannot stand in a header. */
void new_request_header(struct new_request *request, const char *name, const char *value);
void new_request_note(struct new_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Replaces a text. */
void new_set(char **text, const char *value, size_t len);
char *new_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void new_scenario_print(const struct new_scenario *scenario, struct squall_import_out *out);

/* ---- readers: each fills an empty scenario. 0, or -1 with the error. ---- */
int new_from_curl(const char *command, struct new_scenario *scenario, struct squall_error *error);
int new_from_har(struct squall_bytes text, struct new_scenario *scenario, struct squall_error *error);
int new_from_openapi(struct squall_bytes text, bool yaml, struct new_scenario *scenario, struct squall_error *error);
/* YAML as a tree of jansson (a new reference), within limits; NULL with the error. */
struct json_t;
struct json_t *new_yaml(struct squall_bytes text, struct squall_error *error);

#endif
