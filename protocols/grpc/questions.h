/*
 * What to ask a server's reflection service, and what its answers mean; how they travel is the caller's. The files that
 * define the services of the steps are asked for by symbol, and what they import by name, until nothing is missing. A
 * service that the server does not know leads to its list of services, for the nearest name.
 *
 * Bounds: one question at a time, at most RPC_QUESTIONS_MAX of them and PB_FILES_MAX files.
 *
 * Source: grpc/reflection/v1/reflection.proto.
 */
#ifndef SQUALL_GRPC_QUESTIONS_H
#define SQUALL_GRPC_QUESTIONS_H
#include "target.h"
#include "text.h"

#define RPC_QUESTIONS_MAX 10000
#define RPC_NAME_MAX      255
/* A ServerReflectionRequest with its prefix. */
#define RPC_QUESTION_SIZE (RPC_NAME_MAX + 32)

extern const char rpc_reflection_v1[], rpc_reflection_v1alpha[]; /* methods */

enum rpc_ask { RPC_ASK_FILE = 3, RPC_ASK_SYMBOL = 4, RPC_ASK_SERVICES = 7 }; /* fields of the request */

struct rpc_questions {
    struct rpc_target *target;
    const struct rpc_step *step; /* the next whose service is to be asked for */
    enum rpc_ask last;
    bool asked; /* and not answered yet */
    uint32_t count;
    char name[RPC_NAME_MAX + 1];  /* that the last question was about */
    const struct rpc_step *about; /* the step that it was for */
    const struct rpc_step *wrong; /* with `why`: it names what is not there; NULL: it is no step's fault */
    struct pb_text services;      /* the server's, one after the other with a NUL behind each */
    char why[300];                /* it cannot go on; empty: it can */
};

void rpc_questions_begin(struct rpc_questions *questions, struct rpc_target *target);
void rpc_questions_end(struct rpc_questions *questions);
/* The next question, with its prefix, into `out`: its length; 0: everything is known, or `why` says what is wrong. */
size_t rpc_questions_next(struct rpc_questions *questions, uint8_t out[RPC_QUESTION_SIZE]);
/* A ServerReflectionResponse. */
void rpc_questions_answer(struct rpc_questions *questions, struct squall_bytes message);
void rpc_questions_fail(struct rpc_questions *questions, const char *why);

#endif
