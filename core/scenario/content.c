/*
 * Contents of files that options name, such as uploads: kept for the whole run, a file once. What is large is not held
 * in memory but mapped, and from a copy without a name: the kernel reads it in when it is sent, and whoever changes or
 * cuts the original during the run changes nothing here.
 */
#include "scenario/load.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENTS_MAX 256u

/* A file that is gone as soon as it is closed; in the folder for such files. -1 with errno. */
static int unnamed_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[400];
    int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    snprintf(path, sizeof path, "%.300s/squall-XXXXXX", folder && *folder ? folder : "/tmp");
    fd = mkstemp(path);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);
        if (put < 0 && errno != EINTR)
            return -1;
        data += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

static int copy_file(int from, int to, uint64_t *ret_len)
{
    static uint8_t piece[64u << 10];
    uint64_t len = 0;
    for (ssize_t got; (got = read(from, piece, sizeof piece)) != 0;) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || write_all(to, piece, (size_t)got) < 0)
            return -1;
        len += (uint64_t)got;
    }
    *ret_len = len;
    return 0;
}

static int map_copy(int from, struct content *content, struct error *error)
{
    int to = unnamed_file(), result = -1;
    uint64_t len = 0;
    void *data = NULL;
    if (to < 0 || copy_file(from, to, &len) < 0)
        error_set(error, "%s cannot be copied for the run: %s; make room in the folder for temporary files (TMPDIR)",
                  content->path, strerror(errno));
    else if (len > 0 && (data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, to, 0)) == MAP_FAILED)
        error_set(error, "%s cannot be mapped: %s", content->path, strerror(errno));
    else
        result = 0;
    if (to >= 0)
        close(to);
    if (result == 0)
        content->bytes = (struct squall_bytes){data, len};
    return result;
}

static int read_content(struct content *content, struct error *error)
{
    struct stat status;
    int fd = open(content->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold up the start */
    if (fd < 0)
        return error_set(error, "%s cannot be opened: %s", content->path, strerror(errno));
    int result = fstat(fd, &status) == 0 && S_ISREG(status.st_mode)
                     ? map_copy(fd, content, error)
                     : error_set(error, "%s is no regular file; name one", content->path);
    close(fd);
    return result;
}

int scenario_content(const struct loader *loader, const char *name, struct squall_bytes *ret_bytes)
{
    struct scenario *scenario = loader->scenario;
    char *path = NULL;
    if (!scenario->contents)
        scenario->contents = arena_alloc(loader->arena, CONTENTS_MAX * sizeof *scenario->contents);
    if (loader->file && scenario_file(scenario_folder(loader), name, &path, loader->error))
        return -1;
    if (!loader->file && !(path = realpath(name, NULL)))
        return error_set(loader->error, "the file '%.200s' is not there: %s", name, strerror(errno));
    const char *kept = arena_copy(loader->arena, path, strlen(path));
    free(path);
    for (uint32_t i = 0; i < scenario->content_count; i++)
        if (strcmp(scenario->contents[i].path, kept) == 0) {
            *ret_bytes = scenario->contents[i].bytes;
            return 0;
        }
    if (scenario->content_count == CONTENTS_MAX)
        return error_set(loader->error, "too many files; at most %u", CONTENTS_MAX);
    struct content content = {.path = kept};
    if (read_content(&content, loader->error))
        return -1;
    scenario->contents[scenario->content_count++] = content;
    *ret_bytes = content.bytes;
    return 0;
}

void scenario_contents_close(struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->content_count; i++)
        if (scenario->contents[i].bytes.len)
            munmap((void *)(uintptr_t)scenario->contents[i].bytes.data, scenario->contents[i].bytes.len);
}
