/* Functions of the expression language on texts, numbers and lists of values. */
#include "scenario/expression_functions.h"
#include <math.h>
#include <string.h>

static const uint8_t *find_bytes(struct squall_bytes text, uint64_t from, struct squall_bytes part)
{
    if (part.len == 0 || from > text.len)
        return NULL;
    return memmem(text.data + from, text.len - from, part.data, part.len);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

EVALUATOR_OF(trim)
{
    UNUSED;
    if (!are_strings(a, 1))
        return;
    struct squall_bytes text = a->string;
    while (text.len && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len && is_space(text.data[text.len - 1]))
        text.len--;
    set_string(ret, text.data, text.len);
}

/* In bytes; a start below zero counts from the end. What is outside of the text is left out. */
EVALUATOR_OF(substring)
{
    UNUSED;
    if (a[0].type != VALUE_STRING || a[1].type != VALUE_NUMBER || (count > 2 && a[2].type != VALUE_NUMBER))
        return;
    double len = (double)a[0].string.len;
    double start = trunc(a[1].number), end = len;
    if (start < 0)
        start = fmax(0, len + start);
    if (count > 2)
        end = fmin(len, start + fmax(0, trunc(a[2].number)));
    if (start >= end) {
        set_string(ret, "", 0);
        return;
    }
    set_string(ret, a[0].string.data + (uint64_t)start, (uint64_t)(end - start));
}

EVALUATOR_OF(replace)
{
    UNUSED;
    if (!are_strings(a, 3))
        return;
    struct squall_bytes text = a[0].string, part = a[1].string, other = a[2].string;
    uint64_t found = 0;
    const uint8_t *at;
    for (uint64_t from = 0; (at = find_bytes(text, from, part)); from = (uint64_t)(at - text.data) + part.len)
        found++;
    if (found == 0) {
        *ret = a[0];
        return;
    }
    if (other.len > TEXT_MAX || text.len - found * part.len + found * other.len > TEXT_MAX)
        return;
    uint8_t *made = arena_alloc(eval->scratch, text.len - found * part.len + found * other.len + 1), *end = made;
    uint64_t from = 0;
    while ((at = find_bytes(text, from, part))) {
        uint64_t len = (uint64_t)(at - text.data) - from;
        memcpy(end, text.data + from, len);
        end += len;
        if (other.len)
            memcpy(end, other.data, other.len);
        end += other.len;
        from += len + part.len;
    }
    memcpy(end, text.data + from, text.len - from);
    end += text.len - from;
    set_string(ret, made, (uint64_t)(end - made));
}

/* The part of that number, from 0, between separators. */
EVALUATOR_OF(split)
{
    UNUSED;
    if (!are_strings(a, 2) || a[2].type != VALUE_NUMBER || a[2].number < 0)
        return;
    struct squall_bytes text = a[0].string;
    uint64_t from = 0;
    for (double left = trunc(a[2].number);; left--) {
        const uint8_t *at = find_bytes(text, from, a[1].string);
        uint64_t end = at ? (uint64_t)(at - text.data) : text.len;
        if (left == 0) {
            set_string(ret, text.len ? text.data + from : text.data, end - from);
            return;
        }
        if (!at)
            return;
        from = end + a[1].string.len;
    }
}

EVALUATOR_OF(json)
{
    UNUSED;
    struct squall_bytes raw;
    if (are_strings(a, 1) && json_find(a->string, NULL, 0, &raw))
        json_value(raw, eval->scratch, ret);
}

EVALUATOR_OF(coalesce)
{
    UNUSED;
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].type != VALUE_NULL) {
            *ret = a[i];
            return;
        }
    }
}

static bool same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STRING)
        return a->string.len == b->string.len &&
               (a->string.len == 0 || memcmp(a->string.data, b->string.data, a->string.len) == 0);
    return a->type == VALUE_NUMBER ? a->number == b->number : a->type == VALUE_BOOL && a->boolean == b->boolean;
}

EVALUATOR_OF(in)
{
    UNUSED;
    bool found = false;
    for (uint32_t i = 1; i < count; i++)
        found = found || same(&a[0], &a[i]);
    set_bool(ret, found);
}

static bool are_numbers(const struct value *a, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].type != VALUE_NUMBER)
            return false;
    return true;
}

EVALUATOR_OF(between)
{
    UNUSED;
    if (are_numbers(a, 3))
        set_bool(ret, a[0].number >= a[1].number && a[0].number <= a[2].number);
}

#define ROUNDING(name, function)                                                                                       \
    EVALUATOR_OF(name)                                                                                                 \
    {                                                                                                                  \
        UNUSED;                                                                                                        \
        if (are_numbers(a, 1))                                                                                         \
            set_number(ret, function(a->number));                                                                      \
    }
ROUNDING(abs, fabs)
ROUNDING(floor, floor)
ROUNDING(ceil, ceil)
ROUNDING(round, round)

#define EXTREME(name, function)                                                                                        \
    EVALUATOR_OF(name)                                                                                                 \
    {                                                                                                                  \
        UNUSED;                                                                                                        \
        if (!are_numbers(a, count))                                                                                    \
            return;                                                                                                    \
        double extreme = a[0].number;                                                                                  \
        for (uint32_t i = 1; i < count; i++)                                                                           \
            extreme = function(extreme, a[i].number);                                                                  \
        set_number(ret, extreme);                                                                                      \
    }
EXTREME(min, fmin)
EXTREME(max, fmax)
