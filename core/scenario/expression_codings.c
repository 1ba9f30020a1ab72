/*
 * Functions of the expression language that write bytes another way: hexadecimal, base64 (RFC 4648), percent-encoding
 * (RFC 3986, section 2.1), digests. The digest context is made once a thread and used again, so that a digest in
 * a steady run allocates nothing.
 */
#include "scenario/expression_functions.h"
#include <openssl/evp.h>
#include <string.h>

#define BLOCK_SIZE 64u /* of SHA-256's input, RFC 2104 */

static const char hex_digits[] = "0123456789abcdef";

static void hex_of(const uint8_t *data, uint64_t len, const struct eval *eval, struct value *ret)
{
    uint8_t *text = arena_alloc(eval->scratch, 2 * len + 1);
    for (uint64_t i = 0; i < len; i++) {
        text[2 * i] = (uint8_t)hex_digits[data[i] >> 4];
        text[2 * i + 1] = (uint8_t)hex_digits[data[i] & 15];
    }
    set_string(ret, text, 2 * len);
}

EVALUATOR_OF(hex)
{
    UNUSED;
    if (are_strings(a, 1) && a->string.len <= TEXT_MAX)
        hex_of(a->string.data, a->string.len, eval, ret);
}

EVALUATOR_OF(base64)
{
    UNUSED;
    if (!are_strings(a, 1) || a->string.len > TEXT_MAX)
        return;
    uint8_t *text = arena_alloc(eval->scratch, (a->string.len + 2) / 3 * 4 + 1);
    int len = EVP_EncodeBlock(text, a->string.data, (int)a->string.len);
    set_string(ret, text, (uint64_t)len);
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, with or without padding: tokens in the wild come in all four. */
EVALUATOR_OF(base64_decode)
{
    UNUSED;
    if (!are_strings(a, 1) || a->string.len > TEXT_MAX)
        return;
    uint64_t len = a->string.len, made = 0;
    while (len && a->string.len - len < 2 && a->string.data[len - 1] == '=')
        len--;
    if (len % 4 == 1)
        return;
    uint8_t *out = arena_alloc(eval->scratch, len + 1);
    uint32_t bits = 0, held = 0;
    for (uint64_t i = 0; i < len; i++) {
        int digit = base64_digit(a->string.data[i]);
        if (digit < 0)
            return;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[made++] = (uint8_t)(bits >> held);
        }
    }
    set_string(ret, out, made);
}

static bool unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* Numbers too: "?page=${url_encode(page)}". */
EVALUATOR_OF(url_encode)
{
    UNUSED;
    struct squall_bytes text = value_text(a, eval->scratch);
    if (a->type == VALUE_NULL || text.len > TEXT_MAX)
        return;
    uint8_t *out = arena_alloc(eval->scratch, 3 * text.len + 1);
    uint64_t len = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (unreserved(c)) {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = (uint8_t)(hex_digits[c >> 4] & ~(hex_digits[c >> 4] >= 'a' ? 32 : 0));
        out[len++] = (uint8_t)(hex_digits[c & 15] & ~(hex_digits[c & 15] >= 'a' ? 32 : 0));
    }
    set_string(ret, out, len);
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

EVALUATOR_OF(url_decode)
{
    UNUSED;
    if (!are_strings(a, 1))
        return;
    const uint8_t *in = a->string.data;
    uint64_t in_len = a->string.len, len = 0;
    uint8_t *out = arena_alloc(eval->scratch, in_len + 1);
    for (uint64_t i = 0; i < in_len; i++) {
        int high = in[i] == '%' && i + 2 < in_len ? hex_digit(in[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in[i + 2]) : -1;
        if (low >= 0) {
            out[len++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = in[i] == '+' ? ' ' : in[i];
        }
    }
    set_string(ret, out, len);
}

/* ---- Digests ---- */

struct piece {
    const uint8_t *data;
    uint64_t len;
};

static uint32_t digest(const EVP_MD *kind, const struct piece *pieces, uint32_t count, uint8_t *out)
{
    static _Thread_local EVP_MD_CTX *context;
    unsigned len = 0;
    if (!context)
        context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, kind, NULL))
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (!EVP_DigestUpdate(context, pieces[i].data, pieces[i].len))
            return 0;
    return EVP_DigestFinal_ex(context, out, &len) ? len : 0;
}

static void digest_of(const EVP_MD *kind, const struct eval *eval, const struct value *a, struct value *ret)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    if (!are_strings(a, 1))
        return;
    struct piece piece = {a->string.data, a->string.len};
    uint32_t len = digest(kind, &piece, 1, out);
    if (len)
        hex_of(out, len, eval, ret);
}

EVALUATOR_OF(md5)
{
    UNUSED;
    digest_of(EVP_md5(), eval, a, ret);
}

EVALUATOR_OF(sha1)
{
    UNUSED;
    digest_of(EVP_sha1(), eval, a, ret);
}

EVALUATOR_OF(sha256)
{
    UNUSED;
    digest_of(EVP_sha256(), eval, a, ret);
}

/* RFC 2104, by hand: OpenSSL's own allocates for every call. */
EVALUATOR_OF(hmac_sha256)
{
    UNUSED;
    uint8_t key[BLOCK_SIZE] = {0}, inner[BLOCK_SIZE], outer[BLOCK_SIZE], out[EVP_MAX_MD_SIZE];
    if (!are_strings(a, 2))
        return;
    struct piece whole = {a[0].string.data, a[0].string.len};
    if (whole.len > BLOCK_SIZE)
        digest(EVP_sha256(), &whole, 1, key);
    else if (whole.len)
        memcpy(key, whole.data, whole.len);
    for (uint32_t i = 0; i < BLOCK_SIZE; i++) {
        inner[i] = key[i] ^ 0x36;
        outer[i] = key[i] ^ 0x5c;
    }
    struct piece first[] = {{inner, BLOCK_SIZE}, {a[1].string.data, a[1].string.len}};
    uint32_t len = digest(EVP_sha256(), first, 2, out);
    struct piece second[] = {{outer, BLOCK_SIZE}, {out, len}};
    len = digest(EVP_sha256(), second, 2, out);
    if (len)
        hex_of(out, len, eval, ret);
}
