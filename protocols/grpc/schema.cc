/*
 * Descriptors, by libprotobuf, turned into the tables of types.h. The only file that is not C: nothing of C++ leaves
 * it, exceptions included, and what the tables point to lives in the schema.
 *
 * The pool finds files in this order: those added as descriptors, .proto files on disk, the well-known ones that
 * libprotobuf carries itself.
 */
#include "schema.h"
#include <algorithm>
#include <cstdio>
#include <deque>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace pb = google::protobuf;

namespace
{

/* Keeps the first complaint: those after it are mostly its consequences. */
struct first_error : pb::compiler::MultiFileErrorCollector {
    std::string text;

    void AddError(const std::string &file, int line, int column, const std::string &message) override
    {
        std::string place = file;
        if (line >= 0)
            place += ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
        if (text.empty())
            text = place + ": " + message;
    }
};

/* What the tables point to; deques, as their elements never move. */
struct table_store {
    std::deque<std::string> names;
    std::deque<std::vector<pb_field>> fields;
    std::deque<std::vector<const char *>> oneofs;
    std::deque<std::vector<pb_enum_value>> values;
    std::unordered_map<const pb::Descriptor *, std::unique_ptr<pb_type>> types;
    std::unordered_map<const pb::EnumDescriptor *, std::unique_ptr<pb_enum>> enums;
};

pb_well_known well_known_of(const pb::Descriptor *type)
{
    switch (type->well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_BOOLVALUE:
        return type->field_count() == 1 ? PB_WRAPPER : PB_ORDINARY;
    case pb::Descriptor::WELLKNOWNTYPE_ANY:
        return PB_ANY;
    case pb::Descriptor::WELLKNOWNTYPE_FIELDMASK:
        return PB_FIELD_MASK;
    case pb::Descriptor::WELLKNOWNTYPE_DURATION:
        return PB_DURATION;
    case pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP:
        return PB_TIMESTAMP;
    case pb::Descriptor::WELLKNOWNTYPE_VALUE:
        return PB_VALUE;
    case pb::Descriptor::WELLKNOWNTYPE_LISTVALUE:
        return PB_LIST;
    case pb::Descriptor::WELLKNOWNTYPE_STRUCT:
        return PB_STRUCT;
    default:
        return PB_ORDINARY;
    }
}

/* A peer may send a file that calls its own message google.protobuf.Timestamp: then it is an ordinary one. */
bool is_genuine(const pb::Descriptor *type, pb_well_known known)
{
    const pb::Descriptor *own = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(type->full_name());
    if (known == PB_ORDINARY || own == nullptr || own->field_count() != type->field_count())
        return false;
    for (int i = 0; i < own->field_count(); i++) {
        const pb::FieldDescriptor *field = type->FindFieldByNumber(own->field(i)->number());
        if (field == nullptr || field->type() != own->field(i)->type() || field->label() != own->field(i)->label())
            return false;
    }
    return true;
}

void put_error(squall_error *error, const std::string &text)
{
    std::snprintf(error->text, sizeof error->text, "%s", text.c_str());
}

int no_memory(squall_error *error)
{
    std::snprintf(error->text, sizeof error->text, "no memory for the message types");
    return -1;
}

/* grpc/health/v1/health.proto: many servers offer the service and describe it nowhere. */
pb::FileDescriptorProto health_file()
{
    pb::FileDescriptorProto file;
    file.set_name("grpc/health/v1/health.proto");
    file.set_package("grpc.health.v1");
    file.set_syntax("proto3");
    pb::DescriptorProto *request = file.add_message_type(), *response = file.add_message_type();
    request->set_name("HealthCheckRequest");
    response->set_name("HealthCheckResponse");
    pb::EnumDescriptorProto *status = response->add_enum_type();
    status->set_name("ServingStatus");
    for (const char *name : {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}) {
        pb::EnumValueDescriptorProto *value = status->add_value();
        value->set_name(name);
        value->set_number(status->value_size() - 1);
    }
    pb::FieldDescriptorProto *service = request->add_field(), *answer = response->add_field();
    for (pb::FieldDescriptorProto *field : {service, answer}) {
        field->set_number(1);
        field->set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
    }
    service->set_name("service");
    service->set_type(pb::FieldDescriptorProto::TYPE_STRING);
    answer->set_name("status");
    answer->set_type(pb::FieldDescriptorProto::TYPE_ENUM);
    answer->set_type_name(".grpc.health.v1.HealthCheckResponse.ServingStatus");
    pb::ServiceDescriptorProto *health = file.add_service();
    health->set_name("Health");
    for (const char *name : {"Check", "Watch"}) {
        pb::MethodDescriptorProto *method = health->add_method();
        method->set_name(name);
        method->set_input_type(".grpc.health.v1.HealthCheckRequest");
        method->set_output_type(".grpc.health.v1.HealthCheckResponse");
        method->set_server_streaming(name[0] == 'W');
    }
    return file;
}

std::string folder_of(const std::string &path)
{
    size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

struct pb_schema {
    first_error errors;
    pb::SimpleDescriptorDatabase added;
    pb::compiler::DiskSourceTree tree;
    pb::DescriptorPoolDatabase carried{*pb::DescriptorPool::generated_pool()};
    pb::compiler::SourceTreeDescriptorDatabase on_disk{&tree, &carried};
    pb::SimpleDescriptorDatabase health;
    pb::MergedDescriptorDatabase merged{{&added, &on_disk, &carried, &health}};
    pb::DescriptorPool pool{&merged, on_disk.GetValidationErrorCollector()}; /* knows line and column */
    std::set<std::string> folders, imports;
    std::vector<std::string> roots; /* files whose services the operator asked for */
    std::set<std::string> known;    /* files added as descriptors */
    table_store store;
    std::string missing;

    const char *keep(const std::string &text);
    const pb_enum *enum_of(const pb::EnumDescriptor *descriptor);
    pb_type *declare(const pb::Descriptor *descriptor, std::vector<const pb::Descriptor *> *todo);
    void define(const pb::Descriptor *descriptor, std::vector<const pb::Descriptor *> *todo);
    const pb_type *type_of(const pb::Descriptor *descriptor);
    void method_of(const pb::MethodDescriptor *descriptor, pb_method *ret_method);
    std::vector<const pb::ServiceDescriptor *> services();
    std::string complaint(const std::string &otherwise) const
    {
        return errors.text.empty() ? otherwise : errors.text;
    }
};

const char *pb_schema::keep(const std::string &text)
{
    store.names.push_back(text);
    return store.names.back().c_str();
}

const pb_enum *pb_schema::enum_of(const pb::EnumDescriptor *descriptor)
{
    std::unique_ptr<pb_enum> &slot = store.enums[descriptor];
    if (slot)
        return slot.get();
    store.values.emplace_back();
    std::vector<pb_enum_value> &values = store.values.back();
    for (int i = 0; i < descriptor->value_count(); i++)
        values.push_back({keep(descriptor->value(i)->name()), descriptor->value(i)->number()});
    slot.reset(new pb_enum{keep(descriptor->full_name()), values.data(), static_cast<uint32_t>(values.size()),
                           descriptor->full_name() == "google.protobuf.NullValue"});
    return slot.get();
}

/* The table of a type, empty when it is new: it then waits in todo to be filled. Types refer to each other in circles,
 * and a peer may send a chain of them of any length: hence no recursion. */
pb_type *pb_schema::declare(const pb::Descriptor *descriptor, std::vector<const pb::Descriptor *> *todo)
{
    std::unique_ptr<pb_type> &slot = store.types[descriptor];
    if (!slot) {
        slot.reset(new pb_type());
        todo->push_back(descriptor);
    }
    return slot.get();
}

void pb_schema::define(const pb::Descriptor *descriptor, std::vector<const pb::Descriptor *> *todo)
{
    std::vector<pb_field> fields;
    for (int i = 0; i < descriptor->field_count(); i++) {
        const pb::FieldDescriptor *from = descriptor->field(i);
        pb_field field = {};
        field.name = keep(from->name());
        field.json_name = keep(from->json_name());
        field.number = static_cast<uint32_t>(from->number());
        field.kind = static_cast<pb_kind>(from->type());
        field.repeated = from->is_repeated();
        field.map = from->is_map();
        field.packed = from->is_packed();
        field.presence = from->has_presence();
        field.required = from->is_required();
        const pb::OneofDescriptor *oneof = from->real_containing_oneof();
        field.oneof = oneof == nullptr ? -1 : oneof->index();
        if (from->message_type() != nullptr)
            field.message = declare(from->message_type(), todo);
        if (from->enum_type() != nullptr)
            field.enumeration = enum_of(from->enum_type());
        fields.push_back(field);
    }
    std::sort(fields.begin(), fields.end(), [](const pb_field &a, const pb_field &b) { return a.number < b.number; });
    store.fields.push_back(std::move(fields));
    store.oneofs.emplace_back();
    for (int i = 0; i < descriptor->real_oneof_decl_count(); i++)
        store.oneofs.back().push_back(keep(descriptor->oneof_decl(i)->name()));
    pb_well_known special = well_known_of(descriptor);
    pb_type *type = store.types[descriptor].get();
    type->full_name = keep(descriptor->full_name());
    type->fields = store.fields.back().data();
    type->count = static_cast<uint32_t>(store.fields.back().size());
    type->oneofs = store.oneofs.back().data();
    type->oneof_count = static_cast<uint32_t>(store.oneofs.back().size());
    type->well_known = is_genuine(descriptor, special) ? special : PB_ORDINARY;
    type->schema = this;
}

const pb_type *pb_schema::type_of(const pb::Descriptor *descriptor)
{
    std::vector<const pb::Descriptor *> todo;
    pb_type *type = declare(descriptor, &todo);
    while (!todo.empty()) {
        const pb::Descriptor *next = todo.back();
        todo.pop_back();
        define(next, &todo);
    }
    return type;
}

void pb_schema::method_of(const pb::MethodDescriptor *descriptor, pb_method *ret_method)
{
    pb_method method = {};
    method.path = keep("/" + descriptor->service()->full_name() + "/" + descriptor->name());
    method.input = type_of(descriptor->input_type());
    method.output = type_of(descriptor->output_type());
    method.client_streams = descriptor->client_streaming();
    method.server_streams = descriptor->server_streaming();
    *ret_method = method;
}

std::vector<const pb::ServiceDescriptor *> pb_schema::services()
{
    std::vector<const pb::ServiceDescriptor *> found;
    for (const std::string &root : roots) {
        const pb::FileDescriptor *file = pool.FindFileByName(root);
        for (int i = 0; file != nullptr && i < file->service_count(); i++)
            found.push_back(file->service(i));
    }
    return found;
}

struct pb_schema *pb_schema_new(void)
{
    try {
        pb::SetLogHandler(nullptr); /* what it would print to stderr comes back as an error's text */
        pb_schema *schema = new pb_schema();
        schema->on_disk.RecordErrorsTo(&schema->errors);
        schema->health.Add(health_file());
        return schema;
    } catch (...) {
        return nullptr;
    }
}

void pb_schema_free(struct pb_schema *schema)
{
    delete schema;
}

int pb_schema_add_import_path(struct pb_schema *schema, const char *folder, struct squall_error *error)
{
    try {
        if (schema->imports.insert(folder).second)
            schema->tree.MapPath("", folder);
        return 0;
    } catch (...) {
        return no_memory(error);
    }
}

/* A file below an import path goes by its name from there, as the imports of others call it; any other one brings its
 * own folder as an import path. */
static int find_on_disk(pb_schema *schema, const std::string &path, std::string *ret_name, squall_error *error)
{
    std::string name, shadow;
    for (int round = 0; round < 2; round++) {
        switch (schema->tree.DiskFileToVirtualFile(path, &name, &shadow)) {
        case pb::compiler::DiskSourceTree::SUCCESS:
            *ret_name = name;
            return 0;
        case pb::compiler::DiskSourceTree::SHADOWED:
            put_error(error, "proto file \"" + path + "\": \"" + shadow +
                                 "\" comes first in the import paths under the same name; reorder import-paths");
            return -1;
        case pb::compiler::DiskSourceTree::CANNOT_OPEN:
            put_error(error, "proto file \"" + path +
                                 "\": cannot be opened; check the path, which is relative to where "
                                 "squall was started");
            return -1;
        case pb::compiler::DiskSourceTree::NO_MAPPING:
            if (schema->folders.insert(folder_of(path)).second)
                schema->tree.MapPath("", folder_of(path));
        }
    }
    put_error(error, "proto file \"" + path + "\": lies below no import path");
    return -1;
}

int pb_schema_add_proto(struct pb_schema *schema, const char *path, struct squall_error *error)
{
    try {
        std::string name;
        if (find_on_disk(schema, path, &name, error) < 0)
            return -1;
        schema->errors.text.clear();
        if (schema->pool.FindFileByName(name) == nullptr) {
            put_error(error, "proto file " + schema->complaint(name + ": cannot be read"));
            return -1;
        }
        if (std::find(schema->roots.begin(), schema->roots.end(), name) == schema->roots.end())
            schema->roots.push_back(name);
        return 0;
    } catch (...) {
        return no_memory(error);
    }
}

static int add_file(pb_schema *schema, const pb::FileDescriptorProto &file, squall_error *error)
{
    if (!schema->known.insert(file.name()).second)
        return 0;
    if (schema->known.size() > PB_FILES_MAX) {
        put_error(error, "more than " + std::to_string(PB_FILES_MAX) + " files describe the service");
        return -1;
    }
    if (!schema->added.Add(file)) {
        put_error(error, "the description of file \"" + file.name() + "\" is broken or names what another one names");
        return -1;
    }
    schema->roots.push_back(file.name());
    return 0;
}

int pb_schema_add_file(struct pb_schema *schema, struct squall_bytes file, struct squall_error *error)
{
    try {
        pb::FileDescriptorProto read;
        if (file.len > PB_SET_MAX || !read.ParseFromArray(file.data, static_cast<int>(file.len))) {
            put_error(error, "what describes a file of the service is no FileDescriptorProto");
            return -1;
        }
        return add_file(schema, read, error);
    } catch (...) {
        return no_memory(error);
    }
}

static int read_whole(const char *path, std::string *ret_bytes)
{
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr)
        return -1;
    char part[65536];
    size_t got;
    std::string bytes;
    while (bytes.size() <= PB_SET_MAX && (got = std::fread(part, 1, sizeof part, file)) > 0)
        bytes.append(part, got);
    bool failed = std::ferror(file) != 0;
    std::fclose(file);
    if (failed)
        return -1;
    ret_bytes->swap(bytes);
    return 0;
}

int pb_schema_add_set(struct pb_schema *schema, const char *path, struct squall_error *error)
{
    try {
        std::string bytes;
        pb::FileDescriptorSet set;
        std::string what = std::string("descriptor set \"") + path + "\": ";
        if (read_whole(path, &bytes) < 0) {
            put_error(error, what + "cannot be read; check the path, which is relative to where squall was started");
            return -1;
        }
        if (bytes.size() > PB_SET_MAX || !set.ParseFromString(bytes) || set.file_size() == 0) {
            put_error(error, what + "is none; make one with: protoc --include_imports --descriptor_set_out=FILE");
            return -1;
        }
        for (const pb::FileDescriptorProto &file : set.file())
            if (add_file(schema, file, error) < 0)
                return -1;
        const char *missing = pb_schema_missing(schema);
        if (missing != nullptr) {
            put_error(error, what + "lacks the imported file \"" + missing + "\"; make it with --include_imports");
            return -1;
        }
        for (const std::string &root : schema->roots) {
            schema->errors.text.clear();
            if (schema->pool.FindFileByName(root) == nullptr) {
                put_error(error, what + schema->complaint(root + ": cannot be used"));
                return -1;
            }
        }
        return 0;
    } catch (...) {
        return no_memory(error);
    }
}

const char *pb_schema_missing(struct pb_schema *schema)
{
    try {
        for (const std::string &name : schema->known) {
            pb::FileDescriptorProto file;
            if (!schema->added.FindFileByName(name, &file))
                continue;
            for (const std::string &import : file.dependency()) {
                pb::FileDescriptorProto carried;
                if (schema->known.count(import) == 0 && !schema->carried.FindFileByName(import, &carried)) {
                    schema->missing = import;
                    return schema->missing.c_str();
                }
            }
        }
    } catch (...) {
        return nullptr; /* the look-up that follows meets the same lack */
    }
    return nullptr;
}

/* "pkg.Service/Method", or with a dot: the last of either parts service and method. */
static void split_name(const std::string &name, std::string *ret_service, std::string *ret_method)
{
    std::string text = !name.empty() && name[0] == '/' ? name.substr(1) : name;
    size_t at = text.rfind('/');
    if (at == std::string::npos)
        at = text.rfind('.');
    *ret_service = at == std::string::npos ? text : text.substr(0, at);
    *ret_method = at == std::string::npos ? "" : text.substr(at + 1);
}

static std::string did_you_mean(const pb_nearest &nearest)
{
    return nearest.best == nullptr ? "" : std::string("; did you mean ") + nearest.best + "?";
}

/* Nobody has the service: the nearest full name, or the one whose last part it is, or all there are. */
static void refuse_service(pb_schema *schema, const std::string &name, squall_error *error)
{
    std::vector<const pb::ServiceDescriptor *> services = schema->services();
    pb_nearest nearest = {name.c_str(), name.size(), nullptr, 0};
    std::string listed;
    for (const pb::ServiceDescriptor *service : services) {
        pb_nearest_offer(&nearest, service->full_name().c_str());
        if (service->name() == name) {
            nearest.best = service->full_name().c_str();
            break;
        }
        if (listed.size() < 200)
            listed += (listed.empty() ? "" : ", ") + service->full_name();
    }
    std::string text = "there is no service \"" + name + "\"";
    if (nearest.best != nullptr)
        text += did_you_mean(nearest);
    else if (!listed.empty())
        text += "; there is " + listed;
    else
        text += ": the files given define none";
    put_error(error, text);
}

static void refuse_method(const pb::ServiceDescriptor *service, const std::string &name, squall_error *error)
{
    pb_nearest nearest = {name.c_str(), name.size(), nullptr, 0};
    std::string listed;
    for (int i = 0; i < service->method_count(); i++) {
        pb_nearest_offer(&nearest, service->method(i)->name().c_str());
        if (listed.size() < 200)
            listed += (listed.empty() ? "" : ", ") + service->method(i)->name();
    }
    std::string text =
        name.empty() ? "service " + service->full_name() + ": name a method, as in " + service->full_name() + "/Method"
                     : "service " + service->full_name() + " has no method \"" + name + "\"";
    text += nearest.best != nullptr ? did_you_mean(nearest) : "; it has " + (listed.empty() ? "none" : listed);
    put_error(error, text);
}

int pb_schema_method(struct pb_schema *schema, const char *name, struct pb_method *ret_method,
                     struct squall_error *error)
{
    try {
        std::string service_name, method_name;
        split_name(name, &service_name, &method_name);
        schema->errors.text.clear();
        const pb::ServiceDescriptor *found = nullptr;
        for (const pb::ServiceDescriptor *service : schema->services()) {
            if (service->full_name() == service_name)
                found = service;
            if (name == service->full_name()) {
                refuse_method(service, "", error);
                return -1;
            }
        }
        if (!schema->errors.text.empty()) { /* a file that cannot be built hides its services */
            put_error(error, schema->errors.text);
            return -1;
        }
        if (found == nullptr && service_name == PB_HEALTH_SERVICE)
            found = schema->pool.FindServiceByName(service_name);
        if (found == nullptr) {
            refuse_service(schema, service_name, error);
            return -1;
        }
        const pb::MethodDescriptor *method = found->FindMethodByName(method_name);
        if (method == nullptr) {
            refuse_method(found, method_name, error);
            return -1;
        }
        schema->method_of(method, ret_method);
        return 0;
    } catch (...) {
        return no_memory(error);
    }
}

const struct pb_type *pb_schema_type(struct pb_schema *schema, const char *full_name)
{
    try {
        const pb::Descriptor *type = schema->pool.FindMessageTypeByName(full_name);
        return type == nullptr ? nullptr : schema->type_of(type);
    } catch (...) {
        return nullptr;
    }
}

int pb_schema_each_method(struct pb_schema *schema, int (*fn)(void *arg, const char *service, const struct pb_method *),
                          void *arg)
{
    try {
        for (const pb::ServiceDescriptor *service : schema->services())
            for (int i = 0; i < service->method_count(); i++) {
                pb_method method;
                schema->method_of(service->method(i), &method);
                int stop = fn(arg, service->full_name().c_str(), &method);
                if (stop != 0)
                    return stop;
            }
        return 0;
    } catch (...) {
        return 0;
    }
}
