// Makes all the calls of gRPC that Go's client makes, and prints how each ended.
const grpc = require('@grpc/grpc-js'), fs = require('fs')
const [address, root] = process.argv.slice(2)
const client = new grpc.Client(address, grpc.credentials.createSsl(fs.readFileSync(root)), { 'grpc.max_receive_message_length': 8 << 20 })
const as = b => b, path = name => '/calls.Calls/' + name
const within = ms => ({ deadline: Date.now() + ms })
const words = e => grpc.status[e.code]
const metadata = fields => { const m = new grpc.Metadata(); for (const k in fields) m.set(k, fields[k]); return m }

// unary makes a call with one message each way; begun is told of the call.
const unary = (name, message = Buffer.alloc(0), o = within(20000), fields = {}, begun = () => {}) => new Promise((good, bad) =>
  begun(client.makeUnaryRequest(path(name), as, as, message, metadata(fields), o, (e, out) => e ? bad(e) : good(out))))
const failure = p => p.then(() => ({ code: 0 }), e => e)
const talk = name => client.makeBidiStreamRequest(path(name), as, as, metadata({}), within(20000))

const tries = {
  async unary() {
    let head, end
    const out = await unary('Echo', Buffer.from('hello'), within(20000), { 'x-mine': 'mine', 'x-data-bin': Buffer.from([0, 255]) }, call => {
      call.on('metadata', m => head = m)
      end = new Promise(good => call.on('status', s => good(s.metadata)))
    })
    return `${out}, seen ${head.get('x-seen')}, end ${(await end).get('x-end')}, data ${head.get('x-data-bin')[0].toString('hex')}`
  },
  upload: () => new Promise((good, bad) => {
    const call = client.makeClientStreamRequest(path('Sum'), as, as, metadata({}), within(20000), (e, out) => e ? bad(e) : good(out.toString()))
    for (let i = 0; i < 1000; i++) call.write(Buffer.alloc(500))
    call.end()
  }),
  async download() {
    let n = 0, total = 0
    for await (const m of client.makeServerStreamRequest(path('Count'), as, as, Buffer.from('5000 100'), metadata({}), within(20000))) n++, total += m.length
    return `${n} messages, ${total} bytes`
  },
  talk: () => new Promise((good, bad) => {
    const call = talk('Talk')
    let n = 0
    call.write(Buffer.from('word 0'))
    call.on('data', m => {
      if (m.toString() !== 'word ' + n) bad(new Error(`${m} for word ${n}`))
      if (++n < 100) call.write(Buffer.from('word ' + n)); else call.end()
    })
    call.on('end', () => good(`${n} answers`))
    call.on('error', bad)
  }),
  async deadline() {
    const e = await failure(unary('Sleep', Buffer.from('node deadline'), within(300)))
    return words(e) + ' ' + await unary('Ended', Buffer.from('node deadline'))
  },
  async cancel() {
    const e = await failure(unary('Wait', Buffer.from('node cancel'), within(20000), {}, call => setTimeout(() => call.cancel(), 200)))
    return words(e) + ' ' + await unary('Ended', Buffer.from('node cancel'))
  },
  async status() {
    const e = await failure(unary('Fail'))
    return words(e) + ' ' + e.details
  },
  async large() {
    return (await unary('Echo', Buffer.alloc(4000000))).length + ' bytes'
  },
  async many() {
    const all = await Promise.all(Array.from({ length: 500 }, (_, i) => unary('Echo', Buffer.from(`${i}`), within(30000)).then(out => out.toString() === `${i}`)))
    return all.filter(x => x).length + ' answers'
  },
  async denied() {
    const e = await failure(unary('Denied'))
    return words(e) + ' ' + e.details.split('is ')[1].split(' to')[0]
  },
  async nowhere() {
    return words(await failure(unary('Nowhere')))
  },
  async exit() {
    const call = talk('Exit')
    const dead = new Promise(good => call.on('error', good))
    const out = new Promise(good => call.once('data', good))
    call.write(Buffer.from('hello'))
    const first = await out
    call.write(Buffer.from('hello'))
    return `${first} ${words(await dead)} ${words(await failure(unary('Exit')))}`
  },
};

(async () => {
  const got = {}
  for (const name in tries) got[name] = await tries[name]().catch(e => String(e))
  console.log(JSON.stringify(got))
  client.close()
})()
