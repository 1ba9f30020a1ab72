/* The rules of messages: RFC 9113 8.1 to 8.3, as far as a client sees them. */
#include "h2_message.h"
#include "h1_scan.h"

#define NAME_IS(name, len, literal) ((len) == sizeof(literal) - 1 && memcmp(name, literal, sizeof(literal) - 1) == 0)

void h2_message_section(struct h2_section *section, const struct h2_stream *stream)
{
    section->in_trailers = stream->status != 0;
    section->interim = section->status_seen = section->regular_seen = false;
    section->fields = section->fields_size = 0;
}

/* ---- fields ------------------------------------------------------------------------------------ */

#if defined(__SSE2__)
/* Bit i: byte i is no small letter and no '-', of which nearly all names are made. */
static unsigned no_small_name(__m128i bytes)
{
    __m128i place = _mm_sub_epi8(bytes, _mm_set1_epi8('a'));
    __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8('z' - 'a')), place);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')))) ^ 0xffffU;
}
#endif

/* A token without capital letters (8.2.1). */
static inline bool is_name(const uint8_t *p, size_t len)
{
#if defined(__SSE2__)
    if (len >= 4) {
        unsigned others = no_small_name(h1_load_some(p, len));
        for (size_t at = 16; at < len; at += 16)
            others |= no_small_name(h1_load_16(p + (at + 16 <= len ? at : len - 16)));
        if (others == 0)
            return true;
    }
#endif
    for (size_t i = 0; i < len; i++)
        if (!h1_is(p[i], H1_TOKEN) || (p[i] >= 'A' && p[i] <= 'Z'))
            return false;
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static const char *take_status(struct h2_section *section, struct h2_stream *stream, const uint8_t *value, size_t len)
{
    if (section->in_trailers)
        return "a pseudo-header field in the trailers";
    if (section->status_seen || section->regular_seen)
        return ":status is given twice, or behind other fields";
    if (len != 3 || value[0] < '1' || value[0] > '9' || value[1] < '0' || value[1] > '9' || value[2] < '0' ||
        value[2] > '9')
        return ":status is no code of three digits";
    uint16_t status = (uint16_t)((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
    if (status == 101)
        return "101 Switching Protocols, which HTTP/2 does not have";
    section->status_seen = true;
    section->interim = status < 200;
    if (!section->interim)
        stream->status = status;
    return NULL;
}

static const char *take_length(struct h2_stream *stream, const uint8_t *value, size_t len)
{
    uint64_t length = 0;
    if (len == 0 || len > 18)
        return "content-length is no number, or too large";
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return "content-length is no number, or too large";
        length = length * 10 + (uint64_t)(value[i] - '0');
    }
    if (stream->has_length && stream->length != length)
        return "two different lengths";
    stream->has_length = true;
    stream->length = length;
    return NULL;
}

/* What belongs to a connection of HTTP/1.1 (8.2.2). */
static bool of_connection(const uint8_t *name, size_t len)
{
    static const uint32_t lengths = 1u << 7 | 1u << 10 | 1u << 16 | 1u << 17; /* of all that are looked for */
    if (len > 17 || (lengths >> len & 1) == 0)
        return false;
    return NAME_IS(name, len, "upgrade") || NAME_IS(name, len, "connection") || NAME_IS(name, len, "keep-alive") ||
           NAME_IS(name, len, "proxy-connection") || NAME_IS(name, len, "transfer-encoding");
}

const char *h2_message_field(struct h2_section *section, struct h2_stream *stream, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len)
{
    if (name_len == 0)
        return "a header field without a name";
    if (name[0] == ':')
        return NAME_IS(name, name_len, ":status") ? take_status(section, stream, value, value_len)
                                                  : "a pseudo-header field that answers do not have";
    section->regular_seen = true;
    if (!is_name(name, name_len))
        return "a header field's name holds a capital letter, or what names cannot hold";
    if (!h1_all(value, value_len, H1_TEXT))
        return "a header field's value holds a control character";
    if (value_len > 0 && (is_blank(value[0]) || is_blank(value[value_len - 1])))
        return "a header field's value begins or ends with white space";
    if (of_connection(name, name_len))
        return "a header field that belongs to a connection of HTTP/1.1";
    if (name_len == 14 && !section->interim && !section->in_trailers && NAME_IS(name, name_len, "content-length"))
        return take_length(stream, value, value_len);
    return NULL;
}

/* ---- what follows ------------------------------------------------------------------------------ */

const char *h2_message_head(const struct h2_section *section, struct h2_stream *stream, bool ends)
{
    if (section->in_trailers)
        return ends ? NULL : "trailers that do not end the stream";
    if (!section->status_seen)
        return "a head without :status";
    if (section->interim)
        return ends ? "an interim head that ends the stream" : NULL;
    /* These have no content, whatever their length says (RFC 9110 6.4.1, 8.6). */
    if (stream->answer == H2_ANSWER_HEAD || stream->status == 204 || stream->status == 304) {
        stream->has_length = true;
        stream->length = 0;
    }
    return NULL;
}

const char *h2_message_data(struct h2_stream *stream, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    if (stream->status == 0)
        return "DATA before the final head";
    uint64_t left = stream->length - stream->body_in;
    *ret_len = stream->has_length && len > left ? (size_t)left : len;
    stream->body_in += len;
    return *ret_len < len ? "a body that is longer than its content-length, or that the answer cannot have" : NULL;
}

const char *h2_message_end(const struct h2_stream *stream)
{
    if (stream->has_length && stream->body_in < stream->length)
        return "a body that is shorter than its content-length";
    return NULL;
}
