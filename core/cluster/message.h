/* Small helpers over msgpack-c for the maps that the bus carries. Readers look keys up by name, ignore unknown ones and
 * believe no type or length that they have not checked. */
#ifndef SQUALL_CLUSTER_MESSAGE_H
#define SQUALL_CLUSTER_MESSAGE_H
#include "base/arena.h"
#include "base/buffer.h"
#include <msgpack.h>
#include <stdbool.h>

#define MESSAGE_VERSION 1

/* Writing: a packer that appends to a buffer. */
void message_packer(msgpack_packer *packer, struct buffer *out);
void message_pack_text(msgpack_packer *packer, const char *text); /* NULL: nil */
void message_pack_key(msgpack_packer *packer, const char *key);
void message_pack_number(msgpack_packer *packer, const char *key, uint64_t number);

/* Reading: a whole body that must be one map with v = MESSAGE_VERSION. False otherwise; `zone` is to be destroyed by the
 * caller either way. */
bool message_read(const uint8_t *data, size_t len, msgpack_zone *zone, msgpack_object *ret_map);
const msgpack_object *message_find(const msgpack_object *map, const char *key); /* NULL: absent */
uint64_t message_number(const msgpack_object *map, const char *key, uint64_t fallback);
/* NULL when absent, nil, not a string, or with a NUL in it; else a copy in the arena. */
const char *message_text(const msgpack_object *map, const char *key, struct arena *arena);
const char *message_copy(const msgpack_object *object, struct arena *arena);
/* The array at key, or NULL. */
const msgpack_object_array *message_array(const msgpack_object *map, const char *key);

#endif
