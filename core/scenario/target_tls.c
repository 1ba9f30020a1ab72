/* The `tls` part of a target: whom to trust, what to show, and which files hold it. */
#include "scenario/keys.h"
#include "scenario/expression_tree.h"
#include "scenario/target_keys.h"
#include <stdlib.h>
#include <string.h>

static int check_file(const struct loader *loader, const struct node *node, const struct target *target, const char *name,
                      const char **ret_path)
{
    char *path = NULL;
    if (scenario_file(target->folder, name, &path, loader->error))
        return fail_prefix(loader, node, 0);
    *ret_path = arena_copy(loader->arena, path, strlen(path));
    free(path);
    return 0;
}

static int read_file_name(const struct loader *loader, const struct node *node, const struct target *target, const char **ret_path)
{
    const char *text;
    return read_text(loader, node, &text) ? -1 : check_file(loader, node, target, text, ret_path);
}

/* A name that is the same for all is looked at now, the others when their users come. */
static int read_file_names(const struct loader *loader, const struct node *node, struct target *target, const struct template **ret)
{
    uint32_t column = 0;
    const char *ignored;
    struct eval eval = {0};
    struct expression_names names = loader_names(loader);
    names.feed_use = FEEDS_NOWHERE; /* rows come with journeys, and connections before them */
    if (node->kind != NODE_SCALAR || node_empty(node))
        return fail_at(loader, node, "the name of a PEM file is needed here; write for example cert: \"${user.id}.pem\"");
    if (template_compile_named(node->text, &names, loader->arena, ret, &column, loader->error))
        return fail_prefix(loader, node, column);
    if (!template_constant(*ret)) {
        target->tls_cert_place = node;
        return 0;
    }
    return check_file(loader, node, target, (const char *)template_render(*ret, &eval).data, &ignored);
}

static int read_min_version(const struct loader *loader, const struct node *node, struct target *target)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    if (strcmp(text, "1.2") != 0 && strcmp(text, "1.3") != 0)
        return fail_at(loader, node, "'%.80s' is no lowest version of TLS; write 1.2 or 1.3", text);
    target->tls_1_3_only = text[2] == '3';
    return 0;
}

static int read_server_name(const struct loader *loader, const struct node *node, struct target *target)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    if (!text[0] || strlen(text) > 253)
        return fail_at(loader, node, "'%.80s' is no server name; write one as a certificate bears it: www.example.org", text);
    target->tls_server_name = text;
    return 0;
}

static int read_tls_key(const struct loader *loader, const struct node *key, const struct node *value, struct target *target)
{
    if (strcmp(key->text, "insecure") == 0)
        return read_bool(loader, value, &target->tls_insecure);
    if (strcmp(key->text, "session-reuse") == 0)
        return read_bool(loader, value, &target->tls_session_reuse);
    if (strcmp(key->text, "ca") == 0)
        return read_file_name(loader, value, target, &target->tls_ca);
    if (strcmp(key->text, "crl") == 0)
        return read_file_name(loader, value, target, &target->tls_crl);
    if (strcmp(key->text, "cert") == 0)
        return read_file_names(loader, value, target, &target->tls_cert);
    if (strcmp(key->text, "key") == 0)
        return read_file_names(loader, value, target, &target->tls_key);
    if (strcmp(key->text, "min-version") == 0)
        return read_min_version(loader, value, target);
    if (strcmp(key->text, "server-name") == 0)
        return read_server_name(loader, value, target);
    return fail_unknown_key(loader, key, "`tls`", keys_of(PART_TLS));
}

static uint64_t keys_given(const struct target *target)
{
    return (target->tls_ca ? SQUALL_TLS_CA : 0u) | (target->tls_crl ? SQUALL_TLS_CRL : 0u) |
           (target->tls_cert ? SQUALL_TLS_CERT : 0u) | (target->tls_server_name ? SQUALL_TLS_SERVER_NAME : 0u) |
           (target->tls_1_3_only ? SQUALL_TLS_MIN_VERSION : 0u) |
           (target->tls_session_reuse ? SQUALL_TLS_SESSION_REUSE : 0u);
}

int read_tls(const struct loader *loader, const struct node *node, struct target *target)
{
    if (read_map(loader, node, "`tls`", "tls: { insecure: true }"))
        return -1;
    if (!target->view.secure)
        return fail_at(
            loader, node,
            "`tls` has no meaning, since the scheme of %s is not a secure one; change the scheme or leave `tls` out",
            target->url);
    target->folder = scenario_folder(loader);
    for (uint32_t i = 0; i < node->count; i++)
        if (read_tls_key(loader, node_key(node, i), node_value(node, i), target))
            return -1;
    if (target->tls_key && !target->tls_cert)
        return fail_at(loader, node_get(node, "key"), "a key without its certificate; name that too: cert: FILE.pem");
    target->view.tls_keys = keys_given(target);
    return 0;
}

static int read_flag(const struct loader *loader, const char *flag, const char *value, struct target *target)
{
    const struct node *key = node_from_flag(loader->arena, flag, flag + 2);
    return value ? read_tls_key(loader, key, node_from_flag(loader->arena, flag, value), target) : 0;
}

/* Whoever types a file's name may name any; those of a scenario lie below its folder, where a certificate of a user is
 * looked for when the user comes. */
int override_tls(const struct loader *loader, struct target *target)
{
    const struct overrides *overrides = loader->overrides;
    const char *folder = target->folder;
    target->tls_insecure = target->tls_insecure || overrides->insecure;
    if (overrides->key && !overrides->cert)
        return error_set(loader->error, "--key: a key without its certificate; name that too: --cert FILE.pem");
    if (overrides->cert) {
        target->tls_key = NULL;
        target->tls_cert_place = NULL;
    }
    target->folder = "/";
    if (read_flag(loader, "--ca", overrides->ca, target) || read_flag(loader, "--cert", overrides->cert, target) ||
        read_flag(loader, "--key", overrides->key, target))
        return -1;
    if (!overrides->cert)
        target->folder = folder;
    target->view.tls_keys = keys_given(target);
    return 0;
}

int check_tls(const struct loader *loader, const struct target *target)
{
    if (!target->tls_cert_place || target_per_user(target))
        return 0;
    return fail_at(loader, target->tls_cert_place,
                   "the users of target `%s` share its connections, so a certificate cannot differ by user; write "
                   "connections: per-user, or one file for all", target->name);
}
