/* Topic names and filters. A level is what stands between two slashes; an empty one is a level too (4.7.1.1). */
#include "topic.h"
#include "packet.h"
#include "utf8.h"
#include "wire.h"

#define SHARE     "$share/"
#define SHARE_LEN (sizeof SHARE - 1)

static const char *refuse_text(struct squall_bytes text)
{
    if (text.len > MQTT_TEXT_MAX)
        return "longer than 65,535 bytes (4.7.3)";
    return mqtt_utf8_valid(text) ? NULL : "not UTF-8, or holds U+0000 (1.5.4)";
}

const char *mqtt_topic_refuse(struct squall_bytes topic)
{
    if (topic.len == 0)
        return "a topic name without a character (4.7.3)";
    if (memchr(topic.data, '+', topic.len) != NULL || memchr(topic.data, '#', topic.len) != NULL)
        return "a topic name with a wildcard (3.3.2.1)";
    return refuse_text(topic);
}

static const char *refuse_wildcards(struct squall_bytes filter)
{
    if (filter.len == 0)
        return "a topic filter without a character (4.7.3)";
    for (uint64_t i = 0; i < filter.len; i++) {
        uint8_t byte = filter.data[i];
        if (byte != '+' && byte != '#')
            continue;
        bool begins = i == 0 || filter.data[i - 1] == '/';
        bool ends = i + 1 == filter.len || filter.data[i + 1] == '/';
        if (!begins || !ends)
            return "a wildcard that is not a whole level of its filter (4.7.1)";
        if (byte == '#' && i + 1 != filter.len)
            return "'#' that is not the last level of its filter (4.7.1.2)";
    }
    return NULL;
}

static bool is_share(struct squall_bytes filter)
{
    return filter.len >= SHARE_LEN && memcmp(filter.data, SHARE, SHARE_LEN) == 0;
}

struct squall_bytes mqtt_filter_unshared(struct squall_bytes filter, struct squall_bytes *ret_share)
{
    *ret_share = (struct squall_bytes){0};
    if (!is_share(filter))
        return filter;
    struct squall_bytes rest = {.data = filter.data + SHARE_LEN, .len = filter.len - SHARE_LEN};
    const uint8_t *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    if (slash == NULL)
        return filter;
    uint64_t name_len = (uint64_t)(slash - rest.data);
    *ret_share = (struct squall_bytes){.data = rest.data, .len = name_len};
    return (struct squall_bytes){.data = slash + 1, .len = rest.len - name_len - 1};
}

const char *mqtt_filter_refuse(struct squall_bytes filter, bool shared)
{
    const char *why = refuse_text(filter);
    if (why != NULL || !shared || !is_share(filter))
        return why != NULL ? why : refuse_wildcards(filter);
    struct squall_bytes name, rest = mqtt_filter_unshared(filter, &name);
    if (name.len == 0 || memchr(name.data, '+', name.len) != NULL || memchr(name.data, '#', name.len) != NULL)
        return "a shared subscription without a proper name, $share/NAME/FILTER (4.8.2)";
    return refuse_wildcards(rest);
}

/* The end of the level that begins at p. */
static const uint8_t *level_end(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *slash = p < end ? memchr(p, '/', (size_t)(end - p)) : NULL;
    return slash != NULL ? slash : end;
}

bool mqtt_filter_matches(struct squall_bytes filter, struct squall_bytes topic)
{
    struct squall_bytes share;
    filter = mqtt_filter_unshared(filter, &share);
    if (filter.len == 0 || topic.len == 0)
        return false;
    const uint8_t *f = filter.data, *f_end = f + filter.len, *t = topic.data, *t_end = t + topic.len;
    if (*t == '$' && (*f == '+' || *f == '#'))
        return false;
    for (;;) {
        const uint8_t *f_level = level_end(f, f_end), *t_level = level_end(t, t_end);
        if (f_level - f == 1 && *f == '#')
            return true;
        bool any = f_level - f == 1 && *f == '+';
        if (!any && (f_level - f != t_level - t || memcmp(f, t, (size_t)(f_level - f)) != 0))
            return false;
        if (t_level == t_end) /* `a/#` takes `a` as well (4.7.1.2) */
            return f_level == f_end || (f_end - f_level == 2 && f_level[1] == '#');
        if (f_level == f_end)
            return false;
        f = f_level + 1;
        t = t_level + 1;
    }
}
