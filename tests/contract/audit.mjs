// Audit a server by the specification of GraphQL over HTTP, as its working group's package does: URL and key are given.
import { serverAudits } from 'graphql-http';

const [url, key] = process.argv.slice(2);
const fetchWithKey = (input, init) => fetch(input, { ...init, headers: { ...init?.headers, authorization: key } });
const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
for (const audit of serverAudits({ url, fetchFn: fetchWithKey })) {
  const result = await audit.fn();
  counts[result.status] += 1;
  if (result.status !== 'ok') console.log(`${result.status} ${result.id} ${result.name}: ${result.reason}`);
}
console.log(JSON.stringify(counts));
process.exit(counts.warn + counts.error || !counts.ok ? 1 : 0);
