/* YAML as a tree of jansson: scalars as YAML 1.2's core schema reads them, aliases written out within limits. */
#include "new_scenario.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64
#define NODES_MAX 500000u

struct converter {
    yaml_document_t *document;
    struct squall_error *error;
    uint32_t nodes;
};

static json_t *fail(struct converter *converter, const char *what, yaml_mark_t mark)
{
    snprintf(converter->error->text, sizeof converter->error->text, "line %zu: %s", mark.line + 1, what);
    return NULL;
}

static json_t *scalar(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    char *end;
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        size_t digits = strspn(text + (*text == '-'), "0123456789");
        if (!*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
            return json_null();
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return json_boolean(*text == 't');
        if (digits && digits < 18 && text[(*text == '-') + digits] == '\0')
            return json_integer(strtoll(text, NULL, 10));
        if (digits && strlen(text) < 40 && text[strspn(text, "0123456789.eE+-")] == '\0') {
            double number = strtod(text, &end);
            if (*end == '\0' && number - number == 0)
                return json_real(number);
        }
    }
    json_t *string = json_stringn(text, node->data.scalar.length);
    return string ? string : json_string("");
}

static json_t *convert(struct converter *converter, int index, int depth)
{
    yaml_node_t *node = yaml_document_get_node(converter->document, index);
    if (!node)
        return json_null();
    if (depth > DEPTH_MAX || ++converter->nodes > NODES_MAX)
        return fail(converter, "nested too deeply, or too much of it with its aliases written out", node->start_mark);
    if (node->type == YAML_SCALAR_NODE)
        return scalar(node);
    if (node->type == YAML_SEQUENCE_NODE) {
        json_t *array = json_array();
        for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
            json_t *value = convert(converter, *item, depth + 1);
            if (!value || json_array_append_new(array, value)) {
                json_decref(array);
                return NULL;
            }
        }
        return array;
    }
    json_t *object = json_object();
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; node->type == YAML_MAPPING_NODE && pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(converter->document, pair->key);
        json_t *value = convert(converter, pair->value, depth + 1);
        if (!value) {
            json_decref(object);
            return NULL;
        }
        if (key && key->type == YAML_SCALAR_NODE && !memchr(key->data.scalar.value, 0, key->data.scalar.length))
            json_object_set_new(object, (const char *)key->data.scalar.value, value); /* one that is no UTF-8 is refused, and freed */
        else
            json_decref(value);
    }
    return object;
}

struct json_t *new_yaml(struct squall_bytes text, struct squall_error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    json_t *tree = NULL;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, text.data ? text.data : (const uint8_t *)"", text.len);
    if (yaml_parser_load(&parser, &document)) {
        struct converter converter = {&document, error, 0};
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root)
            tree = convert(&converter, 1, 0);
        else
            snprintf(error->text, sizeof error->text, "the file is empty");
        yaml_document_delete(&document);
    } else {
        snprintf(error->text, sizeof error->text, "line %zu: this is no YAML: %s", parser.problem_mark.line + 1, parser.problem ? parser.problem : "unknown");
    }
    yaml_parser_delete(&parser);
    return tree;
}
