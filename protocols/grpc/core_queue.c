/* The completion queue's thread, and what it hands to the engine's. See core_call.h. */
#include "core_channel.h"
#include <dirent.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAKEN_MAX   128 /* events that the engine waits for at most */
#define EMPTY_LOOKS 2   /* what has just come ends core's next look at the sockets before it has begun */

static void add_posted(struct core_worker *worker, struct core_tag *tag)
{
    pthread_mutex_lock(&worker->lock);
    tag->previous = NULL;
    tag->next = worker->posted;
    if (tag->next != NULL)
        tag->next->previous = tag;
    worker->posted = tag;
    pthread_mutex_unlock(&worker->lock);
}

static void deliver(struct squall_worker *view, void *arg)
{
    struct core_worker *worker = view->state;
    struct core_tag *tag = arg;
    pthread_mutex_lock(&worker->lock);
    if (tag->previous != NULL)
        tag->previous->next = tag->next;
    else
        worker->posted = tag->next;
    if (tag->next != NULL)
        tag->next->previous = tag->previous;
    pthread_mutex_unlock(&worker->lock);
    tag->fn(tag);
}

static void hold(struct core_worker *worker, struct core_tag *tag)
{
    const struct timespec moment = {.tv_nsec = 50000};
    const struct squall_host *host = tag->worker->host;
    add_posted(worker, tag);
    while (host->hold(tag->worker, deliver, tag) != 0 && !atomic_load(&worker->ending)) {
        host->wake(tag->worker);
        nanosleep(&moment, NULL); /* the engine is behind; it takes what there is */
    }
}

/*
 * All events that are there go to the engine together: a hop between threads costs more than most of what a call does.
 * Each is held when it is taken, which is its time. On a core that both threads share the engine has its turn before
 * the sockets are looked at again; otherwise its calls would come back one by one, each with a hop of its own.
 */
static void *poll_queue(void *arg)
{
    struct core_worker *worker = arg;
    unsigned taken = 0, looks = 0;
    for (;;) {
        gpr_timespec until = taken > 0 ? gpr_inf_past(GPR_CLOCK_REALTIME) : gpr_inf_future(GPR_CLOCK_REALTIME);
        grpc_event event = grpc_completion_queue_next(worker->queue, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE) {
            struct core_tag *tag = event.tag;
            core_tag_taken(tag);
            tag->ok = event.success != 0;
            hold(worker, tag);
            looks = 0;
            if (++taken < TAKEN_MAX)
                continue;
        } else if (++looks < EMPTY_LOOKS) {
            continue;
        }
        if (taken > 0) {
            worker->view->host->wake(worker->view);
            sched_yield();
        }
        taken = looks = 0;
    }
}

/* ---- the end of core's threads ---- */

#define ENDING_MS 500 /* a connection that core was about to try again keeps its threads for a tenth of a second */

/* As core names them; the kernel keeps 15 characters. */
static bool is_core_thread(const char *name)
{
    static const char *const names[] = {"default-executo", "resolver-execut", "grpc_global_tim",
                                        "event_engine",    "timer_manager",   "grpc_shutdown"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool core_threads_live(void)
{
    DIR *tasks = opendir("/proc/self/task");
    bool live = false;
    if (tasks == NULL)
        return false;
    for (struct dirent *entry; !live && (entry = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
        live = is_core_thread(name);
    }
    closedir(tasks);
    return live;
}

/*
 * Blocking, though the header advises against it: the plain one may leave the work to a thread of its own, which would
 * run on while the process ends and its memory goes. Neither waits for what core itself still holds, such as a
 * channel's next attempt to connect; hence the look at the threads. It is bounded: an attempt to connect that was
 * given up may keep them, asleep, for the 20 s that core had meant to wait, and nobody is to wait for that.
 */
static void shut_down(void)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    grpc_shutdown_blocking();
    for (int left = ENDING_MS / 2; left > 0 && core_threads_live(); left--)
        nanosleep(&moment, NULL);
}

/* ---- a worker ---- */

/* What is of interest comes as a status; lines on stderr would stand in the midst of the live view. */
static void say_nothing(gpr_log_func_args *line)
{
    (void)line;
}

int core_worker_begin(struct squall_worker *view, struct squall_error *error)
{
    struct core_worker *worker = view->state;
    if (getenv("GRPC_VERBOSITY") == NULL)
        gpr_set_log_function(say_nothing);
    grpc_init();
    worker->view = view;
    worker->text.limit = CORE_JSON_MAX;
    pthread_mutex_init(&worker->lock, NULL);
    worker->queue = grpc_completion_queue_create_for_next(NULL);
    if (pthread_create(&worker->thread, NULL, poll_queue, worker) == 0)
        return 0;
    grpc_completion_queue_shutdown(worker->queue);
    grpc_completion_queue_destroy(worker->queue);
    shut_down();
    snprintf(error->text, sizeof error->text,
             "no thread for gRPC core's completion queue: raise the limit on memory or on processes (ulimit -v, ulimit -u, a container's)");
    return -1;
}

/* The engine delivers nothing any more: what was posted is taken from the list. */
void core_worker_end(struct squall_worker *view)
{
    struct core_worker *worker = view->state;
    atomic_store(&worker->ending, true);
    grpc_completion_queue_shutdown(worker->queue);
    pthread_join(worker->thread, NULL);
    while (worker->posted != NULL)
        deliver(view, worker->posted);
    grpc_completion_queue_destroy(worker->queue);
    pthread_mutex_destroy(&worker->lock);
    core_calls_free(worker);
    core_watches_free(worker); /* whose last event core has kept */
    pb_decoder_fini(&worker->decoder);
    pb_text_fini(&worker->text);
    shut_down();
}
