import { get } from 'node:http';

/** The body of a 200; rejects on everything else. Not `fetch`, which applications and tests replace and which keeps connections. */
export function loopbackRequest(url: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url} answers ${response.statusCode ?? 0}`));
      });
    });
    request.on('error', reject);
  });
}
