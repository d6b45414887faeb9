/** Sends a request to etcd's JSON gateway, without a client library. */
export async function gatewayRequest(endpoint: string, path: string, body: object): Promise<unknown> {
  const response = await fetch(`${endpoint}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${path} returned status ${response.status}`);
  return response.json();
}

export async function put(endpoint: string, key: string, value: string): Promise<void> {
  await gatewayRequest(endpoint, 'kv/put', { key: encode(key), value: encode(value) });
}

export async function read(endpoint: string, key: string): Promise<string | undefined> {
  const { kvs } = (await gatewayRequest(endpoint, 'kv/range', { key: encode(key) })) as { kvs?: { value: string }[] };
  const [first] = kvs ?? [];
  return first && Buffer.from(first.value, 'base64').toString();
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
