/* Worker processes on this machine: started with one socket to the controller and one page that both have mapped. */
#ifndef SQUALL_CLUSTER_SPAWN_H
#define SQUALL_CLUSTER_SPAWN_H
#include "base/error.h"
#include "engine/engine.h"
#include <sys/types.h>

struct child {
    pid_t pid;         /* 0: reaped */
    struct page *page; /* read only here */
};

/* Runs this program again as `squall worker NUMBER`. ret_socket: the controller's end. */
int spawn_worker(uint32_t number, struct child *ret_child, int *ret_socket, struct error *error);
/* CPU time that it has used, all its threads; 0: not known. */
uint64_t spawn_cpu_ns(const struct child *child);
/* Kills (if it still runs) and reaps; text gets how it ended: "killed by signal 9", "exit code 1", "stopped: killed". */
void spawn_kill(struct child *child, char *text, size_t size);
/* Reaps a child that ends by itself when in_peace, else kills it first; unmaps the page. */
void spawn_reap(struct child *child, bool in_peace);

#endif
