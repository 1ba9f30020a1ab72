/* What a plugin calls that belongs to no exchange: samples, addresses, times that cross workers. Watched as in fake_calls.c. */
#include "fake_calls.h"

static void check_metric(struct squall_worker *worker, const struct squall_step *step, const char *call, uint32_t metric)
{
    struct fake_host *host = fake_host_of(worker);
    fake_on_thread(host, call);
    if (!step)
        fake_violation(host, "%s() without a step; samples are booked at one", call);
    if (metric >= host->protocol->abi.metrics.count)
        fake_violation(host, "%s() of metric %u, of which there are %u", call, metric, host->protocol->abi.metrics.count);
}

static void call_sample(struct squall_worker *worker, const struct squall_step *step, uint32_t metric, uint64_t value)
{
    (void)value;
    check_metric(worker, step, "sample", metric);
}

static void call_elapsed(struct squall_worker *worker, const struct squall_step *step, uint32_t metric, uint64_t since_ns)
{
    struct fake_host *host = fake_host_of(worker);
    check_metric(worker, step, "elapsed", metric);
    if (since_ns > host->now_ns)
        fake_violation(host, "law 5: elapsed() since a time that the engine has not given: it is yet to come");
}

static uint32_t call_address(struct squall_worker *worker, const struct squall_step *step, struct squall_bytes address)
{
    fake_on_thread(fake_host_of(worker), "address");
    (void)step;
    (void)address;
    return 0;
}

static void call_sent_to(struct squall_worker *worker, uint32_t address, uint64_t due_ns)
{
    fake_on_thread(fake_host_of(worker), "sent_to");
    if (address != 0)
        fake_violation(fake_host_of(worker), "sent_to() an address that address() has not given");
    if (due_ns > fake_host_of(worker)->now_ns)
        fake_violation(fake_host_of(worker), "law 5: sent_to() with a time that the engine has not given: it is yet to come");
}

static void call_want(struct squall_worker *worker, const struct squall_step *step, struct squall_bytes pattern, uint32_t plain,
                      int32_t receivers)
{
    fake_on_thread(fake_host_of(worker), "want");
    (void)step;
    (void)pattern;
    (void)plain;
    if (!fake_host_of(worker)->protocol->abi.matches || receivers == 0)
        fake_violation(fake_host_of(worker), "want() by a plugin without matches(), or of nobody");
}

static int32_t call_set_out(struct squall_worker *worker, uint64_t key)
{
    fake_on_thread(fake_host_of(worker), "set_out");
    (void)key;
    return 0;
}

static int32_t call_arrived(struct squall_worker *worker, const struct squall_step *step, uint32_t metric, uint64_t key)
{
    check_metric(worker, step, "arrived", metric);
    (void)key;
    return 0;
}

void fake_samples_init(struct squall_host *table)
{
    table->sample = call_sample;
    table->elapsed = call_elapsed;
    table->address = call_address;
    table->sent_to = call_sent_to;
    table->want = call_want;
    table->set_out = call_set_out;
    table->arrived = call_arrived;
}
