// A client of Node's http, with an agent that keeps connections.
const http = require('http');
const cfg = JSON.parse(process.env.SOAK_CLIENT);
const agent = new http.Agent({ keepAlive: true, maxSockets: 6, timeout: 30000 });

let state = (Number(cfg.seed) % 2147483646) + 1;
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}
const pick = (list) => list[Math.floor(random() * list.length)];
const table = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
function crc32(b) {
  let crc = -1;
  for (let i = 0; i < b.length; i++) crc = table[(crc ^ b[i]) & 255] ^ (crc >>> 8);
  return ((crc ^ -1) >>> 0).toString(16).padStart(8, '0');
}
function pattern(nonce, size) {
  const lines = [];
  for (let have = 0, i = 0; have < size; i++) {
    const line = `${nonce} ${i}\n`;
    lines.push(line);
    have += line.length;
  }
  return Buffer.from(lines.join(''), 'latin1').subarray(0, size);
}
const services = Object.keys(cfg.services).sort();

function call() {
  const service = pick(services);
  const want = service === 'mix' ? pick(cfg.wants) : '';
  const nonce = Math.floor(random() * 0xffffffff).toString(16).padStart(8, '0') + Math.floor(random() * 0xffffffff).toString(16).padStart(8, '0');
  const size = Math.floor(random() * 4000);
  const kind = want === 'nginx' ? 'static' : pick(['echo', 'sum']);
  let path = `/${kind === 'static' ? 'echo' : kind}?n=${nonce}&size=${size}`;
  const rule = service === 'shift' ? 1 + Math.floor(random() * cfg.rules) : 0;
  if (rule) path = `/r/${rule}${path}`;
  const data = kind === 'sum' ? pattern(nonce, size) : null;
  const expected = data ? Buffer.from(`${crc32(data)} ${size}\n`) : pattern(nonce, size);
  const c = { client: 'node', service, case: kind, want, rule, start: Date.now() * 1e6, status: 0, from: '', err: '', text: '' };
  let where = '', done = false;
  const finish = () => {
    if (done) return;
    done = true;
    c.end = (Date.now() + 1) * 1e6;
    if (c.err || c.status >= 400) c.text = `${where} ${path}: ${c.text}`;
    process.stdout.write(JSON.stringify(c) + '\n');
  };
  const fail = (e) => {
    c.text = String(e && e.stack ? e.code + ' ' + e.message : e);
    c.err = e.code === 'ENOTFOUND' || e.code === 'EAI_AGAIN' ? 'resolve' : e.code === 'ECONNREFUSED' ? 'refused' : e.code === 'ETIMEDOUT' ? 'timeout'
      : c.status ? 'cut' : e.message === 'socket hang up' ? 'closed' : e.code === 'ECONNRESET' || e.code === 'EPIPE' ? 'reset' : 'other';
    finish();
  };
  const headers = want ? { 'x-want': want } : {};
  if (data) headers['content-length'] = data.length;
  const req = http.request({ host: cfg.services[service], path, method: data ? 'POST' : 'GET', headers, agent }, (res) => {
    c.status = res.statusCode;
    c.from = res.headers['x-from'] || '';
    const parts = [];
    res.on('data', (b) => parts.push(b));
    res.on('error', fail);
    res.on('end', () => {
      const body = Buffer.concat(parts);
      if (!c.from) c.text = body.subarray(0, 500).toString();
      else if (want !== 'nginx' && res.headers['x-nonce'] !== nonce) { c.err = 'wrong'; c.text = 'the answer belongs to ' + res.headers['x-nonce']; }
      else if (want && c.from !== want) { c.err = 'wrong'; c.text = c.from + ' answered'; }
      else if (want === 'nginx' ? !body.equals(pattern('static', body.length)) : c.status === 200 && !body.equals(expected)) {
        c.err = 'wrong'; c.text = `${body.length} bytes in place of ${expected.length}, last ${JSON.stringify(body.subarray(-40).toString())}`;
      }
      finish();
    });
  });
  req.on('socket', (s) => { c.born = s.born = s.born || c.start; where = `port ${s.localPort} reused=${req.reusedSocket}`; });
  req.setTimeout(25000, () => req.destroy(Object.assign(new Error('no answer in 25 s'), { code: 'ETIMEDOUT' })));
  req.on('error', fail);
  req.end(data);
}
(function next() {
  setTimeout(() => { call(); next(); }, (-Math.log(1 - random()) / cfg.rate) * 1000);
})();
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
