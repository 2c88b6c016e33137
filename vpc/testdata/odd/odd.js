// A peer for TestOddPeers in Node: odd.js listen|connect ADDRESS PORT
'use strict';
const net = require('node:net');
const [role, address, port] = process.argv.slice(2);
const say = (text) => console.log(text);
const pattern = (n) => Buffer.from(Array.from({ length: n }, (_, i) => i % 251));

function serve(s, first, done) {
  s.setNoDelay(true);
  let state = first ? 'hello' : 'command', head = '', command = '', n = 0, got = 0, h = 0, out = '', sent = 0;
  const finish = (ending) => {
    if (state === 'done') return;
    state = 'done';
    if (['echo', 'half', 'aborted', 'bytes', 'slow'].includes(command)) {
      out += command === 'slow' ? ` ${Math.min(got, n)} bytes, sum ${h} ${got - Math.min(got, n)} bytes, then ${ending}` : ` ${command === 'echo' ? got - n : got} bytes, then ${ending}`;
    }
    say(out);
    s.destroy();
    done();
  };
  const begin = () => {
    out = `${command} ${n}:`;
    if (command === 'half') s.end(pattern(n));
    if (command === 'reset') s.write(pattern(n));
    if (command === 'aborted') s.write('w');
    if (command === 'bytes') {
      const step = () => { while (sent < n) if (!s.write(Buffer.from([sent++ % 251]))) return s.once('drain', step); };
      step();
    }
  };
  s.on('data', (b) => {
    for (let i = 0; i < b.length; i++) {
      if (state === 'body') {
        b = b.subarray(i);
        if (command === 'slow') for (const c of b.subarray(0, Math.max(0, n - got))) h = (Math.imul(h, 31) + c) >>> 0;
        got += b.length;
        if (command === 'echo') if (!s.write(b)) { s.pause(); s.once('drain', () => s.resume()); }
        if (command === 'reset') { s.resetAndDestroy(); finish(''); }
        if (command === 'unread') finish('');
        return;
      }
      head += String.fromCharCode(b[i]);
      if (!head.endsWith('\n')) continue;
      if (state === 'hello') { s.write('ok\n'); state = 'command'; head = ''; continue; }
      [command, n] = head.trim().split(' ');
      n = Number(n);
      state = 'body';
      begin();
    }
  });
  s.on('end', () => finish('end'));
  s.on('error', (e) => finish(e.code));
  if (!first) s.write('ok\n');
}

if (role === 'listen') {
  net.createServer({ allowHalfOpen: true }, (s) => serve(s, true, () => {})).listen(Number(port), address, () => say('ready'));
} else {
  say('ready');
  const again = () => {
    const s = net.connect({ port: Number(port), host: address, allowHalfOpen: true });
    s.once('error', (e) => { if (e.code === 'ECONNREFUSED') process.exit(0); });
    s.once('connect', () => serve(s, false, again));
  };
  again();
}
