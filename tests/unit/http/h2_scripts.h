/*
 * Scripts: what a peer sends while two requests, of streams 1 and 3, wait for their answers, and what must be told of it.
 * Each is delivered whole, at every split and byte by byte, and must be told in the same words.
 */
#ifndef TEST_H2_SCRIPTS_H
#define TEST_H2_SCRIPTS_H
#include "h2_peer.h"

#define SETTINGS(peer)               FRAME(peer, NGHTTP2_SETTINGS, 0, 0, TEXT(""))
#define HEAD(peer, flags, id, block) FRAME(peer, NGHTTP2_HEADERS, flags, id, TEXT(block))
#define DATA(peer, flags, id, bytes) FRAME(peer, NGHTTP2_DATA, flags, id, TEXT(bytes))
#define OK_200                       "\x88"

struct script {
    const char *name;
    void (*write)(struct peer *);
    const char *expected;
};

static void run_script(const struct script *script, size_t step, char *ret_trace)
{
    struct peer peer;
    peer_init(&peer, &peer_options);
    SETTINGS(&peer);
    assert_null(h2_send(peer.session));
    assert_null(peer_deliver(&peer, 1));
    assert_string_equal(peer.trace, "capacity(10)");
    assert_null(peer_submit(&peer, 0, (struct h2_request){0}));
    assert_null(peer_submit(&peer, 1, (struct h2_request){0}));
    assert_string_equal(peer.trace, "capacity(10) 1:sent 3:sent");
    peer.trace[0] = '\0';
    script->write(&peer);
    peer_deliver(&peer, step);
    memcpy(ret_trace, peer.trace, TRACE_MAX);
    peer_fini(&peer);
}

static void check_scripts(const struct script *scripts, size_t count)
{
    static char whole[TRACE_MAX], split[TRACE_MAX];
    for (size_t i = 0; i < count; i++) {
        run_script(&scripts[i], SIZE_MAX / 2, whole);
        if (strcmp(whole, scripts[i].expected) != 0)
            fail_msg("%s: %s\n   expected %s", scripts[i].name, whole, scripts[i].expected);
        for (size_t step = 1; step <= 32; step++) {
            run_script(&scripts[i], step, split);
            if (strcmp(split, scripts[i].expected) != 0)
                fail_msg("%s, %zu bytes at a time: %s\n   expected %s", scripts[i].name, step, split,
                         scripts[i].expected);
        }
    }
}

#endif
