// @modelcontextprotocol/sdk 1.x: sign in, call a tool, lose the access token, call again. Prints one JSON line.
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Memory, unusedCallback } from "./person.mjs";

const [url, tool] = process.argv.slice(2);
const provider = new Memory(await unusedCallback());

async function connect() {
  const client = new Client({ name: "outside", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  try {
    await client.connect(transport);
  } catch (refused) {
    if (!(refused instanceof UnauthorizedError)) throw refused;
    await transport.finishAuth(provider.redirect.searchParams.get("code"));
    return connect();
  }
  return client;
}

const client = await connect();
const tools = (await client.listTools()).tools.map((one) => one.name).sort();
const first = await client.callTool({ name: tool, arguments: {} });
provider.held = { ...provider.held, access_token: "lost" };
const again = await client.callTool({ name: tool, arguments: {} });
await client.close();
console.log(JSON.stringify({
  tools, visits: provider.visits, first: first.content[0].text, again: again.content[0].text,
  scope: provider.held.scope, refresh: Boolean(provider.held.refresh_token), iss: provider.redirect.searchParams.get("iss"),
}));
