/** Sends a request to etcd's JSON gateway, without a client library. */
async function request(endpoint: string, path: string, body: object, token?: string): Promise<unknown> {
  const response = await fetch(`${endpoint}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { connection: 'close', ...(token !== undefined && { authorization: token }) },
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${path} returned status ${response.status}`);
  return response.json();
}

export async function put(endpoint: string, key: string, value: string): Promise<void> {
  await request(endpoint, 'kv/put', { key: encode(key), value: encode(value) });
}

export async function read(
  endpoint: string,
  key: string,
  { token }: { readonly token?: string } = {},
): Promise<string | undefined> {
  const { kvs } = (await request(endpoint, 'kv/range', { key: encode(key) }, token)) as { kvs?: { value: string }[] };
  const [first] = kvs ?? [];
  return first && Buffer.from(first.value, 'base64').toString();
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
