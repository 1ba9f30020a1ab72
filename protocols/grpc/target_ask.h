/* What a message of the demo service asks for: squall.demo.Ask of service/demo.proto, read from its bytes. */
#ifndef GRPC_TARGET_ASK_H
#define GRPC_TARGET_ASK_H
#include <squall/server.h>
#include <stdbool.h>

#define DEMO_PARTS_MAX    16
#define DEMO_TAG_MAX      200
#define DEMO_TEXT_MAX     200 /* of a status message, and of what is refused */
#define DEMO_STALL_MAX_NS UINT64_C(60000000000)

/* The numbers of squall.demo.Fault. */
enum demo_fault {
    DEMO_NO_FAULT,
    DEMO_NO_TRAILERS,
    DEMO_RESET_BEFORE_HEADERS,
    DEMO_RESET_AFTER_HEADERS,
    DEMO_RESET_IN_MESSAGE,
    DEMO_GOAWAY,
    DEMO_BROKEN_LENGTH,
    DEMO_HUGE_LENGTH,
    DEMO_FAULTS,
};

struct demo_part {
    struct squall_distribution size, delay;
    bool has_size, has_delay;
    uint32_t count;
};

/* Zero: nothing asked for. */
struct demo_ask {
    struct squall_distribution size, delay;
    bool has_size, has_delay, has_status, reset, close;
    uint32_t status, http_status, fault, error_code;
    uint64_t stall_ns, payload_len;
    uint8_t tag_len, message_len;
    uint32_t part_count;
    uint8_t tag[DEMO_TAG_MAX], message[DEMO_TEXT_MAX];
    struct demo_part parts[DEMO_PARTS_MAX];
};

/* Why a message is refused: a code of gRPC, and a text. */
struct demo_problem {
    uint32_t code;
    char text[DEMO_TEXT_MAX + 1];
};

/* Adds what the bytes ask for to `ask`; payload_len is this message's. 0, or -1 with the problem filled. */
int demo_ask_read(const struct squall_server_host *host, struct squall_bytes bytes, struct demo_ask *ask,
                  struct demo_problem *problem);

#endif
