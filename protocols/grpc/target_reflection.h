/*
 * What reflection answers (grpc.reflection.v1 and v1alpha, which differ in the package alone): the descriptors of the
 * services that are served here, made from service/ by protoc when squall is built.
 */
#ifndef GRPC_TARGET_REFLECTION_H
#define GRPC_TARGET_REFLECTION_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <stddef.h>

/* A FileDescriptorSet. */
extern const uint8_t demo_descriptors[];
extern const size_t demo_descriptors_len;

#define DEMO_REFLECTION_MAX 4096 /* bytes of a question */

/* Whether a service of that full name is served. */
bool demo_has_service(struct squall_bytes name);
/* Room that an answer needs at most. */
size_t demo_reflection_room(struct squall_bytes question);
/* Writes the answer, a ServerReflectionResponse, into the end of [out, out + room); returns its length, or -1 when the
 * question is no ServerReflectionRequest. */
int64_t demo_reflection_answer(struct squall_bytes question, uint8_t *out, size_t room);

#endif
