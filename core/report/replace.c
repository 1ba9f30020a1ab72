/* A file written beside its place and renamed into it. Whatever fails, the old file and no other is there. */
#include "report/replace.h"
#include "base/exit_code.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *advice(int reason)
{
    switch (reason) {
    case ENOSPC:
    case EDQUOT:
        return "free some space, or give --out a file on another disk";
    case ENOENT:
    case ENOTDIR:
        return "create its folder, or give --out a file in one that exists";
    case EACCES:
    case EPERM:
    case EROFS:
        return "give --out a file in a folder that you may write to";
    case EFBIG:
        return "files may not be that large here: raise the limit (ulimit -f)";
    case EISDIR:
        return "that is a folder: give --out a file's name";
    default:
        return "give --out another file";
    }
}

static int refuse(struct error *error, const char *path, int reason)
{
    return error_set_code(error, EXIT_CODE_INTERNAL, "cannot write %s: %s; %s", path, strerror(reason), advice(reason));
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Opens, writes, closes; 0, or errno. */
static int write_file(const char *path, int flags, const void *data, size_t len)
{
    int fd = open(path, flags | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    int reason = write_all(fd, data, len) == 0 ? 0 : errno;
    /* Some file systems tell of a full disk only here. */
    if (close(fd) != 0 && reason == 0)
        reason = errno;
    return reason;
}

static int replace_regular(const char *path, const void *data, size_t len)
{
    char temporary[PATH_MAX + 32];
    if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid()) >= PATH_MAX)
        return ENAMETOOLONG;
    unlink(temporary); /* left by a process of the same number that was killed */
    int reason = write_file(temporary, O_CREAT | O_EXCL, data, len);
    if (reason == 0 && rename(temporary, path) != 0)
        reason = errno;
    if (reason != 0)
        unlink(temporary);
    return reason;
}

int replace_file(const char *path, const void *data, size_t len, struct error *error)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    int reason;
    if (exists && S_ISDIR(status.st_mode)) {
        reason = EISDIR;
    } else if (exists && !S_ISREG(status.st_mode)) {
        reason = write_file(path, 0, data, len);
    } else {
        char *resolved = exists ? realpath(path, NULL) : NULL;
        reason = replace_regular(resolved ? resolved : path, data, len);
        free(resolved);
    }
    return reason ? refuse(error, path, reason) : 0;
}
