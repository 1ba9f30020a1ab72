/*
 * grpc_message_tool FILE.proto: the message library by lines, for comparing it with another one.
 *   in   encode TYPE JSON      out  ok HEX, or error TEXT
 *   in   holes TYPE JSON       the same with every scalar a hole
 *   in   decode TYPE HEX       out  ok JSON, or error TEXT
 */
#include "decode.h"
#include "holes.h"
#include "schema.h"
#include "template.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_hex(const uint8_t *bytes, size_t len)
{
    printf("ok ");
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static void encode(const struct pb_type *type, const char *text, int with_holes)
{
    static struct squall_hole holes[HOLES_MAX];
    struct squall_error error;
    size_t count = with_holes ? find_holes(text, holes) : 0, culprit = 0;
    struct pb_template *template = pb_template_new(type, text, strlen(text), holes, count, &error);
    if (template == NULL) {
        printf("error %s\n", error.text);
        return;
    }
    size_t room = pb_template_room(template, holes);
    uint8_t *memory = malloc(room + 1);
    struct pb_out out = {memory, memory + room, memory + room};
    const char *reason = memory == NULL ? "no memory" : pb_template_write(template, text, holes, &out, &culprit);
    if (reason != NULL)
        printf("error %s: %s\n", pb_template_path(template, culprit), reason);
    else
        print_hex(out.at, (size_t)(out.end - out.at));
    free(memory);
    pb_template_free(template);
}

static void decode(const struct pb_type *type, const char *hex)
{
    struct pb_decoder decoder = {0};
    struct pb_text text = {.limit = 1 << 20};
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; bytes != NULL && i < len; i++) {
        unsigned byte = 0;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (uint8_t)byte;
    }
    const char *reason = bytes == NULL ? "no memory" : pb_decode(&decoder, type, bytes, len, &text);
    printf("%s %s\n", reason == NULL ? "ok" : "error", reason == NULL ? text.data : reason);
    free(bytes);
    pb_decoder_fini(&decoder);
    pb_text_fini(&text);
}

int main(int argc, char **argv)
{
    static char line[1 << 20];
    struct squall_error error;
    struct pb_schema *schema = pb_schema_new();
    if (argc != 2 || schema == NULL || pb_schema_add_proto(schema, argv[1], &error) < 0) {
        fprintf(stderr, "usage: grpc_message_tool FILE.proto: %s\n", argc == 2 ? error.text : "one file");
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *verb = line, *name = strchr(line, ' ');
        char *rest = name == NULL ? NULL : strchr(name + 1, ' ');
        if (rest == NULL)
            return 2;
        *name++ = *rest++ = '\0';
        const struct pb_type *type = pb_schema_type(schema, name);
        if (type == NULL)
            printf("error no such type\n");
        else if (strcmp(verb, "decode") == 0)
            decode(type, rest);
        else
            encode(type, rest, strcmp(verb, "holes") == 0);
        fflush(stdout);
    }
    pb_schema_free(schema);
    return 0;
}
