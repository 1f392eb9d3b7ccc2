// Past a limit the package raises its own 429 error, and nobody else is held up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Gr4vy } from "@gr4vy/sdk";
import { Error401, Error429 } from "@gr4vy/sdk/models/errors/index.js";

import { client, serverURL } from "./house.mjs";

// Well above what run.sh lets one address get wrong in the seconds that it takes to ask.
const ATTEMPTS = 100;

test("an address that sends too many wrong tokens", async () => {
  const stranger = new Gr4vy({ serverURL, bearerAuth: "abc.def.ghi" });
  const attempt = () => stranger.merchantAccounts.list().then(() => assert.fail("a wrong token passed"), (error) => error);
  const errors = await Promise.all(Array.from({ length: ATTEMPTS }, attempt));
  const limited = errors.filter((error) => error instanceof Error429);
  assert.ok(limited.length > 0, "no request was limited");
  assert.equal(errors.filter((error) => error instanceof Error401).length + limited.length, ATTEMPTS);
  for (const error of limited) {
    assert.equal(error.statusCode, 429);
    assert.equal(error.data$.type, "error");
    assert.equal(error.data$.code, "too_many_requests");
    assert.deepEqual(error.data$.details, []);
    assert.match(error.headers.get("retry-after"), /^[1-9][0-9]*$/);
  }

  // A client with a key has the same address, and is not touched.
  assert.ok((await client().merchantAccounts.list()).result.items.length > 0);

  // After the time that was named the answer is what it always was; the tests that follow count on it.
  const wait = Math.max(...limited.map((error) => Number(error.headers.get("retry-after"))));
  await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  assert.ok((await attempt()) instanceof Error401);
});
