/* squall new: a scenario to start from, made by a protocol's importer and checked before it is written. */
#include "base/buffer.h"
#include "cli/cli.h"
#include "scenario/scenario.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   ((size_t)64 << 20) /* of what is imported: recordings are large */
#define RESULT_MAX ((size_t)4 << 20)  /* of a scenario */

struct sink {
    struct squall_import_out out; /* first */
    struct buffer text;
    bool full;
};

static void add(struct squall_import_out *out, const char *data, uint64_t len)
{
    struct sink *sink = (struct sink *)(void *)out;
    sink->text.limit = RESULT_MAX;
    sink->full = sink->full || buffer_append(&sink->text, data, len) < 0;
}

static int read_file(const char *path, char **ret_text, size_t *ret_len, struct error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (size_t)status.st_size > FILE_MAX) {
        bool large = fd >= 0 && S_ISREG(status.st_mode);
        int code = errno;
        if (fd >= 0)
            close(fd);
        return error_set(error, "new: %s %s", path, fd < 0 ? strerror(code) : large ? "is larger than 64 MiB; record less at once" : "is no file");
    }
    size_t size = (size_t)status.st_size, len = 0;
    char *text = xmalloc(size + 1);
    for (ssize_t got = 1; len < size && got > 0; len += got > 0 ? (size_t)got : 0)
        got = read(fd, text + len, size - len);
    close(fd);
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return 0;
}

static void help(FILE *out)
{
    fprintf(out, "usage: squall new [-o FILE] WHAT\n\nwrites a scenario to start from. WHAT is one of\n");
    for (const struct squall_importer *const *importer = importers; *importer; importer++)
        for (const char *line = (*importer)->help; *line; line += strcspn(line, "\n") + 1)
            fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
    fprintf(out, "\n  -o, --output FILE      a new file in place of standard output\n");
}

/* What nobody takes: why, as far as its look tells. */
static int refuse(const struct squall_import *import, const char *near, struct error *error)
{
    const char *word = import->kind ? import->kind : import->argument;
    const char *end = strrchr(import->argument, '.');
    bool file_name = end && strlen(end) <= 8 && !strchr(end, '/') && !strstr(import->argument, "://");
    if (near)
        return error_set(error, "new: '%.100s' is nothing that a scenario can be made of; did you mean %s?", word, near);
    if (import->text.data)
        return error_set(error, "new: %.200s: its text is of no kind that is known; see squall new --help", import->argument);
    if (file_name)
        return error_set(error, "new: %.200s: there is no such file", import->argument);
    return error_set(error, "new: '%.100s' is nothing that a scenario can be made of; see squall new --help", word);
}

static const struct squall_importer *find_importer(const struct squall_import *import, struct error *error)
{
    const char *names[32];
    unsigned count = 0;
    for (const struct squall_importer *const *importer = importers; *importer; importer++) {
        if ((*importer)->claims(import))
            return *importer;
        if (count < 32)
            names[count++] = (*importer)->name;
    }
    const char *near = import->kind ? error_nearest(import->kind, names, count, sizeof *names) : NULL;
    refuse(import, near, error);
    return NULL;
}

/* What an importer writes is for its users to run: a scenario that does not load is a mistake of ours, and is said to be one. */
static int check(struct buffer *text, const char *file, struct error *error)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    protocol_registry_init(&registry);
    int status = scenario_load((const char *)text->data, text->len, file, NULL, &registry, &scenario, error);
    scenario_free(scenario);
    protocol_registry_fini(&registry);
    return status ? error_prefix(error, "new: what was made of it does not load, please report that") : 0;
}

/* Never over a file that is there. */
static int write_file(const char *path, const struct buffer *text, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_set(error, "new: -o %s: %s", path, errno == EEXIST ? "is there already; name another file, or remove it" : strerror(errno));
    size_t written = 0;
    ssize_t got = 1;
    for (; written < text->len && got > 0; written += got > 0 ? (size_t)got : 0)
        got = write(fd, text->data + written, text->len - written);
    if (close(fd) < 0 || written < text->len)
        return error_set_code(error, EXIT_CODE_INTERNAL, "new: -o %s: cannot be written: %s", path, strerror(errno));
    return 0;
}

static int make(struct squall_import *import, const char *output, struct error *error)
{
    struct sink sink = {.out = {add}};
    struct squall_error why = {""};
    char *text = NULL;
    size_t len = 0;
    bool names_file = access(import->argument, F_OK) == 0;
    if (names_file && read_file(import->argument, &text, &len, error))
        return -1;
    import->text = (struct squall_bytes){(const uint8_t *)text, len};
    const struct squall_importer *importer = find_importer(import, error);
    int status = importer ? importer->write(import, &sink.out, &why) : -1;
    if (importer && status)
        error_set(error, "new: %s", why.text);
    else if (importer && sink.full)
        status = error_set(error, "new: the scenario would be larger than 4 MiB; take a part of it");
    if (!status)
        status = check(&sink.text, output ? output : "scenario.yaml", error);
    if (!status && output)
        status = write_file(output, &sink.text, error);
    else if (!status)
        fwrite(sink.text.data, 1, sink.text.len, stdout);
    buffer_fini(&sink.text);
    free(text);
    return status;
}

int command_new(int argc, char **argv)
{
    struct error error = {0};
    struct squall_import import = {.kind = NULL};
    const char *output = NULL, *words[2] = {NULL, NULL};
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(stdout);
            return EXIT_CODE_OK;
        }
        if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc)
            output = argv[++i];
        else if (argv[i][0] == '-' && count == 0)
            return error_set(&error, "new: unknown option %s; see squall new --help", argv[i]), cli_fail(&error);
        else if (count < 2)
            words[count++] = argv[i];
        else
            return error_set(&error, "new: '%s' is one word too many; put quotes around a command line", argv[i]), cli_fail(&error);
    }
    if (count == 0)
        return error_set(&error, "new: what to make a scenario of is missing; see squall new --help"), cli_fail(&error);
    import.kind = count == 2 ? words[0] : NULL;
    import.argument = words[count - 1];
    return make(&import, output, &error) ? cli_fail(&error) : EXIT_CODE_OK;
}
