/*
 * The JSON Schema of scenarios (draft 7, which YAML language servers speak), from the rows of keys.c and the tables of
 * the plugins that there are. It says what stands where and of which kind; what a value means only the loader can tell.
 */
#include "scenario/schema.h"
#include "scenario/keys.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REF(name) "{\"$ref\": \"#/definitions/" name "\"}"
/* What is written with ${...} is known when the scenario is loaded. */
#define TEMPLATE "{\"type\": \"string\", \"pattern\": \"[$][{]\"}"

/* Kinds of values that key_rows name. */
static const struct {
    const char *name, *json;
} definitions[] = {
    {"text", "{\"type\": [\"string\", \"number\", \"boolean\"]}"},
    {"number", "{\"type\": [\"string\", \"number\"]}"},
    {"truth", "{\"anyOf\": [{\"type\": \"boolean\"}, {\"enum\": [\"true\", \"false\"]}, " TEMPLATE "]}"},
    {"count", "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": \"string\", \"pattern\": "
              "\"^[0-9][0-9_.]*[kMG]?$\"}, " TEMPLATE "]}"},
    {"duration",
     "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": \"string\", \"pattern\": \"^[0-9]\"}, " TEMPLATE
     "]}"},
    {"rate", "{\"anyOf\": [{\"type\": \"number\", \"minimum\": 0}, {\"type\": \"string\", \"pattern\": "
             "\"^[0-9.]+[kMG]?(/[smh])?$\"}, " TEMPLATE "]}"},
    {"level",
     "{\"anyOf\": [{\"type\": \"number\", \"minimum\": 0}, {\"type\": \"string\", \"pattern\": \"^[0-9]\"}, " TEMPLATE
     "]}"},
    {"names", "{\"anyOf\": [" REF("text") ", {\"type\": \"array\", \"items\": " REF("text") "}]}"},
    {"values",
     "{\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}}"},
    {"check", "{\"anyOf\": [" REF("text") ", {\"type\": \"object\", \"additionalProperties\": " REF("text") "}]}"},
    {"ready", "{\"anyOf\": [" REF("truth") ", " REF("duration") "]}"},
    {"targets",
     "{\"type\": \"object\", \"additionalProperties\": {\"anyOf\": [{\"type\": \"string\"}, " REF("target") "]}}"},
    {"data",
     "{\"type\": \"object\", \"additionalProperties\": {\"anyOf\": [{\"type\": \"string\"}, " REF("feed") "]}}"},
    {"users", "{\"type\": \"object\", \"additionalProperties\": " REF("class") "}"},
    {"flows", "{\"type\": \"object\", \"additionalProperties\": " REF("flow") "}"},
    {"flow", "{\"type\": \"array\", \"minItems\": 1, \"items\": " REF("entry") "}"},
    {"branches", "{\"type\": \"array\", \"minItems\": 1, \"items\": " REF("branch") "}"},
    {"stages", "{\"anyOf\": [{\"type\": \"array\", \"minItems\": 1, \"items\": " REF("stage") "}, " REF(
                   "preset") ", " REF("shape") "]}"},
    {"load",
     "{\"anyOf\": [" REF("stages") ", " REF("one load") ", {\"type\": \"object\", \"additionalProperties\": "
                                                        "{\"anyOf\": [" REF("stages") ", " REF("one load") "]}}]}"},
    {"thresholds", "{\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": \"string\"}, " REF(
                       "when") ", {\"type\": \"object\", \"maxProperties\": 1, "
                               "\"additionalProperties\": {\"anyOf\": [{\"type\": \"string\"}, " REF("when") "]}}]}}"},
};

/* Parts that have a definition of their own, and the key that must be there. */
static const struct {
    enum key_part part;
    const char *name, *required;
} parts[] = {
    {PART_TARGET, "target", "url"},    {PART_TLS, "tls", NULL},     {PART_FEED, "feed", NULL},
    {PART_LOAD, "one load", "stages"}, {PART_STAGE, "stage", NULL}, {PART_PRESET, "preset", "preset"},
    {PART_SHAPE, "shape", "shape"},    {PART_CLASS, "class", NULL}, {PART_BRANCH, "branch", "flow"},
    {PART_WHEN, "when", "when"},
};

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        abort(); /* a row above is no JSON: no build passes its tests with that */
    return json;
}

static json_t *reference(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "#/definitions/%s", name);
    return json_pack("{ss}", "$ref", path);
}

/* A reference has no room for a description beside it. */
static json_t *described(json_t *value, const char *help)
{
    json_t *schema = json_object_get(value, "$ref") ? json_pack("{s[o]}", "allOf", value) : value;
    if (help)
        json_object_set_new(schema, "description", json_string(help));
    return schema;
}

static void add_keys(json_t *properties, enum key_part part)
{
    for (uint32_t i = 0; i < key_row_count; i++) {
        const struct key_row *row = &key_rows[i];
        if (row->part == part)
            json_object_set_new(properties, row->key,
                                described(row->value[0] == '{' ? parse(row->value) : reference(row->value), row->help));
    }
}

static json_t *closed_object(json_t *properties, const char *required)
{
    json_t *schema = json_pack("{ss so sb}", "type", "object", "properties", properties, "additionalProperties", 0);
    if (required)
        json_object_set_new(schema, "required", json_pack("[s]", required));
    return schema;
}

static json_t *part_schema(enum key_part part, const char *required)
{
    json_t *properties = json_object();
    add_keys(properties, part);
    return closed_object(properties, required);
}

/* ---- options of protocols ---- */

static void add_number(json_t *words, const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (end > text && *end == '\0')
        json_array_append_new(words, number < 1e9 && number > -1e9 && floor(number) == number
                                         ? json_integer((json_int_t)number)
                                         : json_real(number));
}

static json_t *option_schema(const struct squall_option *row)
{
    static const char *const kinds[] = {
        [SQUALL_STRING] = "text", [SQUALL_UINT] = "number", [SQUALL_DURATION] = "duration",
        [SQUALL_SIZE] = "number", [SQUALL_BOOL] = "truth",  [SQUALL_MAP] = "values"};
    json_t *schema;
    if (row->type == SQUALL_CHOICE) {
        json_t *words = json_array();
        for (uint32_t i = 0; row->choices[i]; i++) {
            json_array_append_new(words, json_string(row->choices[i]));
            add_number(words, row->choices[i]); /* YAML reads a word such as 5 as one */
        }
        schema = json_pack("{s[{so}o]}", "anyOf", "enum", words, parse(TEMPLATE));
    } else if (row->type == SQUALL_TREE) {
        schema = json_object();
    } else {
        schema = reference(kinds[row->type]);
    }
    schema = described(schema, row->help);
    if (row->fallback && row->fallback[0])
        json_object_set_new(schema, "default", json_string(row->fallback));
    return schema;
}

/* Options of the same name of several protocols: any of them fits. */
static void add_options(json_t *properties, const struct squall_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_option *row = protocol_option(table, i);
        json_t *before = json_object_get(properties, row->name);
        if (before)
            json_object_set_new(properties, row->name, json_pack("{s[Oo]}", "anyOf", before, option_schema(row)));
        else
            json_object_set_new(properties, row->name, option_schema(row));
    }
}

static json_t *step_schema(const struct protocol *protocol)
{
    json_t *properties = json_object(), *words = parse("{\"type\": [\"string\", \"null\"]}");
    json_object_set_new(words, "description",
                        json_string(protocol->abi.summary ? protocol->abi.summary : protocol->name));
    json_object_set_new(properties, protocol->name, words);
    add_options(properties, &protocol->abi.step_options);
    json_t *own = json_object();
    add_keys(own, PART_STEP);
    json_object_update_missing(properties, own);
    json_decref(own);
    return closed_object(properties, protocol->name);
}

static json_t *entry_schema(const struct protocol_registry *registry)
{
    json_t *kinds = json_array();
    for (uint32_t i = 0; i < registry->count; i++) {
        char name[100];
        snprintf(name, sizeof name, "step of %s", registry->protocols[i]->name);
        json_array_append_new(kinds, reference(name));
    }
    for (int part = PART_FIRST_ENTRY; part < PART_COUNT; part++)
        json_array_append_new(kinds, part_schema((enum key_part)part, keys_of((enum key_part)part)[0]));
    return json_pack("{so}", "anyOf", kinds);
}

void schema_print(const struct protocol_registry *registry, struct buffer *out)
{
    json_t *all = json_object(), *root = part_schema(PART_ROOT, "squall");
    for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++)
        json_object_set_new(all, definitions[i].name, parse(definitions[i].json));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        json_object_set_new(all, parts[i].name, part_schema(parts[i].part, parts[i].required));
    for (uint32_t i = 0; i < registry->count; i++) {
        const struct protocol *protocol = registry->protocols[i];
        char name[100];
        snprintf(name, sizeof name, "step of %s", protocol->name);
        json_object_set_new(all, name, step_schema(protocol));
        add_options(json_object_get(json_object_get(all, "target"), "properties"), &protocol->abi.target_options);
    }
    json_object_set_new(all, "entry", entry_schema(registry));
    json_object_set_new(root, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    json_object_set_new(root, "title", json_string("a scenario of squall"));
    json_object_set_new(root, "definitions", all);
    char *text = json_dumps(root, JSON_INDENT(2));
    buffer_append(out, text, strlen(text));
    buffer_append(out, "\n", 1);
    free(text);
    json_decref(root);
}
