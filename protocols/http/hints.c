/* See hints.h. */
#include "hints.h"
#include <stddef.h>

static const char word[] = "HTTPS";
#define WORD_LEN (sizeof word - 1)

/* A record of TLS begins with its type: an alert, or a handshake (RFC 8446 5.1). A frame of HTTP/2 begins with the
 * three bytes of its length, of which the first is 0 below 64 KiB, as every server's first frame is (RFC 9113 4.1). */
const char *http_hint_first_byte(uint8_t byte)
{
    switch (byte) {
    case 0x15:
    case 0x16:
        return "not an HTTP/1.x answer: it begins like TLS; try https://";
    case 0x00:
        return "not an HTTP/1.x answer: it begins like HTTP/2; try --h2 (in a target, http: h2)";
    default:
        return NULL;
    }
}

void http_hint_look(struct http_hint_search *search, struct squall_bytes body)
{
    for (uint64_t i = 0; i < body.len && search->matched < WORD_LEN && search->looked_at < HTTP_HINT_BYTES; i++) {
        char letter = (char)body.data[i];
        search->looked_at++;
        /* The word's first letter does not come again in it: a search that fails begins anew there and nowhere else. */
        if (letter == word[search->matched])
            search->matched++;
        else
            search->matched = letter == word[0];
    }
}

const char *http_hint_found(const struct http_hint_search *search)
{
    return search->matched == WORD_LEN ? "400 Bad Request, with a text that speaks of HTTPS; try https://" : NULL;
}
