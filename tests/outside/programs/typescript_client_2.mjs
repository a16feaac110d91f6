// @modelcontextprotocol/client 2.x: sign in, call a tool, lose the access token, call again. Prints one JSON line.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { Memory, unusedCallback } from "./person.mjs";

const [url, tool, era] = process.argv.slice(2);
const provider = new Memory(await unusedCallback());

async function connect() {
  const mode = era === "modern" ? { pin: "2026-07-28" } : "legacy";
  const client = new Client({ name: "outside", version: "1" }, { versionNegotiation: { mode } });
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  try {
    await client.connect(transport);
  } catch (refused) {
    if (!(refused instanceof UnauthorizedError)) throw refused;
    await transport.finishAuth(provider.redirect.searchParams);
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
