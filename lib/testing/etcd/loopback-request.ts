import { get } from 'node:http';

/**
 * Returns the body of a response with status 200, and rejects for any other. It does not use `fetch`, because tests
 * replace it and because it pools connections.
 */
export function loopbackRequest(url: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url} returned status ${response.statusCode ?? 0}`));
      });
    });
    request.on('error', reject);
  });
}
