/*
 * MQTT conversations through the plugin's seam, in both versions: what becomes of each, and that neither the split of
 * the bytes, nor an end, a cancel or a break at any of them changes more than it must.
 */
#include "checks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* wants the ones above */

#define PARTS_MAX 4
#define PART(bytes)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)(bytes), sizeof(bytes) - 1                                                                    \
    }

struct conversation {
    const char *name, *version;
    struct fake_option options[5];
    struct squall_bytes parts[PARTS_MAX]; /* a request goes before each when there is room for one */
    const char *dones[PARTS_MAX];         /* "outcome code", in order */
    const char *said[4];                  /* what else the transcript holds */
};

#define CONNACK_5 "\x20\x03\x00\x00\x00"
#define CONNACK_4 "\x20\x02\x00\x00"
#define MESSAGE_5                                                                                                      \
    "\x30\x06\x00\x01"                                                                                                 \
    "a\x00hi"

static const struct conversation conversations[] = {
    {"QoS 0", "5", {{"topic", "a"}}, {PART(CONNACK_5), PART("\x30\x03\x00\x00\x00")}, {"0 code 0"}, {"request-end 1"}},
    {"QoS 1",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x40\x02\x00\x01"), PART("\x40\x02\x00\x02")},
     {"0 code 1", "0 code 1"},
     {"request-end 2"}},
    {"QoS 1, refused",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x40\x03\x00\x01\x97")},
     {"1 code 152"},
     {NULL}},
    {"QoS 1, 3.1.1",
     "3.1.1",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_4), PART("\x40\x02\x00\x01")},
     {"0 code 1"},
     {NULL}},
    {"QoS 2",
     "5",
     {{"topic", "a"}, {"qos", "2"}},
     {PART(CONNACK_5), PART("\x50\x02\x00\x01\x70\x02\x00\x01")},
     {"0 code 1"},
     {"out b\\x02\\x00\\x01"}},
    {"QoS 2, refused",
     "5",
     {{"topic", "a"}, {"qos", "2"}},
     {PART(CONNACK_5), PART("\x50\x03\x00\x01\x87")},
     {"1 code 136"},
     {NULL}},
    {"several in one",
     "5",
     {{"topic", "a"}, {"qos", "1"}, {"count", "3"}},
     {PART(CONNACK_5), PART("\x40\x02\x00\x02\x40\x02\x00\x01\x40\x02\x00\x03")},
     {"0 code 1"},
     {NULL}},
    {"subscribe",
     "5",
     {{"verb", "subscribe"}, {"topic", "a/#"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x90\x04\x00\x01\x00\x01")},
     {"0 code 2"},
     {NULL}},
    {"subscribe, refused",
     "3.1.1",
     {{"verb", "subscribe"}, {"topic", "a/#"}},
     {PART(CONNACK_4), PART("\x90\x03\x00\x01\x80")},
     {"1 code 129"},
     {NULL}},
    {"unsubscribe",
     "5",
     {{"verb", "unsubscribe"}, {"topic", "a"}},
     {PART(CONNACK_5), PART("\xb0\x04\x00\x01\x00\x11")},
     {"0 code 18"},
     {NULL}},
    {"await",
     "5",
     {{"verb", "await"}, {"topic", "a"}, {"contains", "i"}},
     {PART(CONNACK_5), PART("\x30\x06\x00\x01"
                            "b\x00hi" MESSAGE_5)},
     {"0 code 0"},
     {"body 1 hi", "field topic=a"}},
    {"QoS 2 received",
     "5",
     {{"verb", "await"}, {"topic", "z"}},
     {PART(CONNACK_5), PART("\x34\x06\x00\x01"
                            "a\x00\x07\x00\x62\x02\x00\x07")},
     {NULL},
     {"out P\\x02\\x00\\x07p\\x02\\x00\\x07"}},
    {"ping", "5", {{"verb", "ping"}}, {PART(CONNACK_5), PART("\xd0\x00")}, {"0 code 0"}, {"out \\xc0\\x00"}},
    {"connect", "5", {{"verb", "connect"}}, {PART(CONNACK_5)}, {"0 code 1"}, {"request-end 1"}},
    {"connect, refused", "3.1.1", {{"verb", "connect"}}, {PART("\x20\x02\x00\x05")}, {"1 code 136"}, {"close orderly"}},
    {"refused without a step",
     "5",
     {{"topic", "a"}},
     {PART("\x20\x03\x00\x86\x00")},
     {NULL},
     {"fail CONNACK: bad user name or password; are username and password right (--username, --password)?"}},
    {"no CONNACK first", "5", {{"topic", "a"}}, {PART("\xd0\x00")}, {NULL}, {"fail PINGRESP: CONNACK must come first"}},
    {"two CONNACKs",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART(CONNACK_5)},
     {"2 code 0"},
     {"fail CONNACK: the session is open already"}},
    {"a session nobody asked for",
     "5",
     {{"topic", "a"}},
     {PART("\x20\x03\x01\x00\x00")},
     {NULL},
     {"fail CONNACK: Session Present after a clean start"}},
    {"malformed",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x41\x02\x00\x01")},
     {"2 code 0"},
     {"out \\xe0\\x01\\x81", "fail PUBACK: reserved bits"}},
    {"another leg",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x70\x02\x00\x01")},
     {"2 code 0"},
     {"fail PUBCOMP: it does not answer what has this packet identifier"}},
    {"an identifier that nobody has",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x40\x02\x00\x09\x40\x02\x00\x01")},
     {"0 code 1"},
     {NULL}},
    {"DISCONNECT",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\xe0\x02\x8e\x00")},
     {NULL},
     {"fail DISCONNECT by the broker: session taken over", "disconnected 1"}},
    {"AUTH",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\xf0\x00")},
     {"2 code 0"},
     {"fail AUTH: no method"}},
    {"an alias that was not allowed",
     "5",
     {{"topic", "a"}, {"qos", "1"}},
     {PART(CONNACK_5), PART("\x30\x07\x00\x01"
                            "a\x03\x23\x00\x01")},
     {"2 code 0"},
     {"fail PUBLISH: a topic alias above"}},
};
#define COUNT (sizeof conversations / sizeof conversations[0])

static struct protocol_registry registry;
static const struct protocol *mqtt;

static int load(void **unused)
{
    struct error error = {0};
    (void)unused;
    protocol_registry_init(&registry);
    if (protocol_load_file(&registry, MQTT_PLUGIN, &mqtt, &error) == 0)
        return 0;
    print_error("%s\n", error.text);
    return -1;
}

static int unload(void **unused)
{
    (void)unused;
    protocol_registry_fini(&registry);
    return 0;
}

static struct check_subject subject_of(const struct conversation *conversation, struct fake_option *target)
{
    struct check_subject subject = {.protocol = mqtt,
                                    .step_options = conversation->options,
                                    .target_options = target,
                                    .parts = conversation->parts,
                                    .wants = SQUALL_WANT_BODY | SQUALL_WANT_FIELDS};
    target[0] = (struct fake_option){"version", conversation->version};
    target[1] = (struct fake_option){"client-id", "dev"};
    target[2] = (struct fake_option){NULL, NULL};
    while (subject.part_count < PARTS_MAX && conversation->parts[subject.part_count].data)
        subject.part_count++;
    return subject;
}

static void assert_holds(const struct conversation *conversation, const char *transcript, const char *text)
{
    if (!strstr(transcript, text))
        fail_msg("%s: \"%s\" is not in\n%s", conversation->name, text, transcript);
}

static void test_outcomes(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        const struct conversation *conversation = &conversations[i];
        const struct check_plan plan = {.split = SPLIT_NOT};
        struct fake_option target[3];
        struct check_subject subject = subject_of(conversation, target);
        struct check_outcome outcome;
        check_drive(&subject, &plan, &outcome);
        assert_string_equal(outcome.refusal, "");
        if (outcome.violation_count)
            fail_msg("%s: %s", conversation->name, outcome.violation);
        for (uint32_t dones = 0; dones < PARTS_MAX && conversation->dones[dones]; dones++) {
            char expected[80];
            snprintf(expected, sizeof expected, "done %u outcome %s ", dones + 1, conversation->dones[dones]);
            assert_holds(conversation, outcome.transcript, expected);
        }
        for (size_t k = 0; k < 4 && conversation->said[k]; k++)
            assert_holds(conversation, outcome.transcript, conversation->said[k]);
        check_outcome_fini(&outcome);
    }
}

static void test_laws(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        struct fake_option target[3];
        struct check_subject subject = subject_of(&conversations[i], target);
        struct buffer failure = {0};
        if (check_all(&subject, &failure))
            fail_msg("%s: %.*s", conversations[i].name, (int)failure.len, (const char *)failure.data);
        buffer_fini(&failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_laws),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
