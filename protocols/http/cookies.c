/* Cookies of one user. See cookies.h. What must stay true: `list` holds no two cookies of one name, domain and path. */
#include "cookies.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ATTRIBUTE_MAX 1024u /* bytes of an attribute's value that is looked at; a longer one is ignored */

/* ---- texts ---- */

static struct squall_bytes slice(struct squall_bytes text, uint64_t from, uint64_t to)
{
    return (struct squall_bytes){text.data + from, to - from};
}

static struct squall_bytes trimmed(struct squall_bytes text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice(text, 1, text.len);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static uint64_t find(struct squall_bytes text, char byte)
{
    const uint8_t *at = text.len ? memchr(text.data, byte, text.len) : NULL;
    return at ? (uint64_t)(at - text.data) : text.len;
}

static bool is_word(struct squall_bytes text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

static bool same(struct squall_bytes a, struct squall_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct squall_bytes name_of(const struct cookie *cookie)
{
    return (struct squall_bytes){(const uint8_t *)cookie->text, cookie->name_len};
}
static struct squall_bytes value_of(const struct cookie *cookie)
{
    return (struct squall_bytes){(const uint8_t *)cookie->text + cookie->name_len, cookie->value_len};
}
static struct squall_bytes domain_of(const struct cookie *cookie)
{
    return (struct squall_bytes){(const uint8_t *)cookie->text + cookie->name_len + cookie->value_len,
                                 cookie->domain_len};
}
static struct squall_bytes path_of(const struct cookie *cookie)
{
    struct squall_bytes domain = domain_of(cookie);
    return (struct squall_bytes){domain.data + domain.len, cookie->path_len};
}

/* ---- matching ---- */

static bool is_address(struct squall_bytes host)
{
    if (find(host, ':') < host.len)
        return true;
    for (uint64_t i = 0; i < host.len; i++)
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    return host.len > 0;
}

/* 5.1.3 */
static bool domain_matches(struct squall_bytes host, struct squall_bytes domain)
{
    if (host.len < domain.len ||
        strncasecmp((const char *)host.data + host.len - domain.len, (const char *)domain.data, domain.len) != 0)
        return false;
    return host.len == domain.len || (host.data[host.len - domain.len - 1] == '.' && !is_address(host));
}

/* 5.1.4 */
static bool path_matches(struct squall_bytes path, struct squall_bytes cookie_path)
{
    if (path.len < cookie_path.len || memcmp(path.data, cookie_path.data, cookie_path.len) != 0)
        return false;
    return path.len == cookie_path.len || cookie_path.data[cookie_path.len - 1] == '/' ||
           path.data[cookie_path.len] == '/';
}

static struct squall_bytes without_query(struct squall_bytes path)
{
    path.len = find(path, '?');
    return path;
}

/* 5.1.4: all up to the last slash. */
static struct squall_bytes default_path(struct squall_bytes path)
{
    static const uint8_t root[] = "/";
    path = without_query(path);
    uint64_t last = path.len;
    while (last > 0 && path.data[last - 1] != '/')
        last--;
    if (path.len == 0 || path.data[0] != '/' || last <= 1)
        return (struct squall_bytes){root, 1};
    return slice(path, 0, last - 1);
}

static bool applies(const struct cookie *cookie, const struct cookie_place *place)
{
    struct squall_bytes path = without_query(place->path);
    bool host = cookie->host_only ? place->host.len == cookie->domain_len &&
                                        strncasecmp((const char *)place->host.data,
                                                    (const char *)domain_of(cookie).data, place->host.len) == 0
                                  : domain_matches(place->host, domain_of(cookie));
    return host && path_matches(path, path_of(cookie)) && (!cookie->secure || place->secure) &&
           cookie->expires_s > place->now_s;
}

/* ---- keeping ---- */

static void remove_at(struct cookies *cookies, uint32_t i)
{
    free(cookies->list[i].text);
    memmove(&cookies->list[i], &cookies->list[i + 1], (cookies->count - i - 1) * sizeof cookies->list[0]);
    cookies->count--;
}

void cookies_fini(struct cookies *cookies)
{
    while (cookies->count)
        remove_at(cookies, cookies->count - 1);
    free(cookies->list);
    *cookies = (struct cookies){0};
}

/* What a Set-Cookie field says. */
struct parsed {
    struct squall_bytes name, value, domain, path;
    bool secure, host_only, max_age_given;
    uint64_t expires_s;
};

/* 5.2.2: digits alone, or a minus before them: expired. */
static void read_max_age(struct parsed *parsed, struct squall_bytes text, uint64_t now_s)
{
    uint64_t seconds = 0;
    bool negative = text.len && text.data[0] == '-';
    if (text.len == negative)
        return;
    for (uint64_t i = negative; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return;
        if (seconds < UINT64_C(1) << 40)
            seconds = seconds * 10 + (uint64_t)(text.data[i] - '0');
    }
    parsed->max_age_given = true;
    parsed->expires_s = negative || seconds == 0 ? 0 : now_s + seconds;
}

/* 5.2.1, by the server's own clock. */
static void read_expires(struct parsed *parsed, struct squall_bytes text, struct squall_bytes date, uint64_t now_s)
{
    const int64_t long_ago_s = INT64_C(315532800); /* 1980 */
    int64_t expires_s = cookie_date(text), date_s = cookie_date(date);
    if (parsed->max_age_given || expires_s < 0)
        return; /* Max-Age has precedence, 5.3 */
    if (date_s < 0)
        parsed->expires_s = expires_s < long_ago_s ? 0 : UINT64_MAX;
    else
        parsed->expires_s = expires_s <= date_s ? 0 : now_s + (uint64_t)(expires_s - date_s);
}

static void read_attribute(struct parsed *parsed, struct squall_bytes text, const struct cookie_place *place,
                           struct squall_bytes date)
{
    uint64_t equals = find(text, '=');
    struct squall_bytes name = trimmed(slice(text, 0, equals));
    struct squall_bytes value =
        trimmed(equals < text.len ? slice(text, equals + 1, text.len) : slice(text, text.len, text.len));
    if (value.len > ATTRIBUTE_MAX)
        return;
    if (is_word(name, "max-age"))
        read_max_age(parsed, value, place->now_s);
    else if (is_word(name, "expires"))
        read_expires(parsed, value, date, place->now_s);
    else if (is_word(name, "domain") && value.len)
        parsed->domain = value.data[0] == '.' ? slice(value, 1, value.len) : value;
    else if (is_word(name, "path"))
        parsed->path = value.len && value.data[0] == '/' ? value : slice(value, 0, 0);
    else if (is_word(name, "secure"))
        parsed->secure = true;
}

/* It goes back in a header field. */
static bool sendable(struct squall_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 127)
            return false;
    return true;
}

/* False: the field sets no cookie, or one that this place may not set (5.3). */
static bool read_field(struct parsed *parsed, const struct cookie_place *place, struct squall_bytes text,
                       struct squall_bytes date)
{
    uint64_t end = find(text, ';'), equals = find(slice(text, 0, end), '=');
    *parsed = (struct parsed){.expires_s = UINT64_MAX};
    if (equals == end)
        return false;
    parsed->name = trimmed(slice(text, 0, equals));
    parsed->value = trimmed(slice(text, equals + 1, end));
    if (parsed->name.len == 0 || parsed->name.len + parsed->value.len > COOKIE_BYTES_MAX ||
        !sendable(slice(text, 0, end)))
        return false;
    while (end < text.len) {
        uint64_t next = end + 1 + find(slice(text, end + 1, text.len), ';');
        read_attribute(parsed, slice(text, end + 1, next), place, date);
        end = next;
    }
    parsed->host_only = parsed->domain.len == 0;
    if (parsed->host_only)
        parsed->domain = place->host;
    else if (!domain_matches(place->host, parsed->domain) ||
             (find(parsed->domain, '.') == parsed->domain.len && parsed->domain.len != place->host.len))
        return false;
    if (parsed->path.len == 0)
        parsed->path = default_path(place->path);
    return true;
}

static char *pack(const struct parsed *parsed)
{
    char *text = malloc(parsed->name.len + parsed->value.len + parsed->domain.len + parsed->path.len + 1), *at = text;
    const struct squall_bytes *parts[] = {&parsed->name, &parsed->value, &parsed->domain, &parsed->path};
    for (size_t i = 0; text && i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i]->len)
            memcpy(at, parts[i]->data, parts[i]->len);
        at += parts[i]->len;
    }
    return text;
}

/* The one that was set longest ago, and before it any that has expired. */
static uint32_t oldest(const struct cookies *cookies, uint64_t now_s)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < cookies->count; i++) {
        if (cookies->list[i].expires_s <= now_s)
            return i;
        if (cookies->list[i].number < cookies->list[found].number)
            found = i;
    }
    return found;
}

int cookies_set(struct cookies *cookies, const struct cookie_place *place, struct squall_bytes value,
                struct squall_bytes date)
{
    struct parsed parsed;
    if (!read_field(&parsed, place, value, date))
        return 0;
    uint64_t number = cookies->next_number;
    for (uint32_t i = 0; i < cookies->count; i++) {
        const struct cookie *cookie = &cookies->list[i];
        struct squall_bytes domain = domain_of(cookie);
        if (!same(name_of(cookie), parsed.name) || !same(path_of(cookie), parsed.path) ||
            domain.len != parsed.domain.len ||
            strncasecmp((const char *)domain.data, (const char *)parsed.domain.data, domain.len) != 0)
            continue;
        number = cookie->number; /* a new value keeps the place of the old one, 5.3 */
        remove_at(cookies, i);
        break;
    }
    if (parsed.expires_s <= place->now_s)
        return 0;
    if (!cookies->list && !(cookies->list = calloc(COOKIES_MAX, sizeof cookies->list[0])))
        return -1;
    char *text = pack(&parsed);
    if (!text)
        return -1;
    if (cookies->count == COOKIES_MAX)
        remove_at(cookies, oldest(cookies, place->now_s));
    cookies->list[cookies->count++] = (struct cookie){.text = text,
                                                      .name_len = (uint32_t)parsed.name.len,
                                                      .value_len = (uint32_t)parsed.value.len,
                                                      .domain_len = (uint32_t)parsed.domain.len,
                                                      .path_len = (uint32_t)parsed.path.len,
                                                      .host_only = parsed.host_only,
                                                      .secure = parsed.secure,
                                                      .expires_s = parsed.expires_s,
                                                      .number = number};
    cookies->next_number += number == cookies->next_number;
    return 0;
}

/* ---- sending ---- */

/* Longer paths first, then earlier ones (5.4). */
static bool before(const struct cookie *a, const struct cookie *b)
{
    return a->path_len != b->path_len ? a->path_len > b->path_len : a->number < b->number;
}

static uint32_t select_for(const struct cookies *cookies, const struct cookie_place *place,
                           const struct cookie **ret_list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cookies->count; i++) {
        const struct cookie *cookie = &cookies->list[i];
        if (!applies(cookie, place))
            continue;
        uint32_t at = count++;
        for (; at > 0 && before(cookie, ret_list[at - 1]); at--)
            ret_list[at] = ret_list[at - 1];
        ret_list[at] = cookie;
    }
    return count;
}

uint64_t cookies_size(const struct cookies *cookies, const struct cookie_place *place)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < cookies->count; i++) {
        const struct cookie *cookie = &cookies->list[i];
        if (applies(cookie, place))
            size += (size ? 2 : 0) + (uint64_t)cookie->name_len + 1 + cookie->value_len;
    }
    return size;
}

uint64_t cookies_write(const struct cookies *cookies, const struct cookie_place *place, uint8_t *out)
{
    const struct cookie *list[COOKIES_MAX];
    uint32_t count = select_for(cookies, place, list);
    uint8_t *at = out;
    for (uint32_t i = 0; i < count; i++) {
        struct squall_bytes name = name_of(list[i]), value = value_of(list[i]);
        if (i > 0) {
            *at++ = ';';
            *at++ = ' ';
        }
        memcpy(at, name.data, name.len);
        at += name.len;
        *at++ = '=';
        if (value.len)
            memcpy(at, value.data, value.len);
        at += value.len;
    }
    return (uint64_t)(at - out);
}
