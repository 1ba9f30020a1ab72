/* See spawn.h. posix_spawn, so that the child starts from a clean image whatever plugins the controller has loaded. */
#include "cluster/spawn.h"
#include "base/clock.h"
#include "cluster/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DYING_NS (50 * NS_PER_MS)
#define PEACE_NS (6 * NS_PER_S) /* for a worker to end once it has said its last word */

extern char **environ;

static int make_page(struct child *child, int *ret_fd)
{
    int fd = memfd_create("squall-page", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    void *page = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct page)) == 0)
        page = mmap(NULL, sizeof(struct page), PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        close(fd);
        return -1;
    }
    child->page = page;
    *ret_fd = fd;
    return 0;
}

/* dup2 onto the same number would leave close-on-exec set; descriptors below 5 are moved out of the way first. */
static int above(int fd)
{
    if (fd > WORKER_PAGE_FD)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_PAGE_FD + 1);
    close(fd);
    return moved;
}

/* The path by name rather than /proc/self/exe itself: valgrind and its like stand behind that one. It is the way out when
 * the file has been replaced since we started. */
static const char *own_program(char *path, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);
    if (len <= 0)
        return "/proc/self/exe";
    path[len] = 0;
    return access(path, X_OK) == 0 ? path : "/proc/self/exe";
}

static int start(uint32_t number, int socket, int page, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char text[12], path[4096];
    char *argv[] = {(char[]){"squall"}, (char[]){"worker"}, text, NULL};
    snprintf(text, sizeof text, "%u", number);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, WORKER_BUS_FD);
    posix_spawn_file_actions_adddup2(&actions, page, WORKER_PAGE_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failure = posix_spawn(ret_pid, own_program(path, sizeof path), &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

static const char *advice(int reason)
{
    switch (reason) {
    case EMFILE:
    case ENFILE:
        return "; raise the limit on open files (ulimit -n), or use fewer workers (-w)";
    case EAGAIN:
    case ENOMEM:
        return "; raise the limit on processes or on memory (ulimit -u, ulimit -v, a container's), or use fewer workers (-w)";
    case EFBIG:
        return "; its page of counters is a file in memory: raise the limit on the size of files (ulimit -f)";
    default:
        return "";
    }
}

int spawn_worker(uint32_t number, struct child *ret_child, int *ret_socket, struct error *error)
{
    int sockets[2] = {-1, -1}, page = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 || make_page(ret_child, &page) < 0)
        goto failed;
    sockets[0] = above(sockets[0]);
    sockets[1] = above(sockets[1]);
    page = above(page);
    int failure = start(number, sockets[1], page, &ret_child->pid);
    close(sockets[1]);
    close(page);
    sockets[1] = page = -1;
    if (failure) {
        errno = failure;
        goto failed;
    }
    *ret_socket = sockets[0];
    return 0;
failed:
    error_set_code(error, EXIT_CODE_INTERNAL, "worker %u could not be started: %s%s", number, strerror(errno), advice(errno));
    for (int i = 0; i < 2; i++)
        if (sockets[i] >= 0)
            close(sockets[i]);
    if (page >= 0)
        close(page);
    return -1;
}

uint64_t spawn_cpu_ns(const struct child *child)
{
    clockid_t clock;
    struct timespec time;
    if (!child->pid || clock_getcpuclockid(child->pid, &clock) || clock_gettime(clock, &time) < 0)
        return 0;
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* A process closes its sockets before it can be reaped: how it ended is known a moment after its death is. */
static bool reaped_soon(pid_t pid, int *ret_status, uint64_t wait_ns)
{
    uint64_t until_ns = clock_now_ns() + wait_ns;
    struct timespec pause = {.tv_nsec = 1000 * 1000};
    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        if (clock_now_ns() >= until_ns)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void spawn_kill(struct child *child, char *text, size_t size)
{
    int status = 0;
    siginfo_t info = {0};
    if (!child->pid) {
        snprintf(text, size, "already gone");
        return;
    }
    bool stopped = waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid && info.si_code == CLD_STOPPED;
    bool running = !reaped_soon(child->pid, &status, stopped ? 0 : DYING_NS);
    if (running) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, &status, 0);
    }
    if (running)
        snprintf(text, size, "%s", stopped ? "stopped by a signal; killed" : "did not respond; killed");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(text, size, "exit code %d", WEXITSTATUS(status));
    child->pid = 0;
}

void spawn_reap(struct child *child, bool in_peace)
{
    uint64_t until_ns = clock_now_ns() + PEACE_NS;
    struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    while (in_peace && child->pid && clock_now_ns() < until_ns) {
        if (waitpid(child->pid, NULL, WNOHANG) == child->pid)
            child->pid = 0;
        else
            nanosleep(&pause, NULL);
    }
    char text[120];
    if (child->pid)
        spawn_kill(child, text, sizeof text);
    if (child->page)
        munmap(child->page, sizeof(struct page));
    child->page = NULL;
}
