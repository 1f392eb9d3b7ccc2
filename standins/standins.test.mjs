// Requests that the definitions render, judged by the payment services' own OpenAPI documents under Prism.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const { TOLLHOUSE_BIN: binary, TOLLHOUSE_STANDINS_DIR: documents } = process.env;
const requests = JSON.parse(readFileSync(join(documents, "requests.json"), "utf8"));
const patienceMs = 60_000;

// What is called, with which credentials, and which of the requests it must answer. A request that the definition itself completes can not be malformed by a caller.
const services = {
  adyen: { file: "openapi/adyen.json", fields: { api_key: "k", merchant_account: "M" }, calls: [{ request: "adyen", definition: "adyen-card" }] },
  stripe: {
    file: "openapi/stripe.flat.json",
    fields: { secret_key: "sk_test_1" },
    calls: [{ request: "stripe", definition: "stripe-card" }, { request: "stripe-checkout", definition: "stripe-stripe" }],
  },
  paypal: { file: "openapi/paypal.json", fields: { client_id: "c", client_secret: "s" }, calls: [{ request: "paypal", definition: "paypal-paypal" }] },
  klarna: { file: "openapi-handwritten/klarna.json", fields: { username: "u", password: "p", region: "eu" }, calls: [{ request: "klarna", definition: "klarna-klarna" }] },
  braintree: {
    file: "openapi-handwritten/braintree.json",
    fields: { public_key: "p", private_key: "k" },
    calls: [{ request: "braintree", definition: "braintree-card", good: {}, bad: null }],
  },
};

const running = [];
const directory = mkdtempSync(join(tmpdir(), "tollhouse-standins-"));
let base;
let token;

before(async () => {
  const variables = { TOLLHOUSE_EGRESS__ALLOW: "127.0.0.0/8", TOLLHOUSE_EGRESS__ALLOW_HTTP: "true", TOLLHOUSE_OUTBOUND__TIMEOUT_MS: "30000", TOLLHOUSE_LOG: "warn" };
  const started = Object.entries(services).map(async ([id, service]) => {
    service.base = `http://127.0.0.1:${await freePort()}`;
    variables[`TOLLHOUSE_PROVIDERS__${id.toUpperCase()}__BASE_URL`] = service.base;
    start("node_modules/.bin/prism", ["mock", "-h", "127.0.0.1", "-p", new URL(service.base).port, join(documents, service.file)]);
    await until(() => fetch(service.base), `Prism for ${id}`);
    // The first request against a large document compiles its schemas and takes seconds.
    for (const call of service.calls) await ask(service, requests[call.request], requests[call.request].good);
  });
  await Promise.all(started);
  const ready = join(directory, "ready");
  start(binary, ["dev", "--data", join(directory, "data"), "--listen", "127.0.0.1:0", "--ready-file", ready], variables);
  base = await until(() => readFileSync(ready, "utf8").trim() || Promise.reject(new Error("not yet")), "the server");
  token = execFileSync(binary, ["token", "--key-file", join(directory, "data", "private_key.pem"), "--expires", "1h"], { encoding: "utf8" }).trim();
});

after(() => {
  for (const process of running) process.kill();
  rmSync(directory, { recursive: true, force: true });
});

for (const [id, service] of Object.entries(services)) {
  for (const call of service.calls) {
    const request = requests[call.request];
    test(`${call.definition}: the correct request is taken`, async () => {
      const session = await createSession(service, call.definition, call.good ?? opaque(request.good));
      assert.equal(session.status, "succeeded", JSON.stringify(session));
      assert.ok(session.status_code >= 200 && session.status_code < 300, JSON.stringify(session));
      assert.equal(session.code, null);
    });
    if (call.bad === null) continue;
    test(`${call.definition}: the malformed request (${request.bad_because}) fails with the service's own status and body`, async () => {
      const own = await ask(service, request, request.bad);
      const session = await createSession(service, call.definition, opaque(request.bad));
      assert.deepEqual(
        { status: session.status, code: session.code, status_code: session.status_code, response_body: session.response_body },
        { status: "failed", code: "INVALID_SERVICE_REQUEST", status_code: own.status, response_body: own.body },
      );
    });
  }
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
  const response = await fetch(service.base + request.path, { method: request.method, headers: request.headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
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
  running.push(spawn(command, args, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ...variables } }));
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
