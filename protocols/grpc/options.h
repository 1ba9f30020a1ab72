/* What a scenario may say of a gRPC target and of a step: the tables and the structs that they fill. */
#ifndef SQUALL_GRPC_OPTIONS_H
#define SQUALL_GRPC_OPTIONS_H
#include <squall/plugin.h>

struct rpc_target_options {
    struct squall_tree proto, import_paths; /* a text, or a list of texts */
    struct squall_bytes descriptor_set;
    struct squall_bytes authority, user_agent;
    uint64_t reflection;
    uint64_t streams, window, connection_window;
    uint64_t max_receive, max_send;
};

enum { RPC_CORE_TARGET_ROWS = 9, RPC_TARGET_ROWS = 11 };
extern const struct squall_option rpc_target_rows[RPC_TARGET_ROWS];

enum rpc_row {
    RPC_METHOD,
    RPC_MESSAGE,
    RPC_SEND,
    RPC_BINARY,
    RPC_REPEAT,
    RPC_FOR,
    RPC_EVERY,
    RPC_PING_PONG,
    RPC_RECEIVE,
    RPC_CANCEL_AFTER,
    RPC_DEADLINE,
    RPC_METADATA,
    RPC_COMPRESSION,
    RPC_WAIT_FOR_READY,
    RPC_EXPECT,
    RPC_ROWS,
};
#define RPC_BIT(row) (UINT64_C(1) << (row))

enum rpc_compression { RPC_IDENTITY, RPC_GZIP };

struct rpc_step_options {
    struct squall_bytes method;
    struct squall_tree message, send;
    struct squall_bytes binary;
    uint64_t repeat, for_ns, every_ns, ping_pong;
    struct squall_bytes receive, cancel_after;
    uint64_t deadline_ns;
    struct squall_map metadata;
    uint64_t compression, wait_for_ready;
    struct squall_bytes expect;
};
extern const struct squall_option rpc_step_rows[RPC_ROWS];

enum rpc_metric { RPC_SLOT_WAIT, RPC_METRICS };
extern const struct squall_metric rpc_metrics[RPC_METRICS];

#endif
