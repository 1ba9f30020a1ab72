/* See windows.h. */
#include "cluster/windows.h"

void windows_init(struct windows *windows)
{
    for (uint32_t i = 0; i < WINDOWS_OPEN; i++) {
        histogram_init(&windows->open[i].latency);
        histogram_init(&windows->open[i].self_delay);
    }
}

void windows_fini(struct windows *windows)
{
    for (uint32_t i = 0; i < WINDOWS_OPEN; i++) {
        histogram_fini(&windows->open[i].latency);
        histogram_fini(&windows->open[i].self_delay);
    }
}

static void close_window(struct window *window, struct verdict *verdict)
{
    if (window->used)
        verdict_window(verdict, &window->self_delay, &window->latency, window->begun, window->waited);
    histogram_reset(&window->latency);
    histogram_reset(&window->self_delay);
    window->used = false;
    window->ended = window->begun = window->waited = 0;
    window->partial = false;
}

void windows_add(struct windows *windows, const struct snapshot *snapshot, uint64_t begun, uint64_t waited, struct verdict *verdict)
{
    struct window *window = &windows->open[snapshot->window % WINDOWS_OPEN];
    if (window->number != snapshot->window)
        close_window(window, verdict);
    window->used = true;
    window->begun += begun;
    window->waited += waited;
    window->partial |= snapshot->last;
    window->number = snapshot->window;
    if (snapshot->window > windows->newest)
        windows->newest = snapshot->window;
    for (uint32_t i = 0; i < snapshot->store.series_count; i++) {
        const struct series *series = &snapshot->store.series[i];
        window->ended += series->count;
        histogram_merge(&window->latency, &series->latency_ok);
        histogram_merge(&window->latency, &series->latency_failed);
    }
    histogram_merge(&window->self_delay, &snapshot->store.self_delay);
}

void windows_finish(struct windows *windows, struct verdict *verdict)
{
    for (uint64_t i = 1; i <= WINDOWS_OPEN; i++)
        close_window(&windows->open[(windows->newest + i) % WINDOWS_OPEN], verdict);
}

void windows_show(const struct windows *windows, struct progress *progress)
{
    const struct window *found = NULL;
    for (uint32_t i = 0; i < WINDOWS_OPEN; i++) {
        const struct window *window = &windows->open[i];
        if (window->used && !window->partial && window->ended && (!found || window->number > found->number))
            found = window;
    }
    if (!found)
        return;
    progress->window_count = found->ended;
    progress->p50_ns = histogram_quantile(&found->latency, 0.5);
    progress->p99_ns = histogram_quantile(&found->latency, 0.99);
}
