/* The `targets` part of a scenario: URLs, connections, time-outs, TLS, and the options of the target's protocol. */
#include "scenario/keys.h"
#include "scenario/load.h"
#include "scenario/target_keys.h"
#include <string.h>

#define TARGET_EXAMPLE "targets: { api: { url: \"scheme://host:port\" } }"

/* Whether what stands behind the host is a name of the protocol's own, in which a '#' means something. */
static bool takes_tail(const struct protocol *protocol)
{
    for (uint32_t i = 0; i < protocol->abi.step_options.count; i++)
        if (protocol_option(&protocol->abi.step_options, i)->role & SQUALL_ROLE_URL_TAIL)
            return true;
    return false;
}

int target_from_url(const struct loader *loader, const struct node *node, const char *text, struct target *ret_target)
{
    struct url url;
    struct target target = {.timeout_ns = UINT64_C(30000000000), .connect_timeout_ns = UINT64_C(5000000000)};
    uint16_t port = 0;
    bool secure = false;
    if (url_parse(text, loader->arena, &url, loader->error) ||
        protocol_by_scheme(loader->registry, url.scheme, &target.protocol, loader->error))
        return fail_prefix(loader, node, 0);
    if (!protocol_scheme(target.protocol, url.scheme, &port, &secure))
        return fail_at(loader, node, "%s does not speak '%s'; see `squall plugin show %s`", target.protocol->name,
                       url.scheme, target.protocol->name);
    target.port = url.port ? url.port : port;
    if (target.port == 0)
        return fail_at(loader, node, "the URL '%s' names no port, and '%s' has no usual one; write %s://%s:PORT", text,
                       url.scheme, url.scheme, url.authority);
    target.url = without_secrets(loader, arena_printf(loader->arena, "%s://%s", url.scheme, url.authority));
    target.path = url.path;
    if (url.fragment[0] && !takes_tail(target.protocol))
        return fail_at(loader, node, "the URL goes on behind a '#', which no server is sent; leave that out, or write %%23 for the character");
    if (url.fragment[0])
        target.path = arena_printf(loader->arena, "%s%s", url.path, url.fragment);
    target.host = target.connect_host = url.host;
    target.connect_port = target.port;
    target.view.host = (struct squall_bytes){(const uint8_t *)url.host, strlen(url.host)};
    target.view.authority = (struct squall_bytes){(const uint8_t *)url.authority, strlen(url.authority)};
    target.view.port = target.port;
    target.view.secure = secure;
    target.view.folder = loader->file ? scenario_folder(loader) : NULL;
    *ret_target = target;
    return 0;
}

/* Keys that steer connections of ours. */
static int check_own_transport(const struct loader *loader, const struct target *target, const struct node *place)
{
    const char *key = target->connect_path || target->connect_host != target->host ? "connect-to"
                      : target->source_count                                        ? "source"
                      : target->name_servers                                        ? "name-servers"
                                                                                    : NULL;
    if (!key || !(target->protocol->abi.flags & SQUALL_OWN_TRANSPORT))
        return 0;
    return fail_at(loader, place, "target %s: `%s` is for squall's own connections, and %s opens others; leave it out%s",
                   target->name, key, target->protocol->name, target->engine ? ", or `engine`" : "");
}

int target_finish(const struct loader *loader, struct target *target, struct option_set *set, const struct node *place)
{
    const struct squall_protocol *abi = &target->protocol->abi;
    struct squall_error why = {""};
    if ((abi->flags & SQUALL_SESSIONS) && !target->connections_set) {
        target->connections = CONNECTIONS_PER_USER;
        target->connections_set = true;
    }
    if (check_own_transport(loader, target, place) || option_set_build(loader, set, place))
        return -1;
    for (uint32_t i = 0; i < set->variable_count; i++) {
        const struct squall_option *row = protocol_option(set->table, set->variables[i].row);
        const struct node *node = set->values[set->variables[i].row].node;
        if (!(row->role & SQUALL_ROLE_CONN))
            return fail_at(loader, node, "`%s` of a target must be the same for the whole run; use ${env.NAME} or a fixed text",
                           row->name);
        if (!target_per_user(target))
            return fail_at(loader, node,
                           "`%s` differs from user to user here, and this target's connections are shared; write "
                           "connections: per-user, or a fixed text",
                           row->name);
    }
    target->constant_block = set->block;
    target->variables = set->variables;
    target->variable_count = set->variable_count;
    target->view.options = set->init_block;
    target->view.state = arena_alloc(loader->arena, abi->target_size);
    if (abi->target_init && abi->target_init(&target->view, &why)) {
        target->view.state = NULL;
        return fail_at(loader, place, "target %s: %.500s", target->name, why.text);
    }
    return 0;
}

static int read_target_key(const struct loader *loader, const struct node *key, const struct node *value,
                           struct target *target, struct option_set *set)
{
    if (strcmp(key->text, "url") == 0 || strcmp(key->text, "engine") == 0)
        return 0; /* have been read */
    if (strcmp(key->text, "connections") == 0) {
        target->connections_set = true;
        return read_connections(loader, value, &target->connections);
    }
    if (strcmp(key->text, "timeout") == 0)
        return read_duration(loader, value, 1, &target->timeout_ns);
    if (strcmp(key->text, "connect-timeout") == 0)
        return read_duration(loader, value, 1, &target->connect_timeout_ns);
    if (strcmp(key->text, "connect-rate") == 0)
        return read_connect_rate(loader, value, target);
    if (strcmp(key->text, "connect-to") == 0)
        return read_connect_to(loader, value, target);
    if (strcmp(key->text, "name-servers") == 0)
        return read_name_servers(loader, value, target);
    if (strcmp(key->text, "source") == 0)
        return read_sources(loader, value, target);
    if (strcmp(key->text, "tags") == 0 && option_find(set->table, "tags") < 0)
        return read_tags(loader, value, &target->tags);
    if (strcmp(key->text, "tls") == 0)
        return read_tls(loader, value, target);
    int32_t row = option_find(set->table, key->text);
    if (row < 0)
        return fail_unknown_key(loader, key, arena_printf(loader->arena, "target `%s`", target->name),
                                option_names(loader->arena, set->table, keys_of(PART_TARGET)));
    set->values[row] = (struct option_value){.node = value, .text = value->text, .column = 1};
    return 0;
}

int read_engine(const struct loader *loader, const struct node *node, struct target *target)
{
    const char *engine;
    if (!node)
        return 0;
    if (read_text(loader, node, &engine))
        return -1;
    const char *name = arena_printf(loader->arena, "%s-%s", target->protocol->name, engine);
    if (protocol_by_name(loader->registry, name, &target->protocol, loader->error))
        return fail_prefix(loader, node, 0);
    target->engine = engine;
    return 0;
}

static int load_target(const struct loader *loader, const struct node *key, const struct node *node,
                       struct target *target)
{
    const struct node *url_node = node->kind == NODE_SCALAR ? node : node_get(node, "url");
    const char *url;
    if (node->kind == NODE_LIST || !url_node)
        return fail_at(loader, node, "target `%s` has no url; write %s: { url: \"scheme://host:port\" }", key->text,
                       key->text);
    if (read_text(loader, url_node, &url) || target_from_url(loader, url_node, url, target))
        return -1;
    target->name = key->text;
    if (node->kind == NODE_MAP && read_engine(loader, node_get(node, "engine"), target))
        return -1;
    if (target->path[0] != '\0' && strcmp(target->path, "/") != 0)
        return fail_at(loader, url_node,
                       "a target's URL ends with its port, and this one goes on with '%.200s'; put that into the steps",
                       target->path);
    struct option_set set = {.table = &target->protocol->abi.target_options};
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->count; i++)
        if (read_target_key(loader, node_key(node, i), node_value(node, i), target, &set))
            return -1;
    return target_finish(loader, target, &set, key);
}

int load_targets(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    if (read_map(loader, node, "`targets`", TARGET_EXAMPLE))
        return -1;
    scenario->targets = arena_alloc(loader->arena, node->count * sizeof *scenario->targets);
    for (uint32_t i = 0; i < node->count; i++) {
        /* counted before it is whole: what its init made is undone by scenario_free */
        scenario->target_count = i + 1;
        if (load_target(loader, node_key(node, i), node_value(node, i), &scenario->targets[i]))
            return -1;
    }
    return 0;
}
