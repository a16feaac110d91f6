// openid-client (certified relying party) on the OAuth part: both discovery spellings, sign-in, refresh, revocation.
import * as client from "openid-client";
import { sentTo, unusedCallback } from "./person.mjs";
import { expect, finish, step } from "./steps.mjs";

const [issuer, resource] = process.argv.slice(2);
const callback = await unusedCallback("/oauth/callback");
const METHODS = { none: client.None, client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost };

for (const [method, authentication] of Object.entries(METHODS)) {
  for (const algorithm of ["oidc", "oauth2"]) {
    await step(`${method} by the ${algorithm} address`, async () => {
      const wanted = {
        client_name: "openid-client", redirect_uris: [callback], token_endpoint_auth_method: method,
        grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
      };
      const config = await client.dynamicClientRegistration(
        new URL(issuer), wanted, method === "none" ? client.None() : undefined,
        { algorithm, execute: [client.allowInsecureRequests] });
      const secret = config.clientMetadata().client_secret;
      expect((secret === undefined) === (method === "none"), `secret of a ${method} client: ${secret}`);
      const again = await client.discovery(
        new URL(issuer), config.clientMetadata().client_id, undefined, authentication(secret),
        { algorithm, execute: [client.allowInsecureRequests] });
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const expectedState = client.randomState();
      const url = client.buildAuthorizationUrl(again, {
        redirect_uri: callback, state: expectedState, resource, code_challenge_method: "S256",
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      });
      const checks = { pkceCodeVerifier, expectedState };
      const tokens = await client.authorizationCodeGrant(again, await sentTo(url), checks, { resource });
      const fresh = await client.refreshTokenGrant(again, tokens.refresh_token, { resource });
      await client.tokenRevocation(again, fresh.refresh_token ?? tokens.refresh_token);
      return { scope: tokens.scope, expires_in: tokens.expires_in, refreshed: fresh.scope };
    });
  }
}
finish();
