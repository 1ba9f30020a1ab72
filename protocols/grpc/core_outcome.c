/*
 * What a call's end means. gRPC core says everything by a status; where that is of its own making its text tells what
 * happened, and the outcome is the one that the other engine gives. Nothing marks such a status, so what is looked at
 * beside the text is what else came: a server may hand on the text by which a call of its own has ended.
 */
#include "core_call.h"
#include "status.h"
#include <stdio.h>
#include <string.h>

static const char http_status[] = "Received http2 header with status: ";

enum needs { NEEDS_NOTHING, NEEDS_NO_TRAILERS, NEEDS_LOST_CHANNEL };

/* How texts of gRPC core 1.51 begin: of reading from a socket with the call's name, of writing without. */
static const struct meaning {
    const char *text;
    uint32_t outcome;
    enum needs needs;
    bool has_code;      /* the status is what the other engine makes of it, too */
    const char *reason; /* NULL: the text */
} meanings[] = {
    {"No status received", SQUALL_MALFORMED, NEEDS_NOTHING, false, "the answer has no grpc-status"},
    {"Stream removed", SQUALL_MALFORMED, NEEDS_NO_TRAILERS, false,
     "the answer has no grpc-status, or is none of HTTP/2"},
    {"Received RST_STREAM with error code 7", SQUALL_REJECTED, NEEDS_NO_TRAILERS, true, NULL}, /* REFUSED_STREAM */
    {"Received RST_STREAM with error code ", SQUALL_BROKEN_OFF, NEEDS_NO_TRAILERS, true, NULL},
    {"Socket closed", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, "connection closed by the peer"},
    {"recvmsg:", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"sendmsg:", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"Connection reset by peer", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"Transport closed", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, "connection lost"},
    {"Broken pipe", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"Connection timed out", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"No route to host", SQUALL_BROKEN_OFF, NEEDS_LOST_CHANNEL, false, NULL},
    {"frame of size ", SQUALL_BROKEN_OFF, NEEDS_NO_TRAILERS, false, NULL}, /* more than its window holds */
};

static bool is_lost(const struct core_conn *c)
{
    return !c->ready || grpc_channel_check_connectivity_state(c->channel, 0) != GRPC_CHANNEL_READY;
}

static bool holds(enum needs needs, const struct core_call *call)
{
    switch (needs) {
    case NEEDS_NO_TRAILERS:
        return call->trailing.count == 0;
    case NEEDS_LOST_CHANNEL:
        return is_lost(call->c);
    default:
        return true;
    }
}

static const struct meaning *meaning_of(const char *text)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strncmp(text, meanings[i].text, strlen(meanings[i].text)) == 0)
            return &meanings[i];
    return NULL;
}

static const struct meaning *find_meaning(const struct core_call *call, const char *text)
{
    const struct meaning *meaning = meaning_of(text);
    return meaning != NULL && holds(meaning->needs, call) ? meaning : NULL;
}

bool core_in_doubt(const struct core_call *call, const char *text)
{
    const struct meaning *meaning = call->code == GRPC_STATUS_OK || call->enough ? NULL : meaning_of(text);
    return meaning != NULL && meaning->needs == NEEDS_LOST_CHANNEL && !is_lost(call->c);
}

static const char *malformed_by(const struct core_call *call, uint32_t code)
{
    if (call->malformed != NULL)
        return call->malformed;
    if (code != RPC_OK || call->step->method.server_streams || call->received == 1)
        return NULL;
    return call->received == 0 ? "status OK without a message, or with one that is broken"
                               : "more than one message in answer to a call";
}

/* As the other engine writes it. */
static void rewrite(char text[CORE_DETAILS_MAX])
{
    char number[8];
    if (strncmp(text, http_status, sizeof http_status - 1) != 0)
        return;
    snprintf(number, sizeof number, "%s", text + sizeof http_status - 1);
    snprintf(text, CORE_DETAILS_MAX, "HTTP status %s", number);
}

struct squall_result core_judge(const struct core_call *call, char text[CORE_DETAILS_MAX])
{
    uint32_t status = (uint32_t)call->code < RPC_CODES ? (uint32_t)call->code : (uint32_t)RPC_UNKNOWN;
    uint32_t code = call->enough ? (uint32_t)RPC_OK : status;
    struct squall_result result = {.outcome = SQUALL_REJECTED,
                                   .code = RPC_RESULT_CODE(code),
                                   .bytes_in = call->bytes_in,
                                   .bytes_out = call->bytes_out,
                                   .reason = text[0] != '\0' ? text : NULL};
    const char *malformed = malformed_by(call, code);
    const struct meaning *meaning = code != RPC_OK ? find_meaning(call, text) : NULL;
    rewrite(text);
    if (malformed != NULL || (meaning != NULL && !meaning->has_code)) {
        result.outcome = malformed != NULL ? (uint32_t)SQUALL_MALFORMED : meaning->outcome;
        result.code = 0;
        if (malformed != NULL || meaning->reason != NULL)
            result.reason = malformed != NULL ? malformed : meaning->reason;
    } else if (call->step->expect & UINT32_C(1) << code) {
        result.outcome = SQUALL_OK;
        result.reason = NULL;
    } else if (meaning != NULL) {
        result.outcome = meaning->outcome;
    }
    return result;
}
