// Payment services' own clients against the simulators: what a team points at them must not notice.

import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";

import library from "@adyen/api-library";
import Stripe from "stripe";

import { simulators } from "./house.mjs";

const { CheckoutAPI, Client, EnvironmentEnum, HttpClientException } = library;

const order = { amount: 1000, currency: "eur", metadata: { order_id: "order-1" } };

/** The client knows host and port, but no path before its own: its requests are given one on the way. */
function stripe(key) {
  const prefixed = (address, options) => {
    const { pathname, search } = new URL(address);
    return fetch(`${simulators}/stripe${pathname}${search}`, options);
  };
  return new Stripe(key, { httpClient: Stripe.createFetchHttpClient(prefixed), maxNetworkRetries: 0 });
}

test("stripe creates a payment intent, a checkout session and a setup intent", async () => {
  const client = stripe("sk_test_sdk");
  const intent = await client.paymentIntents.create(order);
  assert.match(intent.client_secret, /_secret_/);
  assert.equal(intent.amount, 1000);
  const line = { price_data: { currency: "eur", unit_amount: 1000, product_data: { name: "Shoe" } }, quantity: 1 };
  const session = await client.checkout.sessions.create({ mode: "payment", line_items: [line], success_url: "https://shop.example/ok" });
  assert.ok(session.id);
  const setup = await client.setupIntents.create({ usage: "off_session" });
  assert.ok(setup.client_secret);
});

test("stripe throws its own errors", async () => {
  await assert.rejects(stripe("invalid_key").paymentIntents.create(order), Stripe.errors.StripeAuthenticationError);
  await assert.rejects(stripe("sk_test_sdk").paymentIntents.create({ currency: "eur" }), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
    assert.deepEqual([error.code, error.param], ["parameter_missing", "amount"]);
    return true;
  });
  const limited = { ...order, metadata: { order_id: "simulate:429" } };
  await assert.rejects(stripe("sk_test_sdk").paymentIntents.create(limited), Stripe.errors.StripeRateLimitError);
});

// This client knows TLS only, which the simulators on loopback do not speak: its requests are sent as they are, without it.
https.request = (options) => http.request({ ...options, agent: undefined });

/** The client's base address includes the version, which the definition has in its host: the simulator's path begins behind it. */
function adyen(apiKey) {
  const { PaymentsApi: payments } = new CheckoutAPI(new Client({ apiKey, environment: EnvironmentEnum.TEST }));
  payments.baseUrl = `${simulators}/adyen`;
  return payments;
}

const request = {
  merchantAccount: "SdkTests",
  amount: { currency: "EUR", value: 1000 },
  reference: "order-1",
  returnUrl: "https://shop.example/return",
  countryCode: "NL",
};

test("adyen creates a session", async () => {
  const session = await adyen("sdk-test-key").sessions(request);
  assert.equal(session.reference, "order-1");
  assert.equal(session.amount.value, 1000);
  assert.ok(session.sessionData);
});

test("adyen throws its own errors", async () => {
  const fails = (call, statusCode) =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof HttpClientException, String(error));
      assert.equal(error.statusCode, statusCode);
      return true;
    });
  await fails(adyen("invalid-key").sessions(request), 401);
  await fails(adyen("sdk-test-key").sessions({ ...request, reference: "simulate:decline" }), 422);
});
