// A target of Node's http: it closes connections that idle for a second and a half.
const http = require('http');
const name = process.env.SOAK_NAME;
const [, host, port] = process.env.SOAK_LISTEN.match(/^(.*):(\d+)$/);

const table = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
function crc32(b, crc) {
  for (let i = 0; i < b.length; i++) crc = table[(crc ^ b[i]) & 255] ^ (crc >>> 8);
  return crc;
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

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  const q = url.searchParams;
  res.setHeader('X-From', name);
  res.setHeader('X-Nonce', q.get('n') || '');
  if (q.get('close')) res.setHeader('Connection', 'close');
  if (url.pathname === '/sum') {
    let crc = -1, n = 0;
    req.on('data', (b) => { crc = crc32(b, crc); n += b.length; });
    req.on('end', () => res.end(((crc ^ -1) >>> 0).toString(16).padStart(8, '0') + ' ' + n + '\n'));
    return;
  }
  req.resume();
  if (url.pathname === '/healthz') return res.end('ok\n');
  if (url.pathname === '/code') {
    res.statusCode = Number(q.get('code'));
    return res.end();
  }
  if (url.pathname === '/hints') {
    return res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' }, () => res.end('hinted\n'));
  }
  if (url.pathname === '/early') {
    res.writeHead(413, { Connection: 'close', 'Content-Length': 9 });
    return res.end('too much\n');
  }
  const body = pattern(q.get('n') || '', Number(q.get('size') || 0));
  setTimeout(() => {
    if (q.get('chunked')) {
      for (let at = 0; at < body.length; at += 3000) res.write(body.subarray(at, at + 3000));
      return res.end();
    }
    res.setHeader('Content-Length', body.length);
    res.end(body);
  }, Number(q.get('ms') || 0));
});
server.keepAliveTimeout = 1500;
server.listen(Number(port), host || undefined);
