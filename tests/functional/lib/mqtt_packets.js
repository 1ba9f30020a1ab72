// The other MQTT codec of test_mqtt_codec.py.
//   generate   writes packets as JSON lines: version, side (c: from a client, s: from a server), hex, and the text in which
//              mqtt_transcode describes a packet
//   compare    reads JSON lines with version, hex and again, and says whether both parse to the same packet
'use strict';
const mqtt = require('mqtt-packet');

// A small generator of our own, so that a failure can be seen again.
let state = 1n;
function random(below) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((state >> 33n) % BigInt(below));
}
const pick = (list) => list[random(list.length)];
const maybe = () => random(2) === 1;
const text = () => pick(['a', 'dev-1', 'a/b/c', 'é', '日本', '😀 x', 'with "quotes" and \\', 'x'.repeat(random(200) + 1)]);
const bytes = () => Buffer.from(Array.from({length: random(40)}, () => random(256)));
const u16 = () => pick([1, 2, 255, 256, 65535]);
const u32 = () => pick([0, 1, 65536, 4294967295]);
const id = () => random(65535) + 1;

const flag = () => maybe();
const user = () => {
    const pairs = Object.create(null);
    for (let i = random(3) + 1; i > 0; i--) pairs[pick(['k', 'key', 'ü']) + i] = maybe() ? [text(), text()] : text();
    return pairs;
};
// Property name in mqtt-packet -> name in the standard, and a value for it.
const properties = {
    payloadFormatIndicator: ['Payload Format Indicator', flag],
    messageExpiryInterval: ['Message Expiry Interval', u32],
    contentType: ['Content Type', text],
    responseTopic: ['Response Topic', () => pick(['r', 'a/b'])],
    correlationData: ['Correlation Data', bytes],
    subscriptionIdentifier: ['Subscription Identifier', () => pick([1, 127, 128, 16384, 268435455])],
    sessionExpiryInterval: ['Session Expiry Interval', u32],
    assignedClientIdentifier: ['Assigned Client Identifier', text],
    serverKeepAlive: ['Server Keep Alive', u16],
    authenticationMethod: ['Authentication Method', text],
    authenticationData: ['Authentication Data', bytes],
    requestProblemInformation: ['Request Problem Information', flag],
    willDelayInterval: ['Will Delay Interval', u32],
    requestResponseInformation: ['Request Response Information', flag],
    responseInformation: ['Response Information', text],
    serverReference: ['Server Reference', text],
    reasonString: ['Reason String', text],
    receiveMaximum: ['Receive Maximum', u16],
    topicAliasMaximum: ['Topic Alias Maximum', u16],
    topicAlias: ['Topic Alias', u16],
    maximumQoS: ['Maximum QoS', () => random(2)],
    retainAvailable: ['Retain Available', flag],
    userProperties: ['User Property', user],
    maximumPacketSize: ['Maximum Packet Size', () => pick([1, 65536, 4294967295])],
    wildcardSubscriptionAvailable: ['Wildcard Subscription Available', flag],
    subscriptionIdentifiersAvailable: ['Subscription Identifiers Available', flag],
    sharedSubscriptionAvailable: ['Shared Subscription Available', flag],
};
const of = {
    message: ['payloadFormatIndicator', 'messageExpiryInterval', 'contentType', 'responseTopic', 'correlationData', 'userProperties'],
    connect: ['sessionExpiryInterval', 'receiveMaximum', 'maximumPacketSize', 'topicAliasMaximum', 'requestResponseInformation',
        'requestProblemInformation', 'userProperties', 'authenticationMethod'],
    connack: ['sessionExpiryInterval', 'receiveMaximum', 'maximumQoS', 'retainAvailable', 'maximumPacketSize',
        'assignedClientIdentifier', 'topicAliasMaximum', 'reasonString', 'userProperties', 'wildcardSubscriptionAvailable',
        'subscriptionIdentifiersAvailable', 'sharedSubscriptionAvailable', 'serverKeepAlive', 'responseInformation',
        'serverReference', 'authenticationMethod', 'authenticationData'],
    ack: ['reasonString', 'userProperties'],
    user: ['userProperties'],
};
function some(names) {
    const chosen = {};
    for (const name of names) if (random(3) === 0) chosen[name] = properties[name][1]();
    return chosen;
}

function quoted(value) {
    let line = '"';
    for (const byte of Buffer.from(value))
        line += byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? String.fromCharCode(byte)
            : '\\' + byte.toString(16).padStart(2, '0');
    return line + '"';
}
function block(chosen) {
    const parts = [];
    for (const [name, value] of Object.entries(chosen || {})) {
        const title = properties[name][0];
        if (name === 'userProperties') {
            for (const [key, values] of Object.entries(value))
                for (const one of [].concat(values)) parts.push(`${title}=${quoted(key)}:${quoted(one)}`);
        } else if (typeof value === 'string' || Buffer.isBuffer(value)) parts.push(`${title}=${quoted(value)}`);
        else parts.push(`${title}=${Number(value)}`);
    }
    return ` {${parts.join(', ')}}`;
}
const tail = (packet, version) => (version === 5 ? block(packet.properties) : '');

const kinds = {
    connect(version) {
        const packet = {cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clean: true, clientId: text(), keepalive: random(65536)};
        if (maybe()) packet.username = text();
        if (packet.username && maybe()) packet.password = bytes();
        if (maybe()) {
            packet.will = {topic: pick(['w', 'a/b']), payload: bytes(), qos: random(3), retain: maybe()};
            if (version === 5) packet.will.properties = some(['willDelayInterval', ...of.message]);
        }
        if (version === 5) packet.properties = some(of.connect);
        let line = `CONNECT clean=1 keep=${packet.keepalive} id=${quoted(packet.clientId)}`;
        if (packet.username) line += ` user=${quoted(packet.username)}`;
        if (packet.password) line += ` password=${quoted(packet.password)}`;
        if (packet.will)
            line += ` will(qos=${packet.will.qos} retain=${Number(packet.will.retain)} topic=${quoted(packet.will.topic)} payload=${
                quoted(packet.will.payload)}${version === 5 ? block(packet.will.properties) : ''})`;
        return [packet, 'c', line + tail(packet, version)];
    },
    connack(version) {
        const packet = {cmd: 'connack', sessionPresent: false};
        packet[version === 5 ? 'reasonCode' : 'returnCode'] = version === 5 ? pick([0, 0x80, 0x84, 0x87, 0x9f]) : random(6);
        const code = packet.reasonCode || packet.returnCode || 0;
        if (code === 0) packet.sessionPresent = maybe();
        if (version === 5) packet.properties = some(of.connack);
        return [packet, 's', `CONNACK present=${Number(packet.sessionPresent)} reason=${code}${tail(packet, version)}`];
    },
    publish(version) {
        const side = pick(['c', 's']), qos = random(3);
        const packet = {cmd: 'publish', topic: pick(['t', 'a/b', 'é/x']), payload: bytes(), qos, dup: qos > 0 && maybe(), retain: maybe()};
        if (qos > 0) packet.messageId = id();
        if (version === 5) packet.properties = some([...of.message, 'topicAlias', ...(side === 's' ? ['subscriptionIdentifier'] : [])]);
        return [packet, side, `PUBLISH dup=${Number(packet.dup)} qos=${qos} retain=${Number(packet.retain)}${
            qos > 0 ? ` id=${packet.messageId}` : ''} topic=${quoted(packet.topic)} payload=${quoted(packet.payload)}${tail(packet, version)}`];
    },
    acknowledgement(version) {
        const cmd = pick(['puback', 'pubrec', 'pubrel', 'pubcomp']), packet = {cmd, messageId: id(), reasonCode: 0};
        if (version === 5) {
            packet.reasonCode = pick(cmd < 'pubb' || cmd === 'pubrec' ? [0, 0x10, 0x80, 0x97] : [0, 0x92]);
            packet.properties = some(of.ack);
        }
        return [packet, pick(['c', 's']), `${cmd.toUpperCase()} id=${packet.messageId} reason=${packet.reasonCode}${tail(packet, version)}`];
    },
    subscribe(version) {
        const packet = {cmd: 'subscribe', messageId: id(), subscriptions: []};
        let line = `SUBSCRIBE id=${packet.messageId}`;
        for (let i = random(4) + 1; i > 0; i--) {
            const one = {topic: pick(['a', 'a/+/b', '#', 'é/#']), qos: random(3)};
            let options = one.qos;
            if (version === 5) {
                Object.assign(one, {nl: maybe(), rap: maybe(), rh: random(3)});
                options |= (one.nl ? 4 : 0) | (one.rap ? 8 : 0) | one.rh << 4;
            }
            packet.subscriptions.push(one);
            line += ` ${quoted(one.topic)}:${options}`;
        }
        if (version === 5) packet.properties = some(['subscriptionIdentifier', ...of.user]);
        return [packet, 'c', line + tail(packet, version)];
    },
    suback(version) {
        const granted = Array.from({length: random(4) + 1}, () => pick(version === 5 ? [0, 1, 2, 0x80, 0x87, 0xa2] : [0, 1, 2, 0x80]));
        const packet = {cmd: 'suback', messageId: id(), granted};
        if (version === 5) packet.properties = some(of.ack);
        return [packet, 's', `SUBACK id=${packet.messageId} codes=${granted.join(',')}${tail(packet, version)}`];
    },
    unsubscribe(version) {
        const packet = {cmd: 'unsubscribe', messageId: id(), unsubscriptions: Array.from({length: random(3) + 1}, () => pick(['a', '+/b', '#']))};
        if (version === 5) packet.properties = some(of.user);
        return [packet, 'c', `UNSUBSCRIBE id=${packet.messageId} ${packet.unsubscriptions.map(quoted).join(' ')}${tail(packet, version)}`];
    },
    unsuback(version) {
        const packet = {cmd: 'unsuback', messageId: id()};
        if (version === 5) {
            packet.granted = Array.from({length: random(3) + 1}, () => pick([0, 0x11, 0x8f]));
            packet.properties = some(of.ack);
        }
        return [packet, 's', `UNSUBACK id=${packet.messageId}${version === 5 ? ` codes=${packet.granted.join(',')}` : ''}${tail(packet, version)}`];
    },
    ping() {
        const cmd = pick(['pingreq', 'pingresp']);
        return [{cmd}, cmd === 'pingreq' ? 'c' : 's', cmd.toUpperCase()];
    },
    disconnect(version) {
        const side = version === 5 ? pick(['c', 's']) : 'c', packet = {cmd: 'disconnect', reasonCode: 0};
        if (version === 5) {
            packet.reasonCode = pick(side === 'c' ? [0, 4, 0x80] : [0, 0x8b, 0x8e, 0x9d]);
            packet.properties = some([...of.ack, side === 'c' ? 'sessionExpiryInterval' : 'serverReference']);
        }
        return [packet, side, `DISCONNECT reason=${packet.reasonCode}${tail(packet, version)}`];
    },
    auth(version) {
        if (version !== 5) return kinds.ping();
        const packet = {cmd: 'auth', reasonCode: 0x18, properties: {authenticationMethod: text(), ...some(['authenticationData', ...of.ack])}};
        return [packet, pick(['c', 's']), `AUTH reason=24${tail(packet, version)}`];
    },
};

function generate() {
    for (let round = 0; round < 120; round++) {
        for (const version of [4, 5]) {
            for (const make of Object.values(kinds)) {
                const [packet, side, line] = make(version);
                const hex = mqtt.generate(packet, {protocolVersion: version}).toString('hex');
                console.log(JSON.stringify({version, side, hex, text: line}));
            }
        }
    }
}

// What a packet parses to, without the length, which depends on how acknowledgements leave out what is 0.
function parsed(version, hex) {
    let found = null;
    const parser = mqtt.parser({protocolVersion: version});
    parser.on('packet', (packet) => { found = packet; });
    parser.on('error', (error) => { throw error; });
    parser.parse(Buffer.from(hex, 'hex'));
    if (found === null) throw new Error(`no packet in ${hex}`);
    delete found.length;
    if (!found.reasonCode) delete found.reasonCode;
    if (found.properties && Object.keys(found.properties).length === 0) delete found.properties;
    return JSON.stringify(found, (key, value) => (Buffer.isBuffer(value) ? value.toString('hex') : value));
}

function compare() {
    const lines = require('fs').readFileSync(0, 'utf8').split('\n');
    for (const line of lines) {
        const {version, hex, again} = JSON.parse(line);
        if (parsed(version, hex) !== parsed(version, again)) {
            console.log(`differ: ${hex} ${parsed(version, hex)}\n        ${again} ${parsed(version, again)}`);
            return;
        }
    }
    console.log(`${lines.length} the same`);
}

(process.argv[2] === 'generate' ? generate : compare)();
