// Sessions on all five payment services, through both routes, succeeded and failed.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { account, at, boundKey, client, configure, services, withMember } from "./house.mjs";

let house;
let bound;

before(async () => {
  house = await account();
  bound = client({ key: (await boundKey(house.id)).private_key });
});

function isFailed(session, expected) {
  assert.equal(session.type, "payment-service-session");
  assert.equal(session.status, "failed");
  assert.equal(session.code, expected.code);
  assert.equal(session.statusCode, expected.status_code);
  if (expected.member) assert.ok(at(session.responseBody, expected.member), "the service's own words come back");
}

for (const service of services) {
  describe(service.definition, () => {
    let configured;
    let routes;

    before(async () => {
      configured = await configure(house.client, service);
      routes = {
        "by service": (body) => house.client.paymentServices.session(body, configured.id),
        "by definition": (body) => bound.paymentServiceDefinitions.session(body, service.definition),
      };
    });

    for (const route of ["by service", "by definition"]) {
      test(`${route}: a session succeeds`, async () => {
        const session = await routes[route](service.body);
        assert.equal(session.type, "payment-service-session");
        assert.equal(session.status, "succeeded");
        assert.equal(session.code, null);
        assert.equal(session.statusCode, service.answer.status_code);
        assert.ok(at(session.responseBody, service.answer.member), JSON.stringify(session.responseBody));
        for (const [name, value] of Object.entries(service.answer.echo)) assert.deepEqual(session.responseBody[name], value);
      });

      test(`${route}: a refusal of the service is an answer`, async () => {
        isFailed(await routes[route](withMember(service.body, service.wish, "simulate:decline")), service.missing);
      });

      // One of the five requires nothing of its caller.
      if (service.required) {
        test(`${route}: what the service misses, the service says`, async () => {
          const body = structuredClone(service.body);
          for (const name of service.required) delete body[name];
          isFailed(await routes[route](body), service.missing);
        });
      }

      test(`${route}: credentials that are no longer good`, async () => {
        isFailed(await routes[route](withMember(service.body, service.wish, "simulate:401")), service.refused);
      });

      test(`${route}: too many calls`, async () => {
        const session = await routes[route](withMember(service.body, service.wish, "simulate:429"));
        isFailed(session, { code: "SERVICE_RATE_LIMIT", status_code: 429 });
      });

      test(`${route}: an error of the service`, async () => {
        const session = await routes[route](withMember(service.body, service.wish, "simulate:500"));
        isFailed(session, { code: "SERVICE_ERROR", status_code: 500 });
      });

      test(`${route}: nonsense`, async () => {
        const session = await routes[route](withMember(service.body, service.wish, "simulate:malformed"));
        isFailed(session, { code: "INVALID_SERVICE_RESPONSE", status_code: service.answer.status_code });
        assert.equal(session.responseBody, null);
      });

      test(`${route}: a lost connection`, async () => {
        const session = await routes[route](withMember(service.body, service.wish, "simulate:drop"));
        isFailed(session, { code: "SERVICE_NETWORK_ERROR", status_code: null });
        assert.equal(session.responseBody, null);
      });
    }

    test("wrong credentials are the service's to refuse", async () => {
      const wrong = await configure(house.client, service, { fields: { [service.secret]: "invalid-credential" } });
      isFailed(await house.client.paymentServices.session(service.body, wrong.id), service.refused);
      await house.client.paymentServices.delete(wrong.id);
    });
  });
}

test("the first service by position answers for its definition", async () => {
  const [service] = services;
  const own = await account();
  const client_ = client({ key: (await boundKey(own.id)).private_key });
  const first = await configure(own.client, service, { fields: { merchant_account: "First" } });
  await configure(own.client, service, { fields: { merchant_account: "Second" } });
  const name = async () => (await client_.paymentServiceDefinitions.session(service.body, service.definition)).responseBody.merchantAccount;
  assert.equal(await name(), "First");
  await own.client.paymentServices.update({ active: false }, first.id);
  assert.equal(await name(), "Second");
});

test("a slow service ends as a failed session", async () => {
  const [service] = services;
  const configured = await configure(house.client, service);
  const session = await house.client.paymentServices.session(withMember(service.body, service.wish, "simulate:slow"), configured.id);
  isFailed(session, { code: "SERVICE_NETWORK_ERROR", status_code: null });
});

test("the caller's body travels whole", async () => {
  const [service] = services;
  const own = await account();
  const configured = await configure(own.client, service);
  const amount = { currency: "EUR", value: 1000, note: "ä€😀", nested: { deep: [1.5, null, true, { a: "b" }] } };
  const session = await own.client.paymentServices.session({ ...service.body, amount }, configured.id);
  assert.deepEqual(session.responseBody.amount, amount);
});
