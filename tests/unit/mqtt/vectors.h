/* Packets byte by byte, written out by hand from the figures and tables of the two standards. */
#ifndef SQUALL_TEST_MQTT_VECTORS_H
#define SQUALL_TEST_MQTT_VECTORS_H
#include <stddef.h>
#include <stdint.h>

#define V(version, side, bytes, text)                                                                                  \
    {                                                                                                                  \
        bytes, sizeof bytes - 1, text, version, side                                                                   \
    }
#define S false
#define C true

/* Packets in the only form that the encoder gives them. */
static const struct vector {
    const char *bytes;
    size_t len;
    const char *text;
    uint8_t version;
    bool client;
} vectors[] = {
    V(4, C,
      "\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03"
      "dev",
      "CONNECT clean=1 keep=60 id=\"dev\""),
    V(4, C, "\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00", "CONNECT clean=1 keep=0 id=\"\""),
    V(4, C,
      "\x10\x1c\x00\x04MQTT\x04\xec\x00\x0a\x00\x01"
      "a\x00\x01w\x00\x02hi\x00\x02us\x00\x02pw",
      "CONNECT clean=0 keep=10 id=\"a\" user=\"us\" password=\"pw\" will(qos=1 retain=1 topic=\"w\" payload=\"hi\")"),
    V(5, C,
      "\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03"
      "dev",
      "CONNECT clean=1 keep=60 id=\"dev\" {}"),
    V(5, C, "\x10\x10\x00\x04MQTT\x05\x40\x00\x00\x00\x00\x00\x00\x01p",
      "CONNECT clean=0 keep=0 id=\"\" password=\"p\" {}"),
    V(4, S, "\x20\x02\x00\x00", "CONNACK present=0 reason=0"),
    V(4, S, "\x20\x02\x01\x00", "CONNACK present=1 reason=0"),
    V(4, S, "\x20\x02\x00\x05", "CONNACK present=0 reason=5"),
    V(5, S, "\x20\x03\x00\x00\x00", "CONNACK present=0 reason=0 {}"),
    V(5, S, "\x20\x03\x01\x00\x00", "CONNACK present=1 reason=0 {}"),
    V(5, S, "\x20\x03\x00\x87\x00", "CONNACK present=0 reason=135 {}"),
    V(5, S, "\x20\x0b\x00\x00\x08\x21\x00\x14\x27\x00\x01\x00\x00",
      "CONNACK present=0 reason=0 {Receive Maximum=20, Maximum Packet Size=65536}"),
    V(5, S,
      "\x20\x23\x00\x00\x20\x11\xff\xff\xff\xff\x12\x00\x01x\x13\x00\x1e\x22\x00\x0a\x24\x01\x25\x00\x28\x01\x29\x01"
      "\x2a\x01\x26"
      "\x00\x01k\x00\x01v",
      "CONNACK present=0 reason=0 {Session Expiry Interval=4294967295, Assigned Client Identifier=\"x\", Server Keep "
      "Alive=30, Topic Alias Maximum=10, Maximum QoS=1, Retain Available=0, Wildcard Subscription Available=1, "
      "Subscription Identifiers Available=1, Shared Subscription Available=1, User Property=\"k\":\"v\"}"),
    V(5, S, "\x20\x18\x00\x00\x15\x15\x00\x01m\x16\x00\x02\x00\xff\x1a\x00\x01r\x1c\x00\x01s\x1f\x00\x01t",
      "CONNACK present=0 reason=0 {Authentication Method=\"m\", Authentication Data=\"\\00\\ff\", Response "
      "Information=\"r\", Server Reference=\"s\", Reason String=\"t\"}"),
    V(4, S, "\x30\x03\x00\x01t", "PUBLISH dup=0 qos=0 retain=0 topic=\"t\" payload=\"\""),
    V(4, S, "\x31\x05\x00\x01tab", "PUBLISH dup=0 qos=0 retain=1 topic=\"t\" payload=\"ab\""),
    V(4, S,
      "\x3b\x08\x00\x03"
      "a/b\x00\x07!",
      "PUBLISH dup=1 qos=1 retain=1 id=7 topic=\"a/b\" payload=\"!\""),
    V(4, C, "\x34\x05\x00\x01t\xff\xff", "PUBLISH dup=0 qos=2 retain=0 id=65535 topic=\"t\" payload=\"\""),
    V(5, S, "\x30\x05\x00\x01t\x00x", "PUBLISH dup=0 qos=0 retain=0 topic=\"t\" payload=\"x\" {}"),
    V(5, S,
      "\x32\x0b\x00\x00\x00\x01\x05\x23\x00\x02\x01\x01"
      "a",
      "PUBLISH dup=0 qos=1 retain=0 id=1 topic=\"\" payload=\"a\" {Topic Alias=2, Payload Format Indicator=1}"),
    V(5, S,
      "\x30\x0a\x00\x01t\x06\x0b\x01\x0b\xff\xff\x7f"
      "",
      "PUBLISH dup=0 qos=0 retain=0 topic=\"t\" payload=\"\" {Subscription Identifier=1, Subscription "
      "Identifier=2097151}"),
    V(5, C,
      "\x30\x1f\x00\x01t\x1a\x02\x00\x00\x00\x3c\x03\x00\x02tx\x08\x00\x03r/s\x09\x00\x01\x00\x26\x00\x00\x00\x01v"
      "p",
      "PUBLISH dup=0 qos=0 retain=0 topic=\"t\" payload=\"p\" {Message Expiry Interval=60, Content Type=\"tx\", "
      "Response "
      "Topic=\"r/s\", Correlation Data=\"\\00\", User Property=\"\":\"v\"}"),
    V(4, S, "\x40\x02\x12\x34", "PUBACK id=4660 reason=0"),
    V(4, S, "\x50\x02\x00\x01", "PUBREC id=1 reason=0"),
    V(4, S, "\x62\x02\x00\x01", "PUBREL id=1 reason=0"),
    V(4, C, "\x70\x02\x00\x01", "PUBCOMP id=1 reason=0"),
    V(5, S, "\x40\x02\x12\x34", "PUBACK id=4660 reason=0 {}"),
    V(5, S, "\x40\x03\x12\x34\x10", "PUBACK id=4660 reason=16 {}"),
    V(5, S, "\x50\x08\x00\x01\x97\x04\x1f\x00\x01q", "PUBREC id=1 reason=151 {Reason String=\"q\"}"),
    V(5, S, "\x62\x03\x00\x01\x92", "PUBREL id=1 reason=146 {}"),
    V(5, S, "\x70\x0b\x00\x01\x00\x07\x26\x00\x01n\x00\x01v", "PUBCOMP id=1 reason=0 {User Property=\"n\":\"v\"}"),
    V(4, C,
      "\x82\x0e\x00\x0a\x00\x03"
      "a/b\x01\x00\x03"
      "c/d\x02",
      "SUBSCRIBE id=10 \"a/b\":1 \"c/d\":2"),
    V(5, C, "\x82\x0b\x00\x01\x02\x0b\x05\x00\x03x/#\x2e", "SUBSCRIBE id=1 \"x/#\":46 {Subscription Identifier=5}"),
    V(5, C, "\x82\x10\x00\x01\x00\x00\x0a$share/g/x\x02", "SUBSCRIBE id=1 \"$share/g/x\":2 {}"),
    V(4, S, "\x90\x06\x00\x0a\x00\x01\x02\x80", "SUBACK id=10 codes=0,1,2,128"),
    V(5, S, "\x90\x05\x00\x0a\x00\x02\x9e", "SUBACK id=10 codes=2,158 {}"),
    V(4, C,
      "\xa2\x07\x00\x01\x00\x03"
      "a/+",
      "UNSUBSCRIBE id=1 \"a/+\""),
    V(5, C,
      "\xa2\x0b\x00\x01\x00\x00\x03"
      "a/+\x00\x01#",
      "UNSUBSCRIBE id=1 \"a/+\" \"#\" {}"),
    V(4, S, "\xb0\x02\x00\x01", "UNSUBACK id=1"),
    V(5, S, "\xb0\x05\x00\x01\x00\x00\x11", "UNSUBACK id=1 codes=0,17 {}"),
    V(4, C, "\xc0\x00", "PINGREQ"),
    V(5, C, "\xc0\x00", "PINGREQ"),
    V(4, S, "\xd0\x00", "PINGRESP"),
    V(5, S, "\xd0\x00", "PINGRESP"),
    V(4, C, "\xe0\x00", "DISCONNECT reason=0"),
    V(5, C, "\xe0\x00", "DISCONNECT reason=0 {}"),
    V(5, C, "\xe0\x01\x04", "DISCONNECT reason=4 {}"),
    V(5, C, "\xe0\x07\x00\x05\x11\x00\x00\x00\x3c", "DISCONNECT reason=0 {Session Expiry Interval=60}"),
    V(5, S, "\xe0\x06\x9c\x04\x1c\x00\x01s", "DISCONNECT reason=156 {Server Reference=\"s\"}"),
    V(5, S, "\xf0\x06\x18\x04\x15\x00\x01m", "AUTH reason=24 {Authentication Method=\"m\"}"),
    V(5, C, "\xf0\x06\x19\x04\x15\x00\x01m", "AUTH reason=25 {Authentication Method=\"m\"}"),
    V(5, S, "\xf0\x00", "AUTH reason=0 {}"),
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

#endif
