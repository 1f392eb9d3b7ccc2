// Refusals arrive as the package's own error types, with everything they say.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";

import { Error400, Error401, Error403, Error404, Error405, Error409 } from "@gr4vy/sdk/models/errors/index.js";

import { account, boundKey, call, client, configure, failure, serverURL, services } from "./house.mjs";

const gr4vy = client();
let house;

before(async () => {
  house = await account();
});

function says(error, status, code) {
  assert.equal(error.statusCode, status);
  assert.equal(error.data$.type, "error");
  assert.equal(error.data$.status, status);
  assert.equal(error.data$.code, code);
  assert.ok(Array.isArray(error.data$.details));
  assert.ok(error.headers.get("x-request-id"));
}

describe("401", () => {
  test("a token that nobody signed", async () => {
    const { Gr4vy } = await import("@gr4vy/sdk");
    const stranger = new Gr4vy({ serverURL, bearerAuth: "abc.def.ghi" });
    const error = await failure(Error401, stranger.merchantAccounts.list());
    says(error, 401, "unauthorized");
    assert.equal(error.message, "No valid API authentication found");
  });
});

describe("403", () => {
  test("a token without the scope", async () => {
    const reader = client({ scopes: ["payment-services.read"], merchantAccountId: house.id });
    says(await failure(Error403, configure(reader, services[0])), 403, "forbidden");
    says(await failure(Error403, reader.merchantAccounts.list()), 403, "forbidden");
    assert.deepEqual((await reader.paymentServices.list({})).result.items, [], "what the scope allows still works");
  });

  test("write does not imply read", async () => {
    const writer = client({ scopes: ["*.write"], merchantAccountId: house.id });
    says(await failure(Error403, writer.paymentServices.list({})), 403, "forbidden");
  });

  test("an account that the key can not reach", async () => {
    const bound = client({ key: (await boundKey(house.id)).private_key, merchantAccountId: "default" });
    says(await failure(Error403, bound.paymentServices.list({})), 403, "forbidden");
  });

  test("embed tokens create no sessions", async () => {
    const embed = client({ scopes: ["embed"] });
    says(await failure(Error403, embed.paymentServiceDefinitions.session(services[0].body, services[0].definition)), 403, "forbidden");
  });
});

describe("404", () => {
  const nobody = randomUUID();
  const cases = {
    "a payment service": () => gr4vy.paymentServices.get(nobody),
    "a payment service to change": () => gr4vy.paymentServices.update({ active: true }, nobody),
    "a payment service to delete": () => gr4vy.paymentServices.delete(nobody),
    "a session by service": () => gr4vy.paymentServices.session({}, nobody),
    "a definition": () => gr4vy.paymentServiceDefinitions.get("no-such"),
    "a session by definition": () => gr4vy.paymentServiceDefinitions.session({}, "no-such"),
    "a merchant account": () => gr4vy.merchantAccounts.get("no-such"),
    "a merchant account to work in": () => client({ merchantAccountId: "no-such" }).paymentServices.list({}),
  };
  for (const [name, ask] of Object.entries(cases)) {
    test(name, async () => says(await failure(Error404, ask()), 404, "not_found"));
  }

  test("a deleted payment service", async () => {
    const created = await configure(house.client, services[0]);
    await house.client.paymentServices.delete(created.id);
    says(await failure(Error404, house.client.paymentServices.delete(created.id)), 404, "not_found");
    says(await failure(Error404, house.client.paymentServices.session(services[0].body, created.id)), 404, "not_found");
  });

  test("a definition that the account has no service of", async () => {
    const bound = client({ key: (await boundKey((await account()).id)).private_key });
    says(await failure(Error404, bound.paymentServiceDefinitions.session(services[0].body, services[0].definition)), 404, "not_found");
  });
});

describe("400", () => {
  test("every member that is wrong is named, in order", async () => {
    const wrong = house.client.paymentServices.create({
      displayName: "",
      paymentServiceDefinitionId: services[0].definition,
      fields: [{ key: "no_such_field", value: "x" }],
      acceptedCurrencies: ["EURO"],
      acceptedCountries: ["NL", "nowhere"],
    });
    const error = await failure(Error400, wrong);
    says(error, 400, "bad_request");
    const pointers = error.details.map((detail) => detail.pointer);
    for (const pointer of ["/accepted_currencies/0", "/accepted_countries/1"]) assert.ok(pointers.includes(pointer), pointers.join(" "));
    assert.ok(pointers.some((pointer) => pointer.startsWith("/fields")), pointers.join(" "));
    assert.ok(error.details.every((detail) => detail.location === "body" && detail.message && detail.type));
  });

  test("a page that is too long", async () => {
    const error = await failure(Error400, gr4vy.merchantAccounts.list(undefined, 101));
    assert.deepEqual(error.details.map((detail) => [detail.location, detail.pointer]), [["query", "limit"]]);
  });

  test("a cursor that nobody gave out", async () => {
    const error = await failure(Error400, gr4vy.merchantAccounts.list("no-cursor"));
    assert.deepEqual(error.details.map((detail) => [detail.location, detail.pointer]), [["query", "cursor"]]);
  });

  test("a service that is switched off", async () => {
    const created = await configure(house.client, services[0]);
    await house.client.paymentServices.update({ active: false }, created.id);
    const error = await failure(Error400, house.client.paymentServices.session(services[0].body, created.id));
    assert.equal(error.details[0].type, "not_supported");
  });

  test("a definition without sessions", async () => {
    const error = await failure(Error400, gr4vy.paymentServiceDefinitions.session({}, "mock-card"));
    assert.equal(error.details[0].type, "not_supported");
  });

  test("a member that a session must not carry", async () => {
    const stripe = services.find((service) => service.definition === "stripe-card");
    const created = await configure(house.client, stripe);
    const error = await failure(Error400, house.client.paymentServices.session({ ...stripe.body, confirm: true }, created.id));
    assert.deepEqual(error.details.map((detail) => detail.pointer), ["/confirm"]);
  });

  test("an id with characters that no id has", async () => {
    const error = await failure(Error400, gr4vy.merchantAccounts.create({ id: "not an id", displayName: "X" }));
    assert.deepEqual(error.details.map((detail) => detail.pointer), ["/id"]);
  });
});

describe("409", () => {
  test("a merchant account twice", async () => {
    const error = await failure(Error409, gr4vy.merchantAccounts.create({ id: house.id, displayName: "Again" }));
    says(error, 409, "duplicate_record");
    assert.equal(JSON.parse(error.body).resource_id, house.id);
  });
});

describe("405", () => {
  test("a method that a route does not have", async () => {
    const answer = await call("PATCH", "/payment-services");
    assert.deepEqual([answer.status, answer.body.code, answer.body.type], [405, "method_not_allowed", "error"]);
    assert.ok(Error405);
  });
});
