/* Target options, and schemas from files. See target.h. */
#include "target.h"
#include "json.h"
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX      256
#define FIELDS_SIZE_MAX 65536

/* The path that the scenario means: below its folder, or in the URL form any. -1 with the error. */
static int resolve(const struct squall_target *view, const char *row, const char *name, char path[PATH_MAX],
                   struct squall_error *error)
{
    char joined[PATH_MAX], root[PATH_MAX];
    const char *folder = view->folder == NULL || name[0] == '/' ? "" : view->folder;
    if (name[0] == '\0' || snprintf(joined, sizeof joined, "%s%s", folder, name) >= (int)sizeof joined ||
        realpath(joined, path) == NULL) {
        snprintf(error->text, sizeof error->text, "%s: \"%.200s\" is not there; name it relative to %s", row, name,
                 view->folder != NULL ? "the scenario's folder" : "where squall was started");
        return -1;
    }
    if (view->folder == NULL)
        return 0;
    size_t len = realpath(view->folder, root) != NULL ? strlen(root) : 0;
    if (len == 1 || (len > 0 && strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0')))
        return 0;
    snprintf(error->text, sizeof error->text, "%s: \"%.200s\" lies outside of the scenario's folder; copy it there",
             row, name);
    return -1;
}

/* Calls fn with every text of a tree that is a text or a list of them. */
static int each_text(const struct squall_target *view, const char *row, const struct squall_tree *tree,
                     int (*fn)(struct pb_schema *, const char *, struct squall_error *), struct pb_schema *schema,
                     struct squall_error *error)
{
    struct pb_json json = {(const char *)tree->text.data, tree->text.len, 0};
    bool list = pb_json_take(&json, '[');
    if (tree->text.len == 0 || (list && pb_json_take(&json, ']')))
        return 0;
    do {
        size_t at, len;
        char name[PATH_MAX], path[PATH_MAX];
        const char *reason = pb_json_scalar(&json, &at, &len);
        if (reason != NULL || json.text[at] != '"' || len >= sizeof name) {
            snprintf(error->text, sizeof error->text, "%s: write a file name, or a list of them", row);
            return -1;
        }
        name[pb_json_unescape(json.text + at + 1, len - 2, name)] = '\0';
        if (resolve(view, row, name, path, error) < 0 || fn(schema, path, error) < 0)
            return -1;
    } while (list && pb_json_take(&json, ','));
    return 0;
}

static int read_set(const struct squall_target *view, struct rpc_target *target, struct squall_error *error)
{
    char path[PATH_MAX];
    const char *name = (const char *)target->options->descriptor_set.data;
    if (target->options->descriptor_set.len == 0)
        return 0;
    return resolve(view, "descriptor-set", name, path, error) < 0 ? -1 : pb_schema_add_set(target->schema, path, error);
}

static int check_together(const struct rpc_target_options *options, struct squall_error *error)
{
    bool proto = options->proto.text.len > 0, set = options->descriptor_set.len > 0;
    const char *both = proto && set                               ? "proto and descriptor-set"
                       : (proto || set) && options->reflection    ? "reflection and a file"
                       : !proto && options->import_paths.text.len ? "import-paths without proto"
                                                                  : NULL;
    if (both == NULL)
        return 0;
    snprintf(error->text, sizeof error->text, "%s: services are known from one place; keep one", both);
    return -1;
}

/* What a server would reset each call for: RFC 3986 3.2, RFC 9110 5.5. */
static int check_fields(const struct rpc_target_options *options, struct squall_error *error)
{
    static const char marks[] = "-._~%!$&'()*+,;=:[]@";
    for (uint64_t i = 0; i < options->authority.len; i++) {
        uint8_t c = options->authority.data[i];
        if (isalnum(c) || (c != 0 && strchr(marks, c) != NULL))
            continue;
        snprintf(error->text, sizeof error->text,
                 "authority: it holds what a host and port cannot hold (a space, a slash, a line break?)");
        return -1;
    }
    for (uint64_t i = 0; i < options->user_agent.len; i++) {
        if (isprint(options->user_agent.data[i]))
            continue;
        snprintf(error->text, sizeof error->text, "user-agent: it holds a line break or another byte that is not printable ASCII");
        return -1;
    }
    return 0;
}

bool rpc_target_reflects(const struct rpc_target *target)
{
    return target->options->proto.text.len == 0 && target->options->descriptor_set.len == 0;
}

int32_t rpc_target_init(struct squall_target *view, struct squall_error *error)
{
    const struct rpc_target_options *options = view->options;
    struct rpc_target *target = view->state;
    *target = (struct rpc_target){.options = options, .secure = view->secure != 0};
    target->steps_end = &target->steps;
    target->authority = options->authority.len > 0 ? options->authority : view->authority;
    target->h2 = (struct h2_options){.streams_max = (uint32_t)options->streams,
                                     .stream_window = (uint32_t)options->window,
                                     .connection_window = (uint32_t)options->connection_window,
                                     .header_table = 4096,
                                     .frame_max = H2_FRAME_MIN,
                                     .fields_max = FIELDS_MAX,
                                     .fields_size = FIELDS_SIZE_MAX};
    if (check_together(options, error) < 0 || check_fields(options, error) < 0)
        return -1;
    target->schema = pb_schema_new();
    if (target->schema == NULL) {
        snprintf(error->text, sizeof error->text, "no memory for the message types");
        return -1;
    }
    if (each_text(view, "import-paths", &options->import_paths, pb_schema_add_import_path, target->schema, error) ==
            0 &&
        each_text(view, "proto", &options->proto, pb_schema_add_proto, target->schema, error) == 0 &&
        read_set(view, target, error) == 0) {
        target->bound = !rpc_target_reflects(target);
        view->asks = !target->bound;
        return 0;
    }
    rpc_target_fini(view);
    return -1;
}

void rpc_target_fini(struct squall_target *view)
{
    struct rpc_target *target = view->state;
    pb_schema_free(target->schema);
    target->schema = NULL;
}

int rpc_target_bind(struct rpc_target *target, const struct rpc_step **ret_step, struct squall_error *error)
{
    for (struct rpc_step *step = target->steps; step != NULL; step = step->next) {
        *ret_step = step;
        if (rpc_step_bind(step, target->schema, error) < 0)
            return -1;
    }
    target->bound = true;
    return 0;
}
