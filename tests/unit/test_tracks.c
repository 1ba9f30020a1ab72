/* Addresses and patterns: counted, packed, added up over workers, and joined. Patterns here: "a" is an address, "a*"
 * takes all that begin with a, "!a" is shared. */
#include "metrics/tracks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes text_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

static bool match(const void *arg, const struct track *address, const struct track *pattern, bool *ret_shared)
{
    const char *text = pattern->text;
    size_t len = pattern->len;
    (void)arg;
    *ret_shared = len && *text == '!';
    if (*ret_shared) {
        text++;
        len--;
    }
    if (len && text[len - 1] == '*')
        return address->len >= len - 1 && memcmp(address->text, text, len - 1) == 0;
    return address->len == len && memcmp(address->text, text, len) == 0;
}

/* What another worker makes of it. */
static void carry(const struct tracks *from, struct tracks *into)
{
    struct buffer packed = {0};
    struct error error = {0};
    assert_int_equal(tracks_pack(from, &packed), 0);
    if (tracks_unpack(packed.data, packed.len, 8, into, &error) < 0)
        fail_msg("%s", error.text);
    buffer_fini(&packed);
}

static void send(struct tracks *tracks, uint32_t series, const char *address, uint64_t messages)
{
    tracks_sent(tracks, tracks_address(tracks, series, text_of(address)), messages);
}

static void joined(void **state)
{
    struct tracks one = {0}, other = {0}, all = {0};
    struct deliveries deliveries[8] = {{0}};
    (void)state;
    send(&one, 0, "ab", 10);
    send(&other, 0, "ab", 5);
    send(&other, 1, "ac", 100);
    send(&other, 1, "x", 1000);
    tracks_want(&one, 2, text_of("ab"), true, 1, true);
    tracks_want(&other, 2, text_of("ab"), true, 1, true);
    tracks_want(&other, 3, text_of("a*"), false, 2, true);
    tracks_want(&other, 3, text_of("a*"), false, -1, true);
    tracks_want(&one, 4, text_of("!a*"), false, 3, true);
    tracks_want(&one, 5, text_of("x"), true, 1, false);
    tracks_want(&one, 6, text_of("nobody"), true, 7, true);
    carry(&one, &all);
    carry(&other, &all);
    tracks_join(&all, match, NULL, deliveries);
    assert_false(deliveries[0].wanted);
    assert_int_equal(deliveries[2].expected, 2 * 15);
    assert_int_equal(deliveries[3].expected, 115);
    assert_int_equal(deliveries[4].expected, 115);
    assert_true(deliveries[5].unknown);
    assert_true(deliveries[6].wanted && !deliveries[6].unknown && deliveries[6].expected == 0);
    assert_false(deliveries[2].unknown || deliveries[3].unknown || deliveries[4].unknown);
    tracks_fini(&one);
    tracks_fini(&other);
    tracks_fini(&all);
}

/* Many of both: places stay what they were while the table grows. */
static void many(void **state)
{
    struct tracks tracks = {0}, copy = {0};
    struct deliveries deliveries[8] = {{0}};
    char text[32];
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "topic-%u", i);
        assert_int_equal(tracks_address(&tracks, 0, text_of(text)), 2 * i);
        tracks_want(&tracks, 1, text_of(text), true, 1, true);
        tracks_sent(&tracks, 2 * i, i);
    }
    assert_int_equal(tracks_address(&tracks, 0, text_of("topic-0")), 0);
    carry(&tracks, &copy);
    tracks_join(&copy, match, NULL, deliveries);
    assert_int_equal(deliveries[1].expected, UINT64_C(19999) * 20000 / 2);
    tracks_fini(&tracks);
    tracks_fini(&copy);
}

static void limits(void **state)
{
    struct tracks tracks = {0};
    struct deliveries deliveries[8] = {{0}};
    char text[32];
    (void)state;
    for (uint32_t i = 0; i <= TRACKS_MAX; i++) {
        snprintf(text, sizeof text, "%u", i);
        uint32_t place = tracks_address(&tracks, 0, text_of(text));
        assert_int_equal(place, i < TRACKS_MAX ? i : TRACK_NONE);
    }
    tracks_sent(&tracks, TRACK_NONE, 1);
    assert_int_equal(tracks.refused, 1);
    /* Who is not counted makes everybody's expectation unknown. */
    tracks.list[0].pattern = tracks.list[0].plain = true;
    tracks.patterns = 1;
    tracks_join(&tracks, match, NULL, deliveries);
    assert_true(deliveries[0].unknown);
    tracks_fini(&tracks);
}

static void what_cannot_be_read(void **state)
{
    static const char *const messages[] = {
        "",
        "\x90",
        "\x92\x00\x00",
        "\x96\x00\x09\x00\x01\xa1"
        "a\xc0",
        "\x96\x00\x00\x08\x01\xa1"
        "a\xc0",
        "\x96\x00\x00\x00\x01\xa1"
        "a\x00",
        "\x96\x00\x00\x00\x01\xa9"
        "a\xc0",
        "\x80",
    };
    static const size_t lengths[] = {0, 1, 3, 8, 8, 8, 8, 1};
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct tracks tracks = {0};
        struct error error = {0};
        assert_int_equal(tracks_unpack((const uint8_t *)messages[i], lengths[i], 8, &tracks, &error), -1);
        assert_non_null(strstr(error.text, "cannot be read"));
        tracks_fini(&tracks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined),
        cmocka_unit_test(many),
        cmocka_unit_test(limits),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
