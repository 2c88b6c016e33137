// A target of gRPC with the methods of Go's: grpc_target.js PORT
const grpc = require('@grpc/grpc-js')

const ended = {}
const end = name => {
  if (!ended[name]) {
    ended[name] = {}
    ended[name].came = new Promise(good => { ended[name].set = good })
  }
  return ended[name]
}
// first calls f with the first message of a call.
const first = f => call => { let n = 0; call.on('data', m => { if (n++ === 0) f(call, m) }) }

const methods = {
  Echo: first((call, m) => {
    const [mine] = call.metadata.get('x-mine')
    if (mine !== undefined) {
      const head = new grpc.Metadata(), trailer = new grpc.Metadata()
      head.set('x-seen', mine)
      head.set('x-data-bin', call.metadata.get('x-data-bin')[0])
      trailer.set('x-end', mine)
      call.sendMetadata(head)
      call.write(m)
      return call.end(trailer)
    }
    call.write(m)
    call.end()
  }),
  Sum: call => {
    let n = 0, total = 0
    call.on('data', m => { n++; total += m.length })
    call.on('end', () => { call.write(Buffer.from(`${n} messages, ${total} bytes`)); call.end() })
  },
  Count: first((call, m) => {
    const [n, size] = m.toString().split(' ').map(Number)
    for (let i = 0; i < n; i++) call.write(Buffer.alloc(size))
    call.end()
  }),
  Talk: call => {
    call.on('data', m => call.write(m))
    call.on('end', () => call.end())
  },
  Wait: first((call, m) => call.on('cancelled', () => end(m).set())),
  Ended: first((call, m) => end(m).came.then(() => { call.write(Buffer.from('ended')); call.end() })),
  Fail: call => call.emit('error', { code: grpc.status.FAILED_PRECONDITION, details: 'not now: 100 % of ü' }),
  Exit: call => {
    let n = 0
    call.on('data', m => { if (n++ === 0) call.write(m); else process.exit(0) })
  },
}
methods.Sleep = methods.Wait

const server = new grpc.Server({ 'grpc.max_receive_message_length': 8 << 20 })
const as = b => b
const definition = {}
for (const name in methods) {
  definition[name] = { path: '/calls.Calls/' + name, requestStream: true, responseStream: true, requestSerialize: as, requestDeserialize: as, responseSerialize: as, responseDeserialize: as }
}
server.addService(definition, methods)
server.bindAsync('0.0.0.0:' + process.argv[2], grpc.ServerCredentials.createInsecure(), e => { if (e) throw e })
