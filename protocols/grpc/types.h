/*
 * What is known of a message type: tables that schema.cc fills from descriptors, and that encoding, decoding and
 * skeletons walk without libprotobuf.
 *
 * All of it belongs to the schema that it came from, lives as long, and does not change once handed out. Types refer to
 * each other, also in circles.
 *
 * Source: the protobuf encoding guide, and the JSON mapping of the proto3 language guide.
 */
#ifndef SQUALL_GRPC_TYPES_H
#define SQUALL_GRPC_TYPES_H
#include <squall/plugin.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values of FieldDescriptorProto.Type. */
enum pb_kind {
    PB_DOUBLE = 1,
    PB_FLOAT,
    PB_INT64,
    PB_UINT64,
    PB_INT32,
    PB_FIXED64,
    PB_FIXED32,
    PB_BOOL,
    PB_STRING,
    PB_GROUP,
    PB_MESSAGE,
    PB_BYTES,
    PB_UINT32,
    PB_ENUM,
    PB_SFIXED32,
    PB_SFIXED64,
    PB_SINT32,
    PB_SINT64,
};

/* Types whose JSON is not that of their fields. */
enum pb_well_known {
    PB_ORDINARY = 0,
    PB_WRAPPER, /* BoolValue and its like: its one field's JSON */
    PB_TIMESTAMP,
    PB_DURATION,
    PB_FIELD_MASK,
    PB_STRUCT,
    PB_VALUE,
    PB_LIST,
    PB_ANY,
};

enum pb_wire { PB_VARINT = 0, PB_I64 = 1, PB_LEN = 2, PB_GROUP_START = 3, PB_GROUP_END = 4, PB_I32 = 5 };

/* Messages nest no deeper than this, when written and when read. */
#define PB_DEPTH_MAX 64

struct pb_enum_value {
    const char *name;
    int32_t number;
};

struct pb_enum {
    const char *full_name;
    const struct pb_enum_value *values; /* in the order of the file */
    uint32_t count;
    bool null_value; /* google.protobuf.NullValue, written as null */
};

struct pb_field {
    const char *name;      /* as in the .proto file */
    const char *json_name; /* as JSON writes it; both are read */
    uint32_t number;
    enum pb_kind kind;
    bool repeated;                     /* maps included */
    bool map;                          /* `message` is the entry type, with fields 1 (key) and 2 (value) */
    bool packed;                       /* values of a repeated field stand in one record when written */
    bool presence;                     /* absent and default differ */
    bool required;                     /* proto2 */
    int32_t oneof;                     /* index into the type's oneofs, or -1 */
    const struct pb_type *message;     /* MESSAGE and GROUP */
    const struct pb_enum *enumeration; /* ENUM */
};

struct pb_type {
    const char *full_name;
    const struct pb_field *fields; /* by number, ascending */
    uint32_t count;
    const char *const *oneofs; /* names */
    uint32_t oneof_count;      /* those that the file declares, not the hidden ones of `optional` */
    enum pb_well_known well_known;
    const struct pb_schema *schema; /* for types that only a message names: Any */
};

/* The field of that name, in either spelling, or NULL. */
const struct pb_field *pb_type_field(const struct pb_type *type, const char *name, size_t len);
const struct pb_field *pb_type_field_numbered(const struct pb_type *type, uint32_t number);
/* The value of that name, or NULL. */
const struct pb_enum_value *pb_enum_named(const struct pb_enum *enumeration, const char *name, size_t len);
/* The first value of that number, or NULL. */
const struct pb_enum_value *pb_enum_numbered(const struct pb_enum *enumeration, int32_t number);

enum pb_wire pb_wire_of(enum pb_kind kind);
/* Bools, numbers and enums: what may be packed. */
bool pb_kind_packs(enum pb_kind kind);
/* "wants a string", "wants a whole number of 64 bits": for errors. */
const char *pb_kind_wants(enum pb_kind kind);

/* Remembers, of the names offered, the one nearest to a word. Start with {.word, .len}. */
struct pb_nearest {
    const char *word;
    size_t len;
    const char *best; /* NULL: none is near enough to suggest */
    unsigned distance;
};
void pb_nearest_offer(struct pb_nearest *nearest, const char *name);

#ifdef __cplusplus
}
#endif
#endif
