// The person before the browser, for programs of the npm registry: runs the form browser and gives back the redirect.
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Walk the authorization URL as the person would; answer with the address the client is sent to. */
export async function sentTo(authorizationUrl, { deny = false, tick } = {}) {
  const env = { ...process.env, FORM_BROWSER_DENY: deny ? "1" : "0" };
  delete env.FORM_BROWSER_LOG;
  if (tick !== undefined) env.FORM_BROWSER_TICK = tick;
  const walk = await run(process.env.BROWSER, ["--wait", "--keep", String(authorizationUrl)], { env })
    .catch((trouble) => { throw new Error(`the form browser got stuck: ${trouble.stdout ?? trouble}`); });
  return new URL(JSON.parse(walk.stdout).redirect);
}

/** A loopback address nobody listens on: the redirect is read, not delivered. */
export async function unusedCallback(path = "/callback") {
  const listener = createServer();
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return `http://127.0.0.1:${port}${path}`;
}

/** What an OAuth provider object of either TypeScript SDK has to remember, in memory. */
export class Memory {
  constructor(redirectUrl, scope) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = {
      client_name: "outside program",
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      ...(scope ? { scope } : {}),
    };
    this.visits = 0;
  }
  state() { return (this.sentState = crypto.randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.held; }
  saveTokens(tokens) { this.held = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  discoveryState() { return this.discovery; }
  saveDiscoveryState(discovery) { this.discovery = discovery; }
  async redirectToAuthorization(url) {
    this.visits += 1;
    this.redirect = await sentTo(url);
    if (this.redirect.searchParams.get("state") !== this.sentState) throw new Error("state was changed on the way");
  }
}
