/*
 * The least that a closed-loop generator on gRPC core can cost: channels with so many unary calls in flight on each,
 * one completion queue, one thread. A call is one batch; when it has ended the next takes its place. The status is
 * looked at, and that there is a message; no clock is read for a call, nothing is decoded or recorded. Channels are
 * made as the core engine makes them: a connection each, no retries.
 *
 *   grpc_core_floor [--channels C] [--streams S] [--calls N | --seconds T] [--method /x.Y/Z] [--message FILE] HOST:PORT
 *
 * The message's bytes stand in the file, without a prefix; without a file the message is empty.
 */
#include <getopt.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHANNELS_MAX 1024
#define STREAMS_MAX  1024
#define MESSAGE_MAX  65536
#define STALL_S      10
#define LOOKS        256 /* calls between two looks at the clock */

struct slot {
    grpc_channel *channel;
    void *method;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *sent, *received;
    grpc_status_code code;
    grpc_slice details;
};

static grpc_completion_queue *queue;
static grpc_channel *channels[CHANNELS_MAX];
static char message[MESSAGE_MAX];
static size_t message_len;
static uint64_t begun, ended, failed, calls_max;

static void fail(const char *what)
{
    fprintf(stderr, "grpc_core_floor: %s\n", what);
    exit(1);
}

static gpr_timespec in_seconds(int64_t seconds)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(seconds, GPR_TIMESPAN));
}

static grpc_event next_event(void)
{
    grpc_event event = grpc_completion_queue_next(queue, in_seconds(STALL_S), NULL);
    if (event.type != GRPC_OP_COMPLETE)
        fail("no answer");
    return event;
}

static grpc_channel *open_channel(const char *address)
{
    static const struct {
        const char *name;
        int value;
    } numbers[] = {
        {GRPC_ARG_ENABLE_RETRIES, 0}, {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1}, {GRPC_ARG_ENABLE_HTTP_PROXY, 0}};
    grpc_arg list[3];
    for (size_t i = 0; i < 3; i++)
        list[i] = (grpc_arg){
            .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)numbers[i].name, .value.integer = numbers[i].value};
    const grpc_channel_args args = {.num_args = 3, .args = list};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, plain, &args);
    grpc_channel_credentials_release(plain);
    for (;;) {
        grpc_connectivity_state state = grpc_channel_check_connectivity_state(channel, 1);
        if (state == GRPC_CHANNEL_READY)
            return channel;
        if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN)
            fail("could not connect");
        grpc_channel_watch_connectivity_state(channel, state, in_seconds(STALL_S), queue, NULL);
        next_event();
    }
}

static void begin_call(struct slot *slot)
{
    grpc_slice slice = grpc_slice_from_static_buffer(message, message_len);
    slot->sent = grpc_raw_byte_buffer_create(&slice, 1);
    slot->received = NULL;
    slot->details = grpc_empty_slice();
    slot->call = grpc_channel_create_registered_call(slot->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, slot->method,
                                                     gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    const grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = slot->sent},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &slot->initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &slot->received},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {
             .trailing_metadata = &slot->trailing, .status = &slot->code, .status_details = &slot->details}}};
    if (grpc_call_start_batch(slot->call, ops, sizeof ops / sizeof ops[0], slot, NULL) != GRPC_CALL_OK)
        fail("gRPC core did not take the call");
    begun++;
}

static void end_call(struct slot *slot)
{
    ended++;
    failed += slot->code != GRPC_STATUS_OK || slot->received == NULL;
    grpc_byte_buffer_destroy(slot->sent);
    grpc_byte_buffer_destroy(slot->received);
    grpc_slice_unref(slot->details);
    grpc_call_unref(slot->call);
}

static void run(struct slot *slots, size_t count, double seconds)
{
    gpr_timespec end =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos((int64_t)(seconds * 1e9), GPR_TIMESPAN));
    bool over = false;
    for (size_t i = 0; i < count && begun < calls_max; i++)
        begin_call(&slots[i]);
    while (ended < begun) {
        struct slot *slot = next_event().tag;
        end_call(slot);
        if (seconds > 0 && ended % LOOKS == 0)
            over = gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) >= 0;
        if (!over && begun < calls_max)
            begin_call(slot);
    }
}

static void read_message(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("the message's file cannot be read");
    message_len = fread(message, 1, sizeof message, file);
    fclose(file);
}

static void close_all(struct slot *slots, size_t count, unsigned long channel_count)
{
    for (size_t i = 0; i < count; i++) {
        grpc_metadata_array_destroy(&slots[i].initial);
        grpc_metadata_array_destroy(&slots[i].trailing);
    }
    for (unsigned long i = 0; i < channel_count; i++)
        grpc_channel_destroy(channels[i]);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, in_seconds(1), NULL).type == GRPC_OP_COMPLETE)
        continue;
    grpc_completion_queue_destroy(queue);
    free(slots);
    grpc_shutdown();
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"channels", 1, NULL, 'c'}, {"streams", 1, NULL, 's'}, {"calls", 1, NULL, 'n'}, {"seconds", 1, NULL, 't'},
        {"method", 1, NULL, 'm'},   {"message", 1, NULL, 'f'}, {NULL, 0, NULL, 0}};
    unsigned long channel_count = 8, streams = 8;
    double seconds = 0;
    const char *method = "/squall.demo.Demo/Unary";
    calls_max = UINT64_MAX;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'c')
            channel_count = strtoul(optarg, NULL, 10);
        else if (option == 's')
            streams = strtoul(optarg, NULL, 10);
        else if (option == 'n')
            calls_max = strtoull(optarg, NULL, 10);
        else if (option == 't')
            seconds = strtod(optarg, NULL);
        else if (option == 'm')
            method = optarg;
        else if (option == 'f')
            read_message(optarg);
        else
            return 2;
    }
    bool endless = calls_max == UINT64_MAX && !(seconds > 0);
    if (optind + 1 != argc || channel_count < 1 || channel_count > CHANNELS_MAX || streams < 1 ||
        streams > STREAMS_MAX || endless)
        return 2;
    size_t count = channel_count * streams;
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        fail("no memory");
    grpc_init();
    queue = grpc_completion_queue_create_for_next(NULL);
    for (unsigned long i = 0; i < channel_count; i++) {
        channels[i] = open_channel(argv[optind]);
        void *registered = grpc_channel_register_call(channels[i], method, NULL, NULL);
        for (size_t j = 0; j < streams; j++)
            slots[i * streams + j] = (struct slot){.channel = channels[i], .method = registered};
    }
    run(slots, count, seconds);
    close_all(slots, count, channel_count);
    printf("{\"channels\": %lu, \"calls\": %llu, \"failed\": %llu}\n", channel_count, (unsigned long long)ended,
           (unsigned long long)failed);
    return failed > 0;
}
