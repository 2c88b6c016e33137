// Opens a page of a service in Chromium and talks over a WebSocket to it, as a script of that page:
// browser.js URL FLAG… It prints one line of JSON: what the page saw. HOME has the certificates that the browser trusts.
const { chromium } = require("playwright-core");

async function talk() { // in the page
  const said = [];
  const socket = new WebSocket(location.href.replace(/^http/, "ws") + "echo");
  socket.binaryType = "arraybuffer";
  const next = () => new Promise((resolve, reject) => {
    socket.onmessage = (e) => resolve(e.data);
    socket.onclose = (e) => reject(new Error("closed with " + e.code));
  });
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no WebSocket")); });
  for (const text of ["hello", "grüße".repeat(1000)]) {
    socket.send(text);
    said.push((await next()) === text ? "echo" : "another text");
  }
  const bytes = crypto.getRandomValues(new Uint8Array(60000));
  socket.send(bytes);
  const back = new Uint8Array(await next());
  said.push(back.length === bytes.length && back.every((b, i) => b === bytes[i]) ? "echo" : "other bytes");
  const later = next();
  socket.send("after a while"); // of silence, the target speaks
  said.push(await later);
  const closed = new Promise((resolve) => { socket.onclose = resolve; });
  socket.close(4000);
  const end = await closed;
  return { title: document.title, said, code: end.code, clean: end.wasClean };
}

(async () => {
  const [url, ...flags] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", ...flags], env: process.env });
  try {
    const page = await browser.newPage();
    const response = await page.goto(url);
    const security = await response.securityDetails();
    const seen = await page.evaluate(talk);
    console.log(JSON.stringify({ status: response.status(), issuer: security.issuer, ...seen }));
  } finally {
    await browser.close();
  }
})().catch((e) => { console.error(e); process.exit(1); });
