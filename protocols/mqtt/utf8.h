/*
 * UTF-8 as MQTT wants it (1.5.4; 3.1.1: 1.5.3): well-formed after RFC 3629, hence neither surrogates nor overlong
 * forms, and without U+0000. Control characters and non-characters, which a receiver may refuse, are taken.
 */
#ifndef SQUALL_MQTT_UTF8_H
#define SQUALL_MQTT_UTF8_H
#include <squall/plugin.h>
#include <stdbool.h>

bool mqtt_utf8_valid(struct squall_bytes text);

#endif
