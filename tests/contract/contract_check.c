/*
 * contract_check FILE.so [--part FILE]... [--step NAME=VALUE]... [--target NAME=VALUE]... [--ends]
 * Runs the laws of squall/plugin.h on any plugin. Each check has a process of its own, so that a crash or a hang is the
 * check's failure and not the end of the program.
 *
 * Without --part the peer talks nonsense: random bytes of several kinds, seeded, which no plugin may be hurt by. With
 * it each file is what the peer says next, and the checks cut, end and cancel that conversation everywhere as well.
 */
#include "checks.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARTS_MAX      32
#define OPTIONS_MAX    32
#define PART_SIZE_MAX  65536
#define NONSENSE_TRIES 24
#define NONSENSE_LEN   160
#define CHECK_LIMIT_S  100
#define EXIT_BROKEN    3 /* of a child: the check itself failed. Sanitizers leave with codes of their own */

struct arguments {
    const char *file;
    struct fake_option step[OPTIONS_MAX + 1], target[OPTIONS_MAX + 1];
    struct squall_bytes parts[PARTS_MAX];
    uint32_t step_count, target_count, part_count;
    bool ends;
};

static int usage(const char *why, const char *what)
{
    fprintf(stderr,
            "contract_check: %s%s\n"
            "usage: contract_check FILE.so [--part FILE]... [--step NAME=VALUE]... [--target NAME=VALUE]... [--ends]\n"
            "  --part    a file with what the peer says next; a request is made before each when there is capacity\n"
            "  --step    an option of the step that is requested; --target: of its target\n"
            "  --ends    the peer ends the connection behind the last part\n",
            why, what);
    return 2;
}

static int add_option(struct fake_option *options, uint32_t *count, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || *count == OPTIONS_MAX)
        return -1;
    *equals = '\0';
    options[(*count)++] = (struct fake_option){text, equals + 1};
    return 0;
}

static int add_part(struct arguments *arguments, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || arguments->part_count == PARTS_MAX) {
        if (file)
            fclose(file);
        return -1;
    }
    uint8_t *data = xmalloc(PART_SIZE_MAX);
    arguments->parts[arguments->part_count++] = (struct squall_bytes){data, fread(data, 1, PART_SIZE_MAX, file)};
    fclose(file);
    return 0;
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        char *value = i + 1 < argc ? argv[i + 1] : NULL;
        int status = 0;
        if (strcmp(argv[i], "--ends") == 0)
            arguments->ends = true;
        else if (argv[i][0] != '-' && !arguments->file)
            arguments->file = argv[i];
        else if (!value)
            return usage("this takes a value, or is not known: ", argv[i]);
        else if (strcmp(argv[i], "--part") == 0)
            status = add_part(arguments, argv[++i]);
        else if (strcmp(argv[i], "--step") == 0)
            status = add_option(arguments->step, &arguments->step_count, argv[++i]);
        else if (strcmp(argv[i], "--target") == 0)
            status = add_option(arguments->target, &arguments->target_count, argv[++i]);
        else
            return usage("not known: ", argv[i]);
        if (status)
            return usage("not readable, or too many: ", argv[i]);
    }
    return arguments->file ? 0 : usage("no plugin was named", "");
}

/* Bytes that look a little like something: any byte, text in lines, small numbers. */
static void fill_nonsense(uint8_t *data, size_t len, uint32_t seed)
{
    static const char text[] = "abcXYZ019 :;,/-\r\n\r\n";
    uint64_t state = seed * UINT64_C(2654435761) + 1;
    for (size_t i = 0; i < len; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint8_t byte = (uint8_t)(state >> 56);
        data[i] = seed % 3 == 0 ? byte : seed % 3 == 1 ? (uint8_t)text[byte % (sizeof text - 1)] : byte % 9;
    }
}

static int run_check(const struct check *check, const struct check_subject *subject, struct buffer *failure)
{
    struct check_subject nonsense = *subject;
    uint8_t data[NONSENSE_LEN];
    struct squall_bytes parts[2] = {{data, NONSENSE_LEN / 2}, {data + NONSENSE_LEN / 2, NONSENSE_LEN / 2}};
    if (subject->part_count)
        return check->run(subject, failure);
    nonsense.parts = parts;
    nonsense.part_count = 2;
    for (uint32_t seed = 0; seed < NONSENSE_TRIES; seed++) {
        fill_nonsense(data, sizeof data, seed);
        if (check->run(&nonsense, failure)) {
            buffer_printf(failure, "  peer: nonsense %u\n", seed);
            return -1;
        }
    }
    return 0;
}

/* In a child; 0: it holds. */
static int run_apart(const struct check *check, const struct check_subject *subject)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        struct buffer failure = {0};
        alarm(CHECK_LIMIT_S);
        int status = run_check(check, subject, &failure);
        if (status)
            printf("FAILED %s\n%.*s", check->name, (int)failure.len, (const char *)failure.data);
        buffer_fini(&failure);
        exit(status ? EXIT_BROKEN : 0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return -1;
    if (WIFSIGNALED(status))
        printf("FAILED %s\n  the plugin ended the process: %s\n", check->name, strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EXIT_BROKEN)
        printf("FAILED %s\n  the plugin ended the process with code %d (a sanitizer's report is above)\n", check->name,
               WEXITSTATUS(status));
    else if (WEXITSTATUS(status) == 0)
        printf("ok     %s\n", check->name);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct arguments arguments;
    static struct protocol_registry registry;
    struct check_subject subject = {
        .target_options = arguments.target, .step_options = arguments.step, .parts = arguments.parts};
    struct error error = {0};
    char path[PATH_MAX];
    int failed = 0;
    if (parse(argc, argv, &arguments))
        return 2;
    if (!realpath(arguments.file, path))
        return usage("there is no such file: ", arguments.file);
    protocol_registry_init(&registry);
    if (protocol_load_file(&registry, path, &subject.protocol, &error)) {
        fprintf(stderr, "contract_check: %s\n", error.text);
        return 1;
    }
    subject.part_count = arguments.part_count;
    subject.ends = arguments.ends;
    for (uint32_t i = 0; i < check_count; i++)
        failed += run_apart(&checks[i], &subject) != 0;
    printf("%s: %u checks, %d failed\n", subject.protocol->name, check_count, failed);
    protocol_registry_fini(&registry);
    for (uint32_t i = 0; i < arguments.part_count; i++)
        free((void *)(uintptr_t)arguments.parts[i].data);
    return failed ? 1 : 0;
}
