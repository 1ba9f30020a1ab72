// The interop service on grpc-js, for Node.js.
//   node server.js FOLDER_OF_MODULES INTEROP_PROTO      prints "listening PORT", and on SIGTERM "calls N"
'use strict';
const path = require('path');
const [modules, proto] = process.argv.slice(2);
const grpc = require(path.join(modules, '@grpc/grpc-js'));
const loader = require(path.join(modules, '@grpc/proto-loader'));

let calls = 0;

function begin(call) {
  calls++;
  const initial = call.metadata.get('x-echo-initial');
  if (initial.length) {
    const metadata = new grpc.Metadata();
    metadata.set('x-echo-initial', initial[0]);
    call.sendMetadata(metadata);
  }
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get('x-echo-trailing-bin')) trailing.add('x-echo-trailing-bin', value);
  return trailing;
}

const length = (payload) => (payload && payload.body ? payload.body.length : 0);
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failed = (end) => end && end.code !== 0;

function answer(request, size, number) {
  return { payload: { body: Buffer.alloc(Math.max(size, 0)) }, received_bytes: length(request.payload), number };
}

async function parts(call, request, number) {
  for (const part of request.parts) {
    if (part.delay_ms) await later(part.delay_ms);
    if (call.cancelled) return number;
    call.write(answer(request, part.answer_bytes, ++number));
  }
  return number;
}

function endStream(call, end, trailing) {
  if (failed(end)) call.emit('error', { code: end.code, details: end.message, metadata: trailing });
  else call.end(trailing);
}

const service = {
  Empty(call, callback) {
    callback(null, {}, begin(call));
  },
  async Unary(call, callback) {
    const trailing = begin(call);
    if (call.request.delay_ms) await later(call.request.delay_ms);
    const { end } = call.request;
    if (failed(end)) callback({ code: end.code, details: end.message, metadata: trailing });
    else callback(null, answer(call.request, call.request.answer_bytes, 1), trailing);
  },
  async Download(call) {
    const trailing = begin(call);
    await parts(call, call.request, 0);
    endStream(call, call.request.end, trailing);
  },
  Upload(call, callback) {
    const trailing = begin(call);
    const summary = { messages: 0, received_bytes: 0 };
    let over = false;
    call.on('data', (request) => {
      summary.messages++;
      summary.received_bytes += length(request.payload);
      if (!over && failed(request.end)) {
        over = true;
        callback({ code: request.end.code, details: request.end.message, metadata: trailing });
      }
    });
    call.on('end', () => {
      if (!over) callback(null, summary, trailing);
    });
  },
  Duplex(call) {
    const trailing = begin(call);
    let number = 0;
    let over = false;
    let turn = Promise.resolve(); // requests are answered one after the other
    call.on('data', (request) => {
      turn = turn.then(async () => {
        if (over) return;
        number = await parts(call, request, number);
        if (failed(request.end)) {
          over = true;
          endStream(call, request.end, trailing);
        }
      });
    });
    call.on('end', () => {
      turn = turn.then(() => {
        if (!over) call.end(trailing);
      });
    });
  },
};

const definition = loader.loadSync(proto, { keepCase: true, longs: Number, defaults: true });
const { Interop } = grpc.loadPackageDefinition(definition).interop;
const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 });
server.addService(Interop.service, service);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log('listening', port);
});
process.on('SIGTERM', () => {
  console.log('calls', calls);
  server.forceShutdown();
  process.exit(0);
});
