// An app that lives in a browser: oauth4webapi from a page of its own origin, so that CORS is what decides.
import * as oauth from "/oauth4webapi.js";

const insecure = { [oauth.allowInsecureRequests]: true };
const here = `${location.origin}/app.html`;
const MCP = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" };
const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0", id: 1, method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } },
});

async function begin(resource) {
  const refused = await fetch(resource, { method: "POST", headers: MCP, body: INITIALIZE });
  const named = refused.headers.get("www-authenticate");
  const found = await oauth.processResourceDiscoveryResponse(
    new URL(resource), await oauth.resourceDiscoveryRequest(new URL(resource), insecure));
  const issuer = new URL(found.authorization_servers[0]);
  const as = await oauth.processDiscoveryResponse(
    issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }));
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(as, {
      client_name: "a page", redirect_uris: [here], token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
    }, insecure));
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  sessionStorage.setItem("begun", JSON.stringify({ resource, as, client, verifier, state, status: refused.status, named }));
  const url = new URL(as.authorization_endpoint);
  const asked = {
    client_id: client.client_id, redirect_uri: here, response_type: "code", state, resource, scope: "user",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
}

async function end() {
  const { resource, as, client, verifier, state, status, named } = JSON.parse(sessionStorage.getItem("begun"));
  const parameters = oauth.validateAuthResponse(as, client, new URL(location.href), state);
  const options = { additionalParameters: { resource }, ...insecure };
  const tokens = await oauth.processAuthorizationCodeResponse(as, client,
    await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), parameters, here, verifier, options));
  const fresh = await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, options));
  const headers = { ...MCP, authorization: `Bearer ${fresh.access_token}` };
  const answer = await fetch(resource, { method: "POST", headers, body: INITIALIZE });
  const session = answer.headers.get("mcp-session-id");
  await answer.text();
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, oauth.None(), fresh.refresh_token, insecure));
  return { status, named, called: answer.status, session };
}

const asked = new URL(location.href).searchParams;
try {
  if (asked.has("resource")) await begin(asked.get("resource"));
  else document.getElementById("result").textContent = JSON.stringify(await end());
} catch (trouble) {
  document.getElementById("result").textContent = JSON.stringify({ trouble: String(trouble), cause: String(trouble.cause) });
}
