/*
 * The names and functions of the expression language: one row each, from which the compiler takes arity, types and
 * places, and docs/scenario.md its list (a test compares them). Each evaluator finds its result preset to null and
 * leaves it so when an argument is not of its type.
 */
#include "scenario/expression_functions.h"
#include "base/clock.h"
#include "metrics/series.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RANDOM_STRING_MAX 65536u
#define EXACT_MAX         9007199254740992.0 /* 2^53: up to here a double holds every whole number */

#define EVALUATOR(name)                                                                                                \
    static void evaluate_##name(const struct eval *eval, const struct value *a, uint32_t count, struct value *ret)

/* ---- Answers ---- */

EVALUATOR(status)
{
    UNUSED;
    if (eval->answer && eval->answer->code != 0)
        set_number(ret, eval->answer->code - eval->answer->code_base);
}

EVALUATOR(outcome)
{
    UNUSED;
    if (eval->answer && eval->answer->outcome < OUTCOME_COUNT) {
        const char *key = outcome_key((enum outcome)eval->answer->outcome);
        set_string(ret, key, strlen(key));
    }
}

EVALUATOR(latency)
{
    UNUSED;
    if (eval->answer)
        set_number(ret, (double)eval->answer->latency_ns);
}

EVALUATOR(service)
{
    UNUSED;
    if (eval->answer)
        set_number(ret, (double)eval->answer->service_ns);
}

EVALUATOR(body)
{
    UNUSED;
    if (eval->answer)
        set_string(ret, eval->answer->body.data, eval->answer->body.len);
}

/* The first field whose name is a prefix and then the text. */
static void find_field(const struct eval *eval, const char *prefix, const struct value *a, struct value *ret)
{
    size_t len = strlen(prefix);
    if (!eval->answer || !are_strings(a, 1))
        return;
    for (uint32_t i = 0; i < eval->answer->field_count; i++) {
        const struct squall_pair *field = &eval->answer->fields[i];
        if (field->name.len == len + a->string.len && strncasecmp((const char *)field->name.data, prefix, len) == 0 &&
            strncasecmp((const char *)field->name.data + len, (const char *)a->string.data, a->string.len) == 0) {
            set_string(ret, field->value.data, field->value.len);
            return;
        }
    }
}

EVALUATOR(header)
{
    UNUSED;
    find_field(eval, "", a, ret);
}

EVALUATOR(cookie)
{
    UNUSED;
    find_field(eval, "cookie.", a, ret);
}

/* ---- Texts ---- */

EVALUATOR(size)
{
    UNUSED;
    if (!are_strings(a, 1))
        return;
    int64_t items = a->json ? json_size(a->string) : -1;
    set_number(ret, items >= 0 ? (double)items : (double)a->string.len);
}

EVALUATOR(contains)
{
    UNUSED;
    if (are_strings(a, 2))
        set_bool(ret, a[1].string.len == 0 || (a[0].string.len > 0 && memmem(a[0].string.data, a[0].string.len,
                                                                             a[1].string.data, a[1].string.len)));
}

EVALUATOR(starts_with)
{
    UNUSED;
    if (are_strings(a, 2))
        set_bool(ret, a[1].string.len == 0 || (a[0].string.len >= a[1].string.len &&
                                               memcmp(a[0].string.data, a[1].string.data, a[1].string.len) == 0));
}

EVALUATOR(ends_with)
{
    UNUSED;
    if (are_strings(a, 2))
        set_bool(ret, a[1].string.len == 0 || (a[0].string.len >= a[1].string.len &&
                                               memcmp(a[0].string.data + a[0].string.len - a[1].string.len,
                                                      a[1].string.data, a[1].string.len) == 0));
}

static void change_case(const struct eval *eval, const struct value *a, int (*change)(int), struct value *ret)
{
    if (!are_strings(a, 1))
        return;
    uint8_t *copy = arena_alloc(eval->scratch, a->string.len + 1);
    for (uint64_t i = 0; i < a->string.len; i++)
        copy[i] = (uint8_t)change(a->string.data[i]);
    set_string(ret, copy, a->string.len);
}

EVALUATOR(lower)
{
    UNUSED;
    change_case(eval, a, tolower, ret);
}

EVALUATOR(upper)
{
    UNUSED;
    change_case(eval, a, toupper, ret);
}

EVALUATOR(number)
{
    UNUSED;
    char copy[64], *end;
    if (a->type == VALUE_NUMBER)
        *ret = *a;
    /* strtod also takes words (inf, nan), hexadecimal and leading space: none of them is a number here. */
    if (a->type != VALUE_STRING || a->string.len == 0 || a->string.len >= sizeof copy)
        return;
    memcpy(copy, a->string.data, a->string.len);
    copy[a->string.len] = '\0';
    if (copy[strspn(copy, "0123456789.+-eE")] != '\0')
        return;
    double number = strtod(copy, &end);
    if (end == copy + a->string.len && isfinite(number))
        set_number(ret, number);
}

/* ---- Who and when ---- */

EVALUATOR(user_id)
{
    UNUSED;
    set_number(ret, (double)eval->user_id);
}

EVALUATOR(iteration)
{
    UNUSED;
    set_number(ret, (double)eval->iteration);
}

static struct timespec wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

EVALUATOR(now_s)
{
    UNUSED;
    set_number(ret, (double)wall_clock().tv_sec);
}

EVALUATOR(now_ms)
{
    UNUSED;
    struct timespec now = wall_clock();
    set_number(ret, (double)now.tv_sec * 1000 + (double)(now.tv_nsec / 1000000));
}

EVALUATOR(now_iso)
{
    UNUSED;
    char *date = arena_alloc(eval->scratch, 32);
    clock_date(date, 32);
    set_string(ret, date, strlen(date));
}

/* ---- Chance: all from the user's own seeded stream, so that a run can be repeated ---- */

EVALUATOR(random_int)
{
    UNUSED;
    if (a[0].type != VALUE_NUMBER || a[1].type != VALUE_NUMBER || fabs(a[0].number) > EXACT_MAX ||
        fabs(a[1].number) > EXACT_MAX)
        return;
    int64_t low = (int64_t)ceil(a[0].number), high = (int64_t)floor(a[1].number);
    if (low <= high)
        set_number(ret, (double)(low + (int64_t)random_below(eval->random, (uint64_t)(high - low) + 1)));
}

EVALUATOR(random_float)
{
    UNUSED;
    if (a[0].type == VALUE_NUMBER && a[1].type == VALUE_NUMBER && a[0].number <= a[1].number)
        set_number(ret, a[0].number + random_unit(eval->random) * (a[1].number - a[0].number));
}

static int check_int(const struct value *a, struct error *error)
{
    if (a[0].type != VALUE_NUMBER || a[1].type != VALUE_NUMBER || ceil(a[0].number) <= floor(a[1].number))
        return 0;
    return a[0].number > a[1].number ? error_set(error, "the first number is above the second; swap them")
                                     : error_set(error, "there is no whole number between these; use random.float");
}

static int check_float(const struct value *a, struct error *error)
{
    if (a[0].type != VALUE_NUMBER || a[1].type != VALUE_NUMBER || a[0].number <= a[1].number)
        return 0;
    return error_set(error, "the first number is above the second; swap them");
}

static int check_length(const struct value *a, struct error *error)
{
    if (a->type != VALUE_NUMBER || (a->number >= 0 && a->number <= RANDOM_STRING_MAX))
        return 0;
    return error_set(error, "a text cannot be so long; write a number from 0 to %u", RANDOM_STRING_MAX);
}

EVALUATOR(random_choice)
{
    UNUSED;
    *ret = a[random_below(eval->random, count)];
}

EVALUATOR(random_string)
{
    UNUSED;
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (a->type != VALUE_NUMBER || a->number < 0 || a->number > RANDOM_STRING_MAX)
        return;
    uint64_t len = (uint64_t)a->number;
    uint8_t *text = arena_alloc(eval->scratch, len + 1);
    for (uint64_t i = 0; i < len; i++)
        text[i] = (uint8_t)letters[random_below(eval->random, sizeof letters - 1)];
    set_string(ret, text, len);
}

/* RFC 9562, section 5.4: version 4. */
EVALUATOR(uuid)
{
    UNUSED;
    uint64_t high = (random_next(eval->random) & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    uint64_t low = (random_next(eval->random) & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    const char *text = arena_printf(eval->scratch, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                                    (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                                    (unsigned long long)(low & UINT64_C(0xffffffffffff)));
    set_string(ret, text, strlen(text));
}

#define NAME(name_, id, places_, type_, wants_)                                                                        \
    {                                                                                                                  \
        .name = name_, .usage = name_, .places = places_, .type = type_, .wants = wants_, .evaluate = evaluate_##id    \
    }
#define CALL(name_, usage_, arguments_, min, max, places_, constant_, type_, wants_, id)                               \
    {                                                                                                                  \
        .name = name_, .usage = usage_, .arguments = arguments_, .argument_min = min, .argument_max = max,             \
        .places = places_, .constant = constant_, .type = type_, .wants = wants_, .evaluate = evaluate_##id            \
    }

#define CHECKED(check_, name_, usage_, arguments_, min, max, places_, constant_, type_, wants_, id)                    \
    {                                                                                                                  \
        .name = name_, .usage = usage_, .arguments = arguments_, .argument_min = min, .argument_max = max,             \
        .places = places_, .constant = constant_, .type = type_, .wants = wants_, .check = check_,                     \
        .evaluate = evaluate_##id                                                                                      \
    }

const struct function expression_functions[] = {
    NAME("status", status, IN_CHECK, TYPE_NUMBER, 0),
    NAME("outcome", outcome, IN_CHECK, TYPE_STRING, 0),
    NAME("latency", latency, IN_CHECK, TYPE_NUMBER, 0),
    NAME("service", service, IN_CHECK, TYPE_NUMBER, 0),
    NAME("body", body, IN_CHECK, TYPE_STRING, SQUALL_WANT_BODY),
    CALL("header", "header(\"name\")", "s", 1, 1, IN_CHECK, false, TYPE_STRING, SQUALL_WANT_FIELDS, header),
    CALL("cookie", "cookie(\"name\")", "s", 1, 1, IN_CHECK, false, TYPE_STRING, SQUALL_WANT_FIELDS, cookie),
    CALL("size", "size(text)", "s", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, size),
    CALL("contains", "contains(text, \"part\")", "s", 2, 2, ANYWHERE, true, TYPE_BOOL, 0, contains),
    CALL("starts_with", "starts_with(text, \"start\")", "s", 2, 2, ANYWHERE, true, TYPE_BOOL, 0, starts_with),
    CALL("ends_with", "ends_with(text, \"end\")", "s", 2, 2, ANYWHERE, true, TYPE_BOOL, 0, ends_with),
    CALL("lower", "lower(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, lower),
    CALL("upper", "upper(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, upper),
    CALL("trim", "trim(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, trim),
    CALL("substring", "substring(text, 0, 8)", "snn", 2, 3, ANYWHERE, true, TYPE_STRING, 0, substring),
    CALL("replace", "replace(text, \"part\", \"other\")", "s", 3, 3, ANYWHERE, true, TYPE_STRING, 0, replace),
    CALL("split", "split(text, \",\", 0)", "ssn", 3, 3, ANYWHERE, true, TYPE_STRING, 0, split),
    {.name = "matches",
     .usage = "matches(text, \"pattern\")",
     .arguments = "s",
     .argument_min = 2,
     .argument_max = 2,
     .places = ANYWHERE,
     .constant = true,
     .type = TYPE_BOOL,
     .prepare = pattern_prepare,
     .evaluate_prepared = pattern_matches},
    {.name = "json",
     .usage = "json(text)",
     .arguments = "s",
     .argument_min = 1,
     .argument_max = 1,
     .places = ANYWHERE,
     .path = true,
     .constant = true,
     .type = TYPE_ANY,
     .evaluate = evaluate_json},
    CALL("number", "number(text)", "a", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, number),
    CALL("abs", "abs(number)", "n", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, abs),
    CALL("floor", "floor(number)", "n", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, floor),
    CALL("ceil", "ceil(number)", "n", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, ceil),
    CALL("round", "round(number)", "n", 1, 1, ANYWHERE, true, TYPE_NUMBER, 0, round),
    CALL("min", "min(1, 2)", "n", 1, ARGUMENTS_MAX, ANYWHERE, true, TYPE_NUMBER, 0, min),
    CALL("max", "max(1, 2)", "n", 1, ARGUMENTS_MAX, ANYWHERE, true, TYPE_NUMBER, 0, max),
    CALL("between", "between(number, 1, 9)", "n", 3, 3, ANYWHERE, true, TYPE_BOOL, 0, between),
    CALL("in", "in(value, \"a\", \"b\")", "a", 2, ARGUMENTS_MAX, ANYWHERE, true, TYPE_BOOL, 0, in),
    CALL("coalesce", "coalesce(value, \"other\")", "a", 1, ARGUMENTS_MAX, ANYWHERE, true, TYPE_ANY, 0, coalesce),
    CALL("hex", "hex(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, hex),
    CALL("base64", "base64(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, base64),
    CALL("base64_decode", "base64_decode(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, base64_decode),
    CALL("url_encode", "url_encode(value)", "a", 1, 1, ANYWHERE, true, TYPE_STRING, 0, url_encode),
    CALL("url_decode", "url_decode(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, url_decode),
    CALL("md5", "md5(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, md5),
    CALL("sha1", "sha1(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, sha1),
    CALL("sha256", "sha256(text)", "s", 1, 1, ANYWHERE, true, TYPE_STRING, 0, sha256),
    CALL("hmac_sha256", "hmac_sha256(key, text)", "s", 2, 2, ANYWHERE, true, TYPE_STRING, 0, hmac_sha256),
    NAME("user.id", user_id, ANYWHERE, TYPE_NUMBER, 0),
    NAME("iteration", iteration, ANYWHERE, TYPE_NUMBER, 0),
    NAME("now.s", now_s, ANYWHERE, TYPE_NUMBER, 0),
    NAME("now.ms", now_ms, ANYWHERE, TYPE_NUMBER, 0),
    NAME("now.iso", now_iso, ANYWHERE, TYPE_STRING, 0),
    CHECKED(check_int, "random.int", "random.int(1, 6)", "n", 2, 2, IN_TEMPLATE, false, TYPE_NUMBER, 0, random_int),
    CHECKED(check_float, "random.float", "random.float(0, 1)", "n", 2, 2, IN_TEMPLATE, false, TYPE_NUMBER, 0,
            random_float),
    CALL("random.choice", "random.choice(\"a\", \"b\")", "a", 1, ARGUMENTS_MAX, IN_TEMPLATE, false, TYPE_ANY, 0,
         random_choice),
    CHECKED(check_length, "random.string", "random.string(8)", "n", 1, 1, IN_TEMPLATE, false, TYPE_STRING, 0,
            random_string),
    CALL("uuid", "uuid()", "", 0, 0, IN_TEMPLATE, false, TYPE_STRING, 0, uuid),
};
const uint32_t expression_function_count = sizeof expression_functions / sizeof expression_functions[0];
const struct function *const expression_status = &expression_functions[0];
