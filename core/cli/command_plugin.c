/* squall plugin list, show NAME. */
#include "base/buffer.h"
#include "cli/cli.h"
#include "report/protocol_print.h"
#include <string.h>

static void on_broken(const char *path, const struct error *error, void *arg)
{
    (void)path;
    (void)arg;
    fprintf(stderr, "squall: %s\n", error->text);
}

static void print(struct buffer *text)
{
    fwrite(text->data, 1, text->len, stdout);
    buffer_fini(text);
}

static int list(struct protocol_registry *registry)
{
    struct buffer text = {0};
    protocol_load_all(registry, on_broken, NULL);
    protocol_print_list(registry, &text);
    print(&text);
    return EXIT_CODE_OK;
}

static int show(struct protocol_registry *registry, const char *name, struct error *error)
{
    const struct protocol *protocol;
    struct buffer text = {0};
    int status = name[0] == '/' ? protocol_load_file(registry, name, &protocol, error) : protocol_by_name(registry, name, &protocol, error);
    if (status < 0)
        return cli_fail(error);
    protocol_print_show(protocol, &text);
    print(&text);
    return EXIT_CODE_OK;
}

int command_plugin(int argc, char **argv)
{
    struct protocol_registry registry;
    struct error error = {0};
    const char *const words[] = {"list", "show"};
    protocol_registry_init(&registry);
    int code;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        code = list(&registry);
    } else if (argc == 3 && strcmp(argv[1], "show") == 0) {
        code = show(&registry, argv[2], &error);
    } else if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        printf("usage: squall plugin list\n       squall plugin show NAME or /path/to/NAME.so\n");
        code = EXIT_CODE_OK;
    } else {
        const char *nearest = argc > 1 ? error_nearest(argv[1], words, 2, sizeof *words) : NULL;
        error_set(&error, "plugin: write `squall plugin list` or `squall plugin show NAME`%s%s%s", nearest ? "; did you mean " : "",
                  nearest ? nearest : "", nearest ? "?" : "");
        code = cli_fail(&error);
    }
    protocol_registry_fini(&registry);
    return code;
}
