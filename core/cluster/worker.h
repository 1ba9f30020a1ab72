/* The worker's process: takes the plan from the bus, runs the engine, reports once a second. */
#ifndef SQUALL_CLUSTER_WORKER_H
#define SQUALL_CLUSTER_WORKER_H

/* What a worker finds open when it starts. */
#define WORKER_BUS_FD 3
#define WORKER_PAGE_FD 4

/* `squall worker NUMBER`, started by a controller and by nobody else. Returns the exit code. */
int worker_main(int argc, char **argv);

#endif
