// The other operations of the session core that the package offers, and those it leaves out over plain HTTP.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";

import { Error400, Error401, Error404 } from "@gr4vy/sdk/models/errors/index.js";

import { account, boundKey, call, client, configure, failure, services } from "./house.mjs";

const gr4vy = client();

async function pages(first) {
  const all = [];
  for await (const page of await first) all.push(page.result);
  return all;
}

describe("payment service definitions", () => {
  test("the iterator reads the whole catalogue, by id, without repetition", async () => {
    const read = await pages(gr4vy.paymentServiceDefinitions.list(undefined, 7));
    const ids = read.flatMap((page) => page.items.map((item) => item.id));
    assert.ok(read.length > 1);
    assert.ok(read.every((page) => page.items.length <= 7 && page.limit === 7));
    assert.deepEqual(ids, [...new Set(ids)].sort());
    for (const service of services) assert.ok(ids.includes(service.definition), service.definition);
  });

  test("a page leads back as well", async () => {
    const first = await gr4vy.paymentServiceDefinitions.list(undefined, 3);
    const second = await gr4vy.paymentServiceDefinitions.list(first.result.nextCursor, 3);
    const back = await gr4vy.paymentServiceDefinitions.list(second.result.previousCursor, 3);
    assert.deepEqual(back.result.items.map((item) => item.id), first.result.items.map((item) => item.id));
    assert.equal(first.result.previousCursor ?? null, null);
  });

  for (const service of services) {
    test(`${service.definition} says what it needs`, async () => {
      const definition = await gr4vy.paymentServiceDefinitions.get(service.definition);
      assert.equal(definition.type, "payment-service-definition");
      assert.equal(definition.id, service.definition);
      const secret = definition.fields.find((field) => field.key === service.secret);
      assert.equal(secret.secret, true);
      assert.ok(Object.keys(service.fields).every((key) => definition.fields.some((field) => field.key === key)));
    });
  }
});

describe("payment services", () => {
  let house;
  before(async () => {
    house = await account();
  });

  test("create, get, update, list, delete", async () => {
    const [adyen] = services;
    const created = await configure(house.client, adyen, { displayName: "Adyen for the Netherlands" });
    assert.equal(created.type, "payment-service");
    assert.equal(created.merchantAccountId, house.id);
    assert.equal(created.paymentServiceDefinitionId, adyen.definition);
    assert.deepEqual([created.active, created.status, created.isDeleted, created.position], [true, "created", false, 1]);
    assert.ok(created.createdAt instanceof Date && created.createdAt <= created.updatedAt);

    const fields = Object.fromEntries(created.fields.map((field) => [field.key, field.value]));
    assert.equal(fields.merchant_account, "SdkTests");
    assert.equal(adyen.secret in fields, false, "secrets never come back");

    const read = await house.client.paymentServices.get(created.id);
    assert.deepEqual(read, created);

    const updated = await house.client.paymentServices.update(
      { displayName: "Adyen", position: 5, acceptedCurrencies: ["EUR", "USD"], fields: [{ key: "merchant_account", value: "Other" }] },
      created.id,
    );
    assert.equal(updated.displayName, "Adyen");
    assert.equal(updated.position, 5);
    assert.deepEqual(updated.acceptedCurrencies, ["EUR", "USD"]);
    assert.deepEqual(updated.acceptedCountries, created.acceptedCountries, "what is left out stays");
    assert.equal(updated.fields.find((field) => field.key === "merchant_account").value, "Other");
    const session = await house.client.paymentServices.session(adyen.body, created.id);
    assert.equal(session.responseBody.merchantAccount, "Other", "a change holds from the next session on");

    const listed = await house.client.paymentServices.list({ method: "ideal" });
    assert.deepEqual(listed.result.items.map((item) => item.id), [created.id]);
    assert.deepEqual((await house.client.paymentServices.list({ method: "card" })).result.items, []);

    await house.client.paymentServices.delete(created.id);
    assert.deepEqual((await house.client.paymentServices.list({})).result.items, []);
    const deleted = (await house.client.paymentServices.list({ deleted: true })).result.items;
    assert.deepEqual(deleted.map((item) => [item.id, item.isDeleted]), [[created.id, true]]);
  });

  test("the iterator reads every page, newest first", async () => {
    const own = await account();
    const made = [];
    for (let n = 0; n < 5; n += 1) made.push((await configure(own.client, services[1], { displayName: `Stripe ${n}` })).id);
    const read = await pages(own.client.paymentServices.list({ limit: 2 }));
    assert.deepEqual(read.map((page) => page.items.length), [2, 2, 1]);
    assert.deepEqual(read.flatMap((page) => page.items.map((item) => item.id)), made.reverse());
    assert.equal(read.at(-1).nextCursor ?? null, null);
  });

  for (const service of services) {
    test(`${service.definition}: credentials are verified`, async () => {
      const fields = (overrides) =>
        Object.entries({ ...service.fields, mode: "simulator", ...overrides }).map(([key, value]) => ({ key, value }));
      const verify = (overrides) =>
        house.client.paymentServices.verify({ paymentServiceDefinitionId: service.definition, fields: fields(overrides) });
      await verify({});
      const error = await failure(Error400, verify({ [service.secret]: "invalid-credential" }));
      assert.ok(error.details.length > 0);
      assert.ok(error.details.every((detail) => detail.pointer.startsWith("/fields/")), JSON.stringify(error.details));
    });
  }

  test("stored credentials stand in for those left out", async () => {
    const created = await configure(house.client, services[0]);
    await house.client.paymentServices.verify({
      paymentServiceDefinitionId: services[0].definition,
      paymentServiceId: created.id,
      fields: [{ key: "merchant_account", value: "Another" }],
    });
  });

  test("a call can name its own merchant account", async () => {
    const created = await configure(house.client, services[0]);
    const read = await gr4vy.paymentServices.get(created.id, house.id);
    assert.equal(read.id, created.id);
    await failure(Error404, gr4vy.paymentServices.get(created.id));
  });
});

describe("merchant accounts", () => {
  test("create, get, update, list", async () => {
    const id = `ts-${randomUUID()}`;
    const created = await gr4vy.merchantAccounts.create({ id, displayName: "First name" });
    assert.equal(created.type, "merchant-account");
    assert.deepEqual([created.id, created.displayName, created.accountUpdaterEnabled], [id, "First name", false]);
    assert.deepEqual(await gr4vy.merchantAccounts.get(id), created);
    const updated = await gr4vy.merchantAccounts.update({ displayName: "Second name", overCaptureAmount: 500 }, id);
    assert.deepEqual([updated.displayName, updated.overCaptureAmount], ["Second name", 500]);
    const found = await gr4vy.merchantAccounts.list(undefined, 20, id);
    assert.deepEqual(found.result.items.map((item) => item.id), [id]);
  });

  test("the iterator reads them all", async () => {
    for (let n = 0; n < 3; n += 1) await account();
    const read = await pages(gr4vy.merchantAccounts.list(undefined, 2));
    const ids = read.flatMap((page) => page.items.map((item) => item.id));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.includes("default"));
  });
});

describe("audit log", () => {
  test("says who changed what, and the iterator reads it", async () => {
    const own = await account();
    const created = await configure(own.client, services[0], { displayName: "Watched" });
    await own.client.paymentServices.update({ active: false }, created.id);
    await own.client.paymentServices.delete(created.id);
    const read = await pages(own.client.auditLogs.list({ limit: 2, resourceType: "payment-service" }));
    const entries = read.flatMap((page) => page.items);
    assert.deepEqual(entries.map((entry) => entry.action), ["deleted", "updated", "created"]);
    for (const entry of entries) {
      assert.equal(entry.type, "audit-log");
      assert.equal(entry.merchantAccountId, own.id);
      assert.equal(entry.resource.id, created.id);
      assert.ok(entry.timestamp instanceof Date && entry.user.name);
    }
    const only = await own.client.auditLogs.list({ action: "updated", resourceType: "payment-service" });
    assert.deepEqual(only.result.items.map((entry) => entry.action), ["updated"]);
    const user = entries[0].user.id;
    assert.ok((await own.client.auditLogs.list({ userId: user })).result.items.length >= 3);
    assert.deepEqual((await own.client.auditLogs.list({ userId: randomUUID() })).result.items, []);
  });
});

describe("keys and roles, which the package has no methods for", () => {
  test("a generated key pair signs tokens for the package until it is deleted", async () => {
    const own = await account();
    const pair = await boundKey(own.id);
    assert.deepEqual(pair.merchant_accounts.map((item) => item.id), [own.id]);
    const bound = client({ key: pair.private_key });
    const created = await configure(bound, services[0]);
    assert.equal(created.merchantAccountId, own.id, "the key decides the account");

    const path = `/api-key-pairs/${pair.id}`;
    const read = await call("GET", path);
    assert.deepEqual([read.status, read.body.thumbprint, read.body.private_key], [200, pair.thumbprint, null]);
    const renamed = await call("PUT", path, { display_name: "Renamed" });
    assert.deepEqual([renamed.status, renamed.body.display_name, renamed.body.active], [200, "Renamed", true]);
    const listed = await call("GET", "/api-key-pairs?limit=100");
    assert.ok(listed.body.items.some((item) => item.id === pair.id));

    assert.equal((await call("PUT", path, { active: false })).body.active, false);
    await failure(Error401, bound.paymentServices.get(created.id));
    assert.equal((await call("PUT", path, { active: true })).body.active, true);
    assert.equal((await bound.paymentServices.get(created.id)).id, created.id);
    assert.equal((await call("DELETE", path)).status, 204);
    await failure(Error401, bound.paymentServices.get(created.id));
    assert.equal((await call("GET", path)).status, 404);
  });

  test("a key of the caller's own works as well", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", {
      namedCurve: "P-521",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const roles = (await call("GET", "/roles?limit=100")).body.items;
    const body = { display_name: "Own key", role_ids: [roles[0].id], public_key: publicKey };
    const pair = await call("POST", "/api-key-pairs", body);
    assert.deepEqual([pair.status, pair.body.private_key], [201, null]);
    const again = await call("POST", "/api-key-pairs", body);
    assert.deepEqual([again.status, again.body.code, again.body.resource_id], [409, "duplicate_record", pair.body.id]);
    const own = client({ key: privateKey, scopes: ["payment-service-definitions.read"] });
    if (roles[0].permissions.allow.includes("*.read")) await own.paymentServiceDefinitions.get(services[0].definition);
  });

  test("roles have scopes", async () => {
    const roles = await call("GET", "/roles");
    assert.equal(roles.status, 200);
    assert.ok(roles.body.items.length >= 4);
    for (const role of roles.body.items) {
      assert.equal(role.type, "role");
      assert.ok(Array.isArray(role.permissions.allow) && role.assignable_to.includes("api-key-pair"));
    }
  });
});
