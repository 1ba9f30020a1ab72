/*
 * Services and message types, known at run time: from .proto files, from a descriptor set (protoc
 * --include_imports --descriptor_set_out), or from the files that a server's reflection service sends one by one.
 * The one door to libprotobuf; no exception comes through it.
 *
 * Files are read when they are added; a look-up builds what it needs. All files have to be added before the first
 * look-up. Fallible functions return 0, or -1 with the error filled.
 */
#ifndef SQUALL_GRPC_SCHEMA_H
#define SQUALL_GRPC_SCHEMA_H
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pb_schema;

struct pb_method {
    const char *path; /* "/pkg.Service/Method", as the :path of a call */
    const struct pb_type *input, *output;
    bool client_streams, server_streams;
};

/* gRPC's health service is known to every schema, unless its files define another. */
#define PB_HEALTH_SERVICE "grpc.health.v1.Health"

struct pb_schema *pb_schema_new(void); /* NULL: no memory */
void pb_schema_free(struct pb_schema *schema);

/* Where `import` looks, in this order, after the folders of the files themselves. Before the first file. */
int pb_schema_add_import_path(struct pb_schema *schema, const char *folder, struct squall_error *error);
/* A .proto file; an error names file, line and column. */
int pb_schema_add_proto(struct pb_schema *schema, const char *path, struct squall_error *error);
/* A serialized FileDescriptorSet, of at most PB_SET_MAX bytes. */
int pb_schema_add_set(struct pb_schema *schema, const char *path, struct squall_error *error);
#define PB_SET_MAX (UINT64_C(64) << 20)

/* A serialized FileDescriptorProto; a file that is there already is no error. At most PB_FILES_MAX files. */
int pb_schema_add_file(struct pb_schema *schema, struct squall_bytes file, struct squall_error *error);
#define PB_FILES_MAX 4096
/* The name of a file that another one imports and nobody has added, or NULL. Valid until the next add. */
const char *pb_schema_missing(struct pb_schema *schema);

/* `name` is pkg.Service/Method or pkg.Service.Method; a service alone, or one that no file has, is told with the
 * nearest name there is. */
int pb_schema_method(struct pb_schema *schema, const char *name, struct pb_method *ret_method,
                     struct squall_error *error);
/* NULL when there is none of that full name, or no memory. */
const struct pb_type *pb_schema_type(struct pb_schema *schema, const char *full_name);
/* Calls fn for each method of each service of the files added (and not of those only imported); stops when fn returns
 * other than 0, and returns that. */
int pb_schema_each_method(struct pb_schema *schema, int (*fn)(void *arg, const char *service, const struct pb_method *),
                          void *arg);

#ifdef __cplusplus
}
#endif
#endif
