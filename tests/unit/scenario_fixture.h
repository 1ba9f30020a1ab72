/*
 * Two protocols for tests of the scenario language, filled in by hand: `web`, with one row of each option type, and
 * `bus`, whose scheme has no usual port and whose headline is one word. Nothing is loaded from a file.
 */
#ifndef SQUALL_TESTS_SCENARIO_FIXTURE_H
#define SQUALL_TESTS_SCENARIO_FIXTURE_H
#include "scenario/scenario.h"
#include <stdio.h>
#include <string.h>

struct web_target_options {
    uint64_t version;
    struct squall_bytes agent;
    uint64_t http, streams;
};
struct web_options {
    struct squall_bytes method, path, body, expect, bearer;
    struct squall_tree json;
    struct squall_map headers;
    uint64_t times, wait, room, fast, mode;
};
struct bus_options {
    struct squall_bytes topic;
    struct squall_map tags;
};

static const char *const fixture_http[] = {"auto", "h1", "h2", NULL};
static const char *const fixture_versions[] = {"one", "two", NULL};
static const char *const fixture_modes[] = {"plain", "chunked", "mixed", NULL};

#define WEB(field) .offset = offsetof(struct web_options, field)
static const struct squall_option web_target_rows[] = {
    {.name = "version",
     .type = SQUALL_CHOICE,
     .choices = fixture_versions,
     .fallback = "two",
     .flag = "--one=one,--version"},
    {.name = "agent",
     .type = SQUALL_STRING,
     .offset = offsetof(struct web_target_options, agent),
     .flag = "-A,--agent"},
    /* as the real one has them: examples are loaded with this */
    {.name = "http",
     .type = SQUALL_CHOICE,
     .choices = fixture_http,
     .offset = offsetof(struct web_target_options, http)},
    {.name = "streams", .type = SQUALL_UINT, .offset = offsetof(struct web_target_options, streams)},
};
static const struct squall_option web_rows[] = {
    {.name = "method",
     .type = SQUALL_STRING,
     WEB(method),
     .fallback = "GET",
     .flag = "-X,--method",
     .metavar = "METHOD"},
    {.name = "path", .type = SQUALL_STRING, WEB(path), .fallback = "/", .role = SQUALL_ROLE_URL_PATH},
    {.name = "headers", .type = SQUALL_MAP, WEB(headers), .flag = "-H,--header", .metavar = "NAME: VALUE"},
    {.name = "body", .type = SQUALL_STRING, WEB(body), .flag = "--body", .metavar = "TEXT"},
    {.name = "expect", .type = SQUALL_STRING, WEB(expect)},
    {.name = "times", .type = SQUALL_UINT, WEB(times), .fallback = "1", .min = 1, .max = 10, .flag = "--times"},
    {.name = "wait", .type = SQUALL_DURATION, WEB(wait), .max = 60000000000},
    {.name = "room", .type = SQUALL_SIZE, WEB(room), .fallback = "64KiB", .min = 1},
    {.name = "fast", .type = SQUALL_BOOL, WEB(fast), .flag = "--fast"},
    {.name = "mode", .type = SQUALL_CHOICE, WEB(mode), .choices = fixture_modes, .fallback = "chunked"},
    /* as above, as the real one has them */
    {.name = "json", .type = SQUALL_TREE, WEB(json)},
    {.name = "bearer", .type = SQUALL_STRING, WEB(bearer)},
};
static const struct squall_option bus_rows[] = {
    {.name = "topic",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_REQUIRED | SQUALL_ROLE_URL_TAIL,
     .help = "where to publish"},
    {.name = "tags", .type = SQUALL_MAP, .offset = offsetof(struct bus_options, tags), .fallback = "kind: test"},
};

static uint32_t fixture_targets, fixture_steps; /* inits less finis */
static uint64_t fixture_step_constant;
static struct web_options fixture_step_options;

static int32_t fixture_target_init(struct squall_target *target, struct squall_error *error)
{
    const struct web_target_options *options = target->options;
    if (options->agent.len == 3 && memcmp(options->agent.data, "bad", 3) == 0) {
        snprintf(error->text, sizeof error->text, "agent must not be bad; write another");
        return -1;
    }
    fixture_targets++;
    return 0;
}

static void fixture_target_fini(struct squall_target *target)
{
    (void)target;
    fixture_targets--;
}

static int32_t fixture_step_init(struct squall_step *step, const void *options, uint64_t constant,
                                 struct squall_error *error)
{
    const struct web_options *web = options;
    uint64_t *state = step->state;
    fixture_step_constant = constant;
    fixture_step_options = *web;
    if (web->method.len == 3 && memcmp(web->method.data, "BAD", 3) == 0) {
        snprintf(error->text, sizeof error->text, "method BAD does not exist; write GET");
        return -1;
    }
    state[0] = 42;
    fixture_steps++;
    return 0;
}

static void fixture_step_fini(struct squall_step *step)
{
    (void)step;
    fixture_steps--;
}

static struct protocol fixture_web = {
    .name = "web",
    .abi = {.name = "web",
            .schemes = "web,webs,http,https",
            .ports = "80,443,80,443",
            .headline = "method path",
            .target_size = 32,
            .step_size = 8,
            .target_init = fixture_target_init,
            .target_fini = fixture_target_fini,
            .step_init = fixture_step_init,
            .step_fini = fixture_step_fini,
            .target_options = {web_target_rows, sizeof web_target_rows / sizeof *web_target_rows, sizeof(struct squall_option), sizeof(struct web_target_options)},
            .step_options = {web_rows, sizeof web_rows / sizeof *web_rows, sizeof(struct squall_option), sizeof(struct web_options)}}};
static struct protocol fixture_bus = {
    .name = "bus",
    .index = 1,
    .abi = {.name = "bus",
            .schemes = "bus",
            .headline = "topic",
            .step_options = {bus_rows, 2, sizeof(struct squall_option), sizeof(struct bus_options)}}};
/* `web` under another name: so that examples with real protocols' names load. */
static struct protocol fixture_other;

static inline void fixture_registry(struct protocol_registry *registry)
{
    *registry = (struct protocol_registry){.protocols = {&fixture_web, &fixture_bus}, .count = 2};
}

/* The examples' protocol in place of `web`; its name is whatever the examples write. */
static inline void fixture_registry_named(struct protocol_registry *registry, const char *name)
{
    fixture_other = fixture_web;
    fixture_other.name = name;
    fixture_other.abi.name = name;
    *registry = (struct protocol_registry){.protocols = {&fixture_other, &fixture_bus}, .count = 2};
}

#endif
