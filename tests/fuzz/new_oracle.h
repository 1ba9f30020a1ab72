/* What `squall new` writes loads, whatever it was made of. */
#ifndef SQUALL_TESTS_NEW_ORACLE_H
#define SQUALL_TESTS_NEW_ORACLE_H
#include "../unit/scenario_fixture.h"
#include "base/buffer.h"
#include <squall/importer.h>
#include <stdlib.h>

#define YAML_LIMIT ((size_t)4 << 20)

extern const struct squall_importer squall_importer_http;

struct new_sink {
    struct squall_import_out out; /* first */
    struct buffer text;
};

static void new_add(struct squall_import_out *out, const char *data, uint64_t len)
{
    buffer_append(&((struct new_sink *)(void *)out)->text, data, len);
}

static void new_check(const struct squall_import *import)
{
    struct new_sink sink = {.out = {new_add}};
    struct squall_error why = {""};
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    if (!squall_importer_http.claims(import))
        return;
    if (squall_importer_http.write(import, &sink.out, &why)) {
        if (!why.text[0])
            abort();
    } else {
        fixture_registry_named(&registry, "http");
        if (sink.text.len < YAML_LIMIT && scenario_load((const char *)sink.text.data, sink.text.len, "s.yaml", NULL, &registry, &scenario, &error) &&
            !strstr(error.text, "method BAD")) { /* which the fixture refuses on purpose */
            fprintf(stderr, "%s\n%.*s\n", error.text, (int)sink.text.len, (const char *)sink.text.data);
            abort();
        }
        scenario_free(scenario);
    }
    buffer_fini(&sink.text);
}

/* Bytes with a NUL behind them, as a file is read. */
static inline void new_check_file(const char *name, const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    new_check(&(struct squall_import){.argument = name, .text = {(const uint8_t *)copy, size}});
    free(copy);
}

#endif
