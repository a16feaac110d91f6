// oauth4webapi, strict by design: from the MCP address to tokens, and all the ways in which they must end.
import * as oauth from "oauth4webapi";
import { sentTo, unusedCallback } from "./person.mjs";
import { before, expect, finish, refusal, step } from "./steps.mjs";

const [resource, staleness = "2000"] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };
const callback = await unusedCallback();
const AUTHENTICATION = {
  none: () => oauth.None(),
  client_secret_basic: (client) => oauth.ClientSecretBasic(client.client_secret),
  client_secret_post: (client) => oauth.ClientSecretPost(client.client_secret),
};
let as;
let scope;

async function discover(issuer, algorithm) {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...insecure }));
}

async function register(method, redirect = callback, more = {}) {
  const wanted = {
    client_name: `oauth4webapi ${method}`, redirect_uris: [redirect], token_endpoint_auth_method: method,
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], ...more,
  };
  const answer = await oauth.dynamicClientRegistrationRequest(as, wanted, insecure);
  const client = await oauth.processDynamicClientRegistrationResponse(answer);
  expect(client.token_endpoint_auth_method === method, `registered as ${client.token_endpoint_auth_method}`);
  return { client, authentication: AUTHENTICATION[method](client) };
}

/** Everything up to the code; `left` names parameters that the request leaves out. */
async function authorize({ client }, { left = [], person = {}, redirect = callback } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const asked = {
    client_id: client.client_id, redirect_uri: redirect, response_type: "code", state, scope, resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  };
  const url = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries(asked)) if (!left.includes(name)) url.searchParams.set(name, value);
  const answered = await sentTo(url, person);
  return { parameters: oauth.validateAuthResponse(as, client, answered, state), verifier, redirect };
}

async function exchange({ client, authentication }, { parameters, verifier, redirect }, left = [], at = resource) {
  const additionalParameters = left.includes("resource") ? {} : { resource: at };
  const answer = await oauth.authorizationCodeGrantRequest(
    as, client, authentication, parameters, redirect, verifier, { additionalParameters, ...insecure });
  return oauth.processAuthorizationCodeResponse(as, client, answer);
}

async function refresh({ client, authentication }, token) {
  const options = { additionalParameters: { resource }, ...insecure };
  const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token, options);
  return oauth.processRefreshTokenResponse(as, client, answer);
}

async function revoke({ client, authentication }, token) {
  const answer = await oauth.revocationRequest(as, client, authentication, token, insecure);
  return oauth.processRevocationResponse(answer);
}

/** The status of an MCP request with this token. */
async function call(token) {
  const body = JSON.stringify({
    jsonrpc: "2.0", id: 1, method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "o4w", version: "1" } },
  });
  const headers = {
    authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json, text/event-stream",
  };
  const answer = await fetch(resource, { method: "POST", headers, body });
  await answer.body?.cancel();
  return answer.status;
}

const isDead = async (token) => (await call(token)) === 401;
const signIn = async (who, how) => exchange(who, await authorize(who, how), how?.left);
const invalidGrant = async (work) => {
  const { error, status } = await refusal(work);
  expect(error === "invalid_grant" && status === 400, `refused with ${status} ${error}`);
};

await step("resource metadata names the resource byte for byte", async () => {
  const url = new URL(resource);
  const answer = await oauth.resourceDiscoveryRequest(url, insecure);
  const found = await oauth.processResourceDiscoveryResponse(url, answer);
  expect(found.resource === resource, `resource is ${found.resource}`);
  as = { issuer: found.authorization_servers[0] };
  scope = (found.scopes_supported ?? []).join(" ");
  return found.authorization_servers;
});
for (const algorithm of ["oidc", "oauth2"]) {
  await step(`server metadata by the ${algorithm} address`, async () => {
    const found = await discover(as.issuer, algorithm);
    expect(found.issuer === as.issuer, `issuer is ${found.issuer}`);
    as = found;
    return found.token_endpoint_auth_methods_supported;
  });
}
for (const method of Object.keys(AUTHENTICATION)) {
  await step(`${method}: register, sign in, call, refresh, revoke`, async () => {
    const who = await register(method);
    const first = await signIn(who);
    expect((await call(first.access_token)) === 200, "the access token is not accepted");
    const second = await refresh(who, first.refresh_token);
    expect((await call(second.access_token)) === 200, "the refreshed token is not accepted");
    const latest = second.refresh_token ?? first.refresh_token;
    await revoke(who, latest);
    await invalidGrant(() => refresh(who, latest));
    const waited = await before(Number(staleness), () => isDead(second.access_token));
    return { scope: first.scope, rotated: latest !== first.refresh_token, dead_after_ms: waited };
  });
}
await step("revoking an access token ends that token", async () => {
  const who = await register("none");
  const tokens = await signIn(who);
  await revoke(who, tokens.access_token);
  return before(Number(staleness), () => isDead(tokens.access_token));
});
await step("revoking what never was is answered 200", async () => revoke(await register("none"), "never-was"));
await step("no scope and no resource: the defaults", async () => {
  const tokens = await signIn(await register("none"), { left: ["scope", "resource"] });
  expect((await call(tokens.access_token)) === 200, "the token is not accepted");
  return tokens.scope;
});
for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
  await step(`loopback port is free: ${host}`, async () => {
    const who = await register("none", `http://${host}/callback`);
    const redirect = `http://${host}:50123/callback`;
    return (await signIn(who, { redirect })).token_type;
  });
}
await step("another loopback path is refused, without a redirect", async () => {
  const who = await register("none", "http://127.0.0.1/callback");
  const stuck = await authorize(who, { redirect: "http://127.0.0.1:50123/other" }).then(() => null, (e) => e);
  expect(stuck?.message.includes("got stuck"), `expected a page, got ${stuck}`);
});
await step("a wrong verifier is refused and does not spend the code", async () => {
  const who = await register("none");
  const given = await authorize(who);
  await invalidGrant(() => exchange(who, { ...given, verifier: oauth.generateRandomCodeVerifier() }));
  return (await exchange(who, given)).token_type;
});
await step("another resource is refused and the code stays good for its own", async () => {
  const who = await register("none");
  const given = await authorize(who);
  const { error } = await refusal(() => exchange(who, given, [], "https://elsewhere.example/mcp"));
  expect(error === "invalid_target", `refused with ${error}`);
  return (await exchange(who, given)).token_type;
});
await step("a code used twice is refused, and what it gave is dead", async () => {
  const who = await register("none");
  const given = await authorize(who);
  const tokens = await exchange(who, given);
  await invalidGrant(() => exchange(who, given));
  await invalidGrant(() => refresh(who, tokens.refresh_token));
  return before(Number(staleness), () => isDead(tokens.access_token));
});
await step("the same refresh sent again at once has the same answer", async () => {
  const who = await register("none");
  const first = await signIn(who);
  const [one, two] = await Promise.all([refresh(who, first.refresh_token), refresh(who, first.refresh_token)]);
  expect(one.refresh_token === two.refresh_token, "two refresh tokens for one rotation");
  expect((await call(one.access_token)) === 200 && (await call(two.access_token)) === 200, "not both accepted");
});
await step("an older refresh token used again ends the grant", async () => {
  const who = await register("none");
  const first = await signIn(who);
  const second = await refresh(who, first.refresh_token);
  const third = await refresh(who, second.refresh_token);
  await invalidGrant(() => refresh(who, first.refresh_token));
  await invalidGrant(() => refresh(who, third.refresh_token));
  return before(Number(staleness), () => isDead(third.access_token));
});
await step("another client's refresh token is refused and stays good for its owner", async () => {
  const [owner, other] = [await register("none"), await register("none", callback, { client_name: "another" })];
  expect(owner.client.client_id !== other.client.client_id, "two clients, one id");
  const tokens = await signIn(owner);
  await invalidGrant(() => refresh(other, tokens.refresh_token));
  return (await refresh(owner, tokens.refresh_token)).token_type;
});
await step("a wrong secret is refused with 401 invalid_client", async () => {
  const who = await register("client_secret_basic");
  const given = await authorize(who);
  const wrong = { ...who, authentication: oauth.ClientSecretBasic("wrong") };
  const trouble = await exchange(wrong, given).then(() => null, (e) => e);
  const status = trouble?.status ?? trouble?.response?.status;
  expect(status === 401, `refused with ${status} ${trouble}`);
  return (await exchange(who, given)).token_type;
});
await step("denying is access_denied with state and iss", async () => {
  const who = await register("none");
  const trouble = await authorize(who, { person: { deny: true } }).then(() => null, (e) => e);
  expect(trouble?.error === "access_denied", `expected access_denied, got ${trouble}`);
});
finish();
