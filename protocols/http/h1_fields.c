/*
 * Content-Length, Transfer-Encoding and Connection: lists of RFC 9110 5.6.1, where empty elements count for nothing and
 * several fields of one name are one list.
 */
#include "h1_fields.h"
#include "h1_scan.h"

static const uint8_t *skip_blank(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

/* The next element's first byte, or end. */
static const uint8_t *next_element(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
        p++;
    return p;
}

const char *h1_content_length(struct h1_reader *reader, const uint8_t *value, const uint8_t *end)
{
    const uint64_t max = INT64_MAX;
    const uint8_t *p = next_element(value, end);
    if (p == end)
        return "Content-Length without a number";
    while (p < end) {
        uint64_t length = 0;
        if (*p < '0' || *p > '9')
            return "Content-Length is no number";
        for (; p < end && *p >= '0' && *p <= '9'; p++) {
            uint64_t digit = (uint64_t)(*p - '0');
            if (length >= max / 10 && (length > max / 10 || digit > max % 10))
                return "Content-Length too large";
            length = length * 10 + digit;
        }
        p = skip_blank(p, end);
        if (p < end && *p != ',')
            return "Content-Length is no number";
        if ((reader->seen & H1_SEEN_LENGTH) && reader->content_length != length)
            return "Content-Length given twice with different values";
        reader->content_length = length;
        reader->seen |= H1_SEEN_LENGTH;
        p = next_element(p, end);
    }
    return NULL;
}

/* Behind a coding's parameters: the list's next comma outside a quoted string. */
static const uint8_t *skip_parameters(const uint8_t *p, const uint8_t *end)
{
    bool quoted = false;
    for (; p < end && (quoted || *p != ','); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < end)
            p++;
    }
    return p;
}

const char *h1_transfer_encoding(struct h1_reader *reader, const uint8_t *value, const uint8_t *end)
{
    const uint8_t *p = next_element(value, end);
    if (p == end)
        return "Transfer-Encoding without a coding";
    while (p < end) {
        const uint8_t *coding = p;
        p = h1_scan_token(p, end);
        size_t len = (size_t)(p - coding);
        p = skip_blank(p, end);
        if (len == 0 || (p < end && *p != ',' && *p != ';'))
            return "Transfer-Encoding is no list of codings";
        reader->seen = (uint8_t)((reader->seen | H1_SEEN_CODING) & ~H1_SEEN_CHUNKED_LAST);
        if (h1_token_is(coding, len, "chunked", 7)) {
            if (p < end && *p == ';')
                return "the chunked coding with parameters";
            if (reader->seen & H1_SEEN_CHUNKED)
                return "the chunked coding applied twice";
            reader->seen |= H1_SEEN_CHUNKED | H1_SEEN_CHUNKED_LAST;
        }
        p = next_element(skip_parameters(p, end), end);
    }
    return NULL;
}

unsigned h1_connection_options(const uint8_t *value, const uint8_t *end)
{
    unsigned options = 0;
    for (const uint8_t *p = next_element(value, end); p < end;) {
        const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
        const uint8_t *option_end = comma != NULL ? comma : end;
        while (option_end[-1] == ' ' || option_end[-1] == '\t') /* p itself is neither */
            option_end--;
        size_t len = (size_t)(option_end - p);
        if (len == 10 && H1_IS_8(p, "keep-ali") && H1_IS_8(p + 2, "ep-alive"))
            options |= H1_SEEN_KEEP_ALIVE;
        else if (h1_token_is(p, len, "close", 5))
            options |= H1_SEEN_CLOSE;
        p = comma != NULL ? next_element(comma, end) : end;
    }
    return options;
}

void h1_connection(struct h1_reader *reader, const uint8_t *value, const uint8_t *end)
{
    reader->seen = (uint8_t)(reader->seen | h1_connection_options(value, end));
}
