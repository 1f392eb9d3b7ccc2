// Requests that the definitions render, judged by the payment services' OpenAPI documents under Prism: official ones where they may be had, else written by hand from the documentation.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

const { TOLLHOUSE_BIN: binary, TOLLHOUSE_STANDINS_DIR: documents } = process.env;
const requests = JSON.parse(readFileSync(join(documents, "requests.json"), "utf8"));
const patienceMs = 60_000;

// What is called, with which credentials, and what a caller writes where the definition adds the rest.
// `bad: null`: what makes the request malformed is a member that the definition itself adds, so no caller can leave it out.
const shop = "https://shop.example";
const services = {
  adyen: { fields: { api_key: "k", merchant_account: "M" }, calls: [{ definition: "adyen-card" }] },
  affirm: { fields: { public_api_key: "p", private_api_key: "k" }, calls: [{ definition: "affirm-affirm" }] },
  afterpay: { fields: { merchant_id: "m", secret_key: "k", shop_url: shop }, calls: [{ definition: "afterpay-afterpay" }] },
  airwallex: { fields: { client_id: "c", api_key: "k" }, calls: [{ definition: "airwallex-card", bad: null }] },
  "amazon-pay": {
    fields: { public_key_id: "SANDBOX-K", private_key: rsaKey(), store_id: "amzn1.application-oa2-client.1", region: "eu" },
    calls: [{ definition: "amazon-pay-amazonpay", bad: null }],
  },
  braintree: { fields: { public_key: "p", private_key: "k" }, calls: [{ definition: "braintree-card", good: {}, bad: null }] },
  "checkout-com": { fields: { secret_key: "sk_sbox_1", processing_channel_id: `pc_${"1".repeat(26)}`, subdomain: "abc" }, calls: [{ definition: "checkout-card" }] },
  cybersource: { fields: { merchant_id: "m", key_id: "k", secret_key: "c2VjcmV0" }, calls: [{ definition: "cybersource-card" }] },
  dlocal: { fields: { x_login: "l", x_trans_key: "t", secret_key: "k" }, calls: [{ definition: "dlocal-card" }] },
  flutterwave: { fields: { secret_key: "FLWSECK_TEST-1" }, calls: [{ definition: "flutterwave-card", bad: null }] },
  gocardless: {
    fields: { access_token: "t" },
    calls: [{
      definition: "gocardless-gocardless",
      good: { ...requests.gocardless.good, billing_request_flows: { redirect_uri: `${shop}/r` } },
      malformed: { ...requests.gocardless.bad, billing_request_flows: { redirect_uri: `${shop}/r` } },
    }],
  },
  klarna: { fields: { username: "u", password: "p", region: "eu" }, calls: [{ definition: "klarna-klarna" }] },
  "mastercard-gateway": { under: "/version/100", fields: { merchant_id: "TESTMERCHANT", api_password: "p", gateway: "eu" }, calls: [{ definition: "mastercard-gateway-card" }] },
  mercadopago: { fields: { access_token: "TEST-1" }, calls: [{ definition: "mercadopago-mercadopago" }] },
  mollie: { fields: { api_key: "test_1" }, calls: [{ definition: "mollie-card" }] },
  "nexi-checkout": { fields: { secret_key: "k", terms_url: shop }, calls: [{ definition: "nexi-checkout-card" }] },
  nuvei: {
    fields: { merchant_id: "1", merchant_site_id: "2", merchant_secret_key: "k" },
    calls: [{ definition: "nuvei-card", good: { clientRequestId: "r-1", amount: "10.00", currency: "USD" }, bad: null }],
  },
  paypal: { fields: { client_id: "c", client_secret: "s" }, calls: [{ definition: "paypal-paypal" }] },
  paystack: { fields: { secret_key: "sk_test_1" }, calls: [{ definition: "paystack-card" }] },
  plaid: { fields: { client_id: "c", secret: "s" }, calls: [{ definition: "plaid-plaid" }] },
  razorpay: { fields: { key_id: "rzp_test_1", key_secret: "s" }, calls: [{ definition: "razorpay-razorpay" }] },
  square: { fields: { access_token: "t", location_id: "L" }, calls: [{ definition: "square-card" }] },
  stripe: {
    document: "openapi/stripe.flat.json",
    fields: { secret_key: "sk_test_1" },
    calls: [{ definition: "stripe-card" }, { definition: "stripe-stripe", request: "stripe-checkout" }],
  },
  swish: { fields: { payee_alias: "1231181189", ...clientCertificate() }, calls: [{ definition: "swish-swish" }] },
  trustly: {
    prefix: "/api",
    fields: { username: "u", password: "p", private_key: rsaKey() },
    calls: [{
      definition: "trustly-trustly",
      good: caller(requests.trustly.good.params.Data, ["Username", "Password"]),
      bad: null,
      // The stand-in takes the request, but its answer always bears the same id, which is not that of the request.
      disbelieved: true,
    }],
  },
  vipps: { fields: { client_id: "c", client_secret: "s", subscription_key: "k", merchant_serial_number: "123456" }, calls: [{ definition: "vipps-vipps" }] },
  worldpay: { fields: { username: "u", password: "p", entity: "default" }, calls: [{ definition: "worldpay-card" }] },
  xendit: { fields: { secret_key: "xnd_development_1" }, calls: [{ definition: "xendit-card" }] },
};

const running = [];
const directory = mkdtempSync(join(tmpdir(), "tollhouse-standins-"));
let base;
let token;

before(async () => {
  const variables = { TOLLHOUSE_EGRESS__ALLOW: "127.0.0.0/8", TOLLHOUSE_EGRESS__ALLOW_HTTP: "true", TOLLHOUSE_OUTBOUND__TIMEOUT_MS: "30000", TOLLHOUSE_LOG: "warn" };
  for (const [id, service] of Object.entries(services)) {
    service.base = `http://127.0.0.1:${await freePort()}`;
    variables[`TOLLHOUSE_PROVIDERS__${id.toUpperCase().replaceAll("-", "_")}__BASE_URL`] = service.base + (service.prefix ?? "");
  }
  const ready = join(directory, "ready");
  start(binary, ["dev", "--data", join(directory, "data"), "--listen", "127.0.0.1:0", "--ready-file", ready], variables);
  base = await until(() => readFileSync(ready, "utf8").trim() || Promise.reject(new Error("not yet")), "the server");
  token = execFileSync(binary, ["token", "--key-file", join(directory, "data", "private_key.pem"), "--expires", "1h"], { encoding: "utf8" }).trim();
});

after(() => {
  for (const process of running) process.kill();
  rmSync(directory, { recursive: true, force: true });
});

test("every document has a service here", () => {
  const documented = new Set(Object.values(requests).map((request) => request.file.replace(/^.*\/|(\.flat)?\.json$/g, "")));
  assert.deepEqual(Object.keys(services).sort(), [...documented].sort());
});

// One process per document, of 150 to 200 MiB: two at a time.
describe("stand-ins", { concurrency: 2 }, () => {
  for (const [id, service] of Object.entries(services)) {
    describe(id, () => {
      let prism;
      before(async () => {
        prism = start("node_modules/.bin/prism", ["mock", "-h", "127.0.0.1", "-p", new URL(service.base).port, document(id, service)]);
        await until(() => fetch(service.base), `Prism for ${id}`);
        // The first request against a large document compiles its schemas and takes seconds.
        for (const call of service.calls) await ask(service, requests[call.request ?? id], requests[call.request ?? id].good);
      });
      after(() => prism.kill());
      for (const call of service.calls) judge(service, call, requests[call.request ?? id]);
    });
  }
});

/** The document of a service; where its paths begin behind a part that the definition writes, a copy with that part. */
function document(id, service) {
  const original = join(documents, service.document ?? requests[id].file);
  if (!service.under) return original;
  const copy = JSON.parse(readFileSync(original, "utf8"));
  copy.paths = Object.fromEntries(Object.entries(copy.paths).map(([path, item]) => [service.under + path, item]));
  const file = join(directory, `${id}.json`);
  writeFileSync(file, JSON.stringify(copy));
  return file;
}

function judge(service, call, request) {
  test(`${call.definition}: the correct request is taken`, async () => {
    const session = await createSession(service, call.definition, call.good ?? opaque(request.good));
    assert.equal(session.status, call.disbelieved ? "failed" : "succeeded", JSON.stringify(session));
    assert.ok(session.status_code >= 200 && session.status_code < 300, JSON.stringify(session));
    assert.equal(session.code, call.disbelieved ? "INVALID_SERVICE_RESPONSE" : null);
  });
  if (call.bad === null) return;
  test(`${call.definition}: the malformed request (${request.bad_because}) fails with the service's own status and body`, async () => {
    const own = await ask(service, request, request.bad);
    const session = await createSession(service, call.definition, call.malformed ?? opaque(request.bad));
    assert.deepEqual(
      { status: session.status, code: session.code, status_code: session.status_code, response_body: session.response_body },
      // A session carries an object or nothing: a list of errors stays in the record.
      { status: "failed", code: "INVALID_SERVICE_REQUEST", status_code: own.status, response_body: Array.isArray(own.body) ? null : own.body },
    );
  });
}

/** What a caller writes of an object, the members left out that the definition adds. */
function caller(object, added) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !added.includes(name)));
}

/** A private key as a merchant enters it; nobody checks what it signs. */
function rsaKey() {
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
}

/** A certificate and its key, made for this run: the stand-ins speak plain HTTP and never see it. */
function clientCertificate() {
  const [key, certificate] = [join(tmpdir(), `tollhouse-standins-${process.pid}.key`), join(tmpdir(), `tollhouse-standins-${process.pid}.pem`)];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=stand-in", "-days", "1", "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const pair = { certificate: readFileSync(certificate, "utf8"), private_key: readFileSync(key, "utf8") };
  for (const file of [key, certificate]) rmSync(file);
  return pair;
}

/** Creates a service of a definition and one session with it. */
async function createSession(service, definition, body) {
  const fields = Object.entries({ ...service.fields, mode: "sandbox" }).map(([key, value]) => ({ key, value }));
  const created = await api("/payment-services", {
    display_name: definition,
    payment_service_definition_id: definition,
    fields,
    accepted_currencies: ["EUR"],
    accepted_countries: ["NL"],
  });
  assert.ok(created.id, JSON.stringify(created));
  return api(`/payment-services/${created.id}/sessions`, body);
}

async function api(path, body) {
  const response = await fetch(base + path, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  return response.json();
}

/** Sends a request straight to the stand-in, as `requests.json` writes it. */
async function ask(service, request, body) {
  const response = await fetch(service.base + (service.under ?? "") + request.path, { method: request.method, headers: request.headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  const text = await response.text();
  // Some answer a success with a token, or with headers alone.
  const isJson = response.headers.get("content-type")?.includes("json") && text !== "";
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

/** The JSON that a caller writes for a request: a form is read back into nested members. */
function opaque(request) {
  if (typeof request !== "string") return request;
  const root = {};
  for (const [name, text] of new URLSearchParams(request)) {
    const path = name.replaceAll("]", "").split("[");
    const value = /^(true|false|[0-9]+)$/.test(text) ? JSON.parse(text) : text;
    let place = root;
    path.slice(0, -1).forEach((key, index) => (place = place[key] ??= /^[0-9]+$/.test(path[index + 1]) ? [] : {}));
    place[path.at(-1)] = value;
  }
  return root;
}

function start(command, args, variables = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ...variables } });
  running.push(child);
  return child;
}

async function until(attempt, what) {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw new Error(`${what} did not start in time`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
