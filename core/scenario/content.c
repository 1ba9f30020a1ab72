/*
 * Contents of files that options name, such as uploads: kept for the whole run, a file once. What is large is not held
 * in memory but mapped, and from a copy without a name: the kernel reads it in when it is sent, and whoever changes or
 * cuts the original during the run changes nothing here.
 */
#include "scenario/copied_file.h"
#include "scenario/load.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENTS_MAX 256u

static int read_content(struct content *content, struct error *error)
{
    struct stat status;
    int fd = open(content->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold up the start */
    if (fd < 0)
        return error_set(error, "%s cannot be opened: %s", content->path, strerror(errno));
    int result = fstat(fd, &status) == 0 && S_ISREG(status.st_mode)
                     ? copied_file_map(fd, content->path, &content->bytes, error)
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
