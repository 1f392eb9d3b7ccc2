// What every test of this folder needs: the server, the key, clients, and a merchant account of its own.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { Gr4vy, getToken, withToken } from "@gr4vy/sdk";

export const serverURL = variable("TOLLHOUSE_URL");
/** Where payment services are simulated; each is one segment below. */
export const simulators = variable("TOLLHOUSE_SIMULATORS");
export const privateKey = readFileSync(variable("TOLLHOUSE_KEY_FILE"), "utf8");

/** The five payment services with bodies that work and bodies that do not, shared with the Python tests. */
export const services = JSON.parse(readFileSync(new URL("../services.json", import.meta.url), "utf8"));

function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run.sh sets it`);
  return value;
}

/** A client with the key of the first run, or with another one. */
export function client(options = {}) {
  const { key = privateKey, scopes, ...rest } = options;
  return new Gr4vy({ serverURL, bearerAuth: withToken({ privateKey: key, scopes }), ...rest });
}

/** A call that the package has no method for, with a token that the package signed. */
export async function call(method, path, body, key = privateKey) {
  const response = await fetch(new URL(path, serverURL), {
    method,
    headers: { authorization: `Bearer ${await getToken({ privateKey: key })}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

/** A fresh merchant account, and a client whose operations work in it. */
export async function account() {
  const id = `ts-${randomUUID()}`;
  await client().merchantAccounts.create({ id, displayName: "TypeScript" });
  return { id, client: client({ merchantAccountId: id }) };
}

/** A key pair that can reach one account only: routes without the account header then work in it. */
export async function boundKey(accountId, roleSlug) {
  const roles = await call("GET", "/roles?limit=100");
  assert.equal(roles.status, 200);
  const role = roles.body.items.find((role) => (roleSlug ? role.slug === roleSlug : role.permissions.allow.includes("*.write")));
  assert.ok(role, "a role for the key");
  const pair = await call("POST", "/api-key-pairs", { display_name: "Bound", role_ids: [role.id], merchant_account_ids: [accountId] });
  assert.equal(pair.status, 201);
  assert.match(pair.body.private_key, /^-----BEGIN PRIVATE KEY-----/);
  return pair.body;
}

/** Configures a simulated payment service. */
export function configure(gr4vy, service, overrides = {}) {
  const fields = { ...service.fields, ...overrides.fields, mode: "simulator" };
  return gr4vy.paymentServices.create({
    displayName: overrides.displayName ?? service.definition,
    paymentServiceDefinitionId: service.definition,
    fields: Object.entries(fields).map(([key, value]) => ({ key, value })),
    acceptedCurrencies: ["EUR"],
    acceptedCountries: ["NL"],
  });
}

/** A body with one member replaced. */
export function withMember(body, path, value) {
  const copy = structuredClone(body);
  const last = path.at(-1);
  path.slice(0, -1).reduce((at, name) => at[name], copy)[last] = value;
  return copy;
}

/** The value at a path, or undefined. */
export function at(value, path) {
  return path.reduce((value, name) => value?.[name], value);
}

/** The error that a call ends with, which must be of this class. */
export async function failure(errorClass, promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof errorClass, `expected ${errorClass.name}, got ${error}`);
    return error;
  }
  assert.fail(`expected ${errorClass.name}, got an answer`);
}
