// npm oidc-provider in memory, set up as an MCP authorization server would be: public clients by
// dynamic registration, PKCE, rotating refresh tokens, introspection, revocation, no ID token.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.BENCH_NPM + '/package.json');
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const port = Number(process.env.BENCH_PORT);
const issuer = `http://localhost:${port}`;

// The adapter that comes with it forgets all but the newest thousand entries; this one keeps all.
const kept = new Map();
const grants = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async find(id) { return kept.get(this.key(id)); }
  async findByUid(uid) { return this.find(kept.get(`uid:${uid}`)); }
  async findByUserCode() { return undefined; }
  async upsert(id, payload) {
    if (this.model === 'Session') kept.set(`uid:${payload.uid}`, id);
    if (payload.grantId && this.model !== 'Session' && this.model !== 'Interaction') {
      const members = grants.get(payload.grantId);
      if (members) members.push(this.key(id)); else grants.set(payload.grantId, [this.key(id)]);
    }
    kept.set(this.key(id), payload);
  }
  async consume(id) { const found = kept.get(this.key(id)); if (found) found.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const key of grants.get(grantId) ?? []) kept.delete(key);
    grants.delete(grantId);
  }
}

const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [{
    client_id: 'bench-resource', client_secret: 'bench-resource-secret-of-32-characters',
    redirect_uris: [], response_types: [], grant_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  clientDefaults: { token_endpoint_auth_method: 'none' },
  scopes: ['user', 'offline_access'],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
  },
  cookies: { keys: ['bench'] },
});
provider.listen(port, '127.0.0.1');
