/* Mapped copies of files. See copied_file.h. */
#include "scenario/copied_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

int copied_file_map(int from, const char *name, struct squall_bytes *ret_bytes, struct error *error)
{
    int to = unnamed_file(), result = -1;
    uint64_t len = 0;
    void *data = NULL;
    if (to < 0 || copy_file(from, to, &len) < 0)
        error_set(error, "%s cannot be copied for the run: %s; make room in the folder for temporary files (TMPDIR)",
                  name, strerror(errno));
    else if (len > 0 && (data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, to, 0)) == MAP_FAILED)
        error_set(error, "%s cannot be mapped: %s", name, strerror(errno));
    else
        result = 0;
    if (to >= 0)
        close(to);
    if (result == 0)
        *ret_bytes = (struct squall_bytes){data, len};
    return result;
}
