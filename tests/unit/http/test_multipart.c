/* Bodies of forms, byte for byte. */
#include "multipart.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static char *joined(const struct squall_map *parts)
{
    uint8_t *room = malloc(multipart_room(parts));
    struct squall_bytes *pieces = calloc(multipart_count(parts), sizeof *pieces);
    uint64_t len = multipart_make(parts, room, pieces), at = 0;
    char *text = calloc(1, len + 1);
    for (uint64_t i = 0; i < multipart_count(parts); i++) {
        memcpy(text + at, pieces[i].data, pieces[i].len);
        at += pieces[i].len;
    }
    assert_int_equal(at, len);
    free(pieces);
    free(room);
    return text;
}

#define B "------squall-6b1f0d5e93a7c248-form"

static void test_parts(void **state)
{
    (void)state;
    const struct squall_pair pairs[] = {
        {.name = bytes("note"), .value = bytes("hi\r\nthere")},
        {.name = bytes("a \"b\"\r\n"), .value = bytes("<png>"), .file = bytes("x\".png;type=image/png")},
        {.name = bytes("c"), .value = bytes(""), .file = bytes("raw")},
        {.name = bytes("d"), .value = bytes("x"), .file = bytes("y;other")},
    };
    struct squall_map parts = {pairs, 4};
    char *text = joined(&parts);
    assert_string_equal(text,
                        B "\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\nthere\r\n" B
                          "\r\nContent-Disposition: form-data; name=\"a %22b%22%0D%0A\"; filename=\"x%22.png\"\r\n"
                          "Content-Type: image/png\r\n\r\n<png>\r\n" B
                          "\r\nContent-Disposition: form-data; name=\"c\"; filename=\"raw\"\r\n"
                          "Content-Type: application/octet-stream\r\n\r\n\r\n" B
                          "\r\nContent-Disposition: form-data; name=\"d\"; filename=\"y\"\r\n"
                          "Content-Type: application/octet-stream\r\n\r\nx\r\n" B "--\r\n");
    free(text);
    parts.count = 0;
    text = joined(&parts);
    assert_string_equal(text, B "--\r\n");
    free(text);
}

static void test_check(void **state)
{
    (void)state;
    struct squall_pair pair = {.name = bytes("a"), .value = bytes("x" MULTIPART_BOUNDARY "y")};
    struct squall_map parts = {&pair, 1};
    assert_non_null(multipart_check(&parts));
    pair.value = bytes("x");
    assert_null(multipart_check(&parts));
    pair.file = bytes("f;type=a\r\nb");
    assert_non_null(multipart_check(&parts));
}

static void test_form(void **state)
{
    (void)state;
    const struct squall_pair pairs[] = {{.name = bytes("a b"), .value = bytes("1&2=3")},
                                        {.name = bytes("\xc3\xa4"), .value = bytes("*-._~+%")},
                                        {.name = bytes("e"), .value = bytes("")}};
    struct squall_map fields = {pairs, 3};
    char text[200] = "";
    uint64_t len = form_write(&fields, (uint8_t *)text);
    assert_true(len <= form_size(&fields));
    assert_string_equal(text, "a+b=1%262%3D3&%C3%A4=*-._%7E%2B%25&e=");
    fields.count = 0;
    assert_int_equal(form_size(&fields), 0);
    assert_int_equal(form_write(&fields, (uint8_t *)text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_check),
                                       cmocka_unit_test(test_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
