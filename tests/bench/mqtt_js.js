// MQTT.js, on which `mqttx bench` is built: clients that each have one PUBLISH of QoS 1 in flight, for so many seconds.
//   node mqtt_js.js PORT CLIENTS SECONDS
const mqtt = require('mqtt');
const [port, clients, seconds] = process.argv.slice(2).map(Number);
const payload = 'x'.repeat(16);
let over = false;
setTimeout(() => { over = true; setTimeout(() => process.exit(0), 200); }, seconds * 1000);
for (let i = 0; i < clients; i++) {
    const client = mqtt.connect({ host: '127.0.0.1', port, protocolVersion: 4, keepalive: 600, clientId: `js-${i}` });
    const next = () => over || client.publish('peers/topic', payload, { qos: 1 }, next);
    client.on('connect', next);
    client.on('error', (error) => { console.error(error.message); process.exit(1); });
}
