// Signs the requests that it reads with the AWS SDK for JavaScript, with SigV4 or SigV4A; see
// ../../signers/signers_test.go for the form of both. Packages come from the folder in NODE_FOLDER.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";

const require = createRequire(process.env.NODE_FOLDER + "/node_modules/");
const { SignatureV4 } = require("@smithy/signature-v4");
const { SignatureV4a } = require("@smithy/signature-v4a");
const { Sha256 } = require("@aws-crypto/sha256-js");
const { buildQueryString } = require("@smithy/core/protocols");
const { HttpRequest } = require("@smithy/core/protocols");
const versions = ["signature-v4", "signature-v4a"].map((p) => "@smithy/" + p + " " + JSON.parse(readFileSync(process.env.NODE_FOLDER + "/node_modules/@smithy/" + p + "/package.json")).version);

const job = JSON.parse(readFileSync(0, "utf8"));
const at = new Date(job.time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));

// bag reads a query as the SDK holds it: decoded, a list where a key is repeated.
function bag(query) {
  const out = {};
  for (const pair of query.split("&").filter((p) => p !== "")) {
    const at = pair.indexOf("=");
    const [key, value] = [at < 0 ? pair : pair.slice(0, at), at < 0 ? "" : pair.slice(at + 1)].map((s) => decodeURIComponent(s.replace(/\+/g, " ")));
    out[key] = key in out ? [].concat(out[key], value) : value;
  }
  return out;
}

async function sign(c) {
  const [path, query] = [c.target.split("?")[0], c.target.split("?").slice(1).join("?")];
  const [hostname, port] = c.host.split(":");
  const headers = { host: c.host };
  for (const [k, v] of c.headers) {
    if (k.toLowerCase() in headers) throw new Error("the SDK holds one value for each header");
    headers[k.toLowerCase()] = v;
  }
  if (c.payload === "unsigned" && !c.presign) headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
  const request = new HttpRequest({ method: c.method, protocol: "http:", hostname, port: port && Number(port), path, query: bag(query), headers, body: c.body || undefined });
  const init = { service: job.service, region: job.regionSet || job.region, sha256: Sha256, applyChecksum: c.payload === "signed",
    credentials: { accessKeyId: job.key, secretAccessKey: job.secret, ...(c.token && { sessionToken: c.token }) } };
  const signer = job.regionSet ? new SignatureV4a(init) : new SignatureV4(init);
  if (c.presign && !signer.presign) throw new Error("the SDK does not presign with SigV4A");
  const out = c.presign ? await signer.presign(request, { signingDate: at, expiresIn: 300 }) : await signer.sign(request, { signingDate: at });
  return { name: c.name, path: out.path, query: buildQueryString(out.query ?? {}), headers: Object.entries(out.headers) };
}

const cases = [];
for (const c of job.cases) cases.push(await sign(c).catch((e) => ({ name: c.name, error: String(e.message) })));
process.stdout.write(JSON.stringify({ generator: versions[job.regionSet ? 1 : 0], cases }));
