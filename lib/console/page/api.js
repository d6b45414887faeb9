/** The body parser of the application refuses a body before it reaches the console. */
const TOO_LARGE = 'The document is larger than the application accepts: raise the limit of its body parser.';

/** An answer that is not a success. `body` has `message`, and `violations` or the current document. */
export class ApiError extends Error {
  constructor(status, body) {
    super(status === 413 ? TOO_LARGE : (body.message ?? `The application answered with status ${status}.`));
    this.status = status;
    this.body = body;
  }
}

const UNREACHABLE = 'The application did not answer.';
const UNREACHABLE_WRITE = 'The application did not answer. The change may or may not have been made.';

export const api = {
  keys: (query, signal) => read('keys', query, signal),
  entry: (query, signal) => read('entry', query, signal),
  history: (query, signal) => read('history', query, signal),
  audit: (query, signal) => read('audit', query, signal),
  parked: (query) => read('parked', query),
  state: () => read('state', {}),
  check: (body, signal) => write('POST', 'check', body, signal),
  put: (body) => write('PUT', 'entry', body),
  delete: (body) => write('DELETE', 'entry', body),
  rollback: (body) => write('POST', 'rollback', body),
  handlers: (body) => write('POST', 'handlers', body),
  redrive: (body) => write('POST', 'redrive', body),
};

function read(path, query, signal) {
  const defined = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return send(`api/${path}?${new URLSearchParams(defined)}`, { signal }, UNREACHABLE);
}

function write(method, path, body, signal) {
  const headers = { 'content-type': 'application/json', 'x-etcd-trigger-console': '1' };
  return send(`api/${path}`, { method, headers, body: JSON.stringify(body), signal }, UNREACHABLE_WRITE);
}

async function send(url, options, unreachable) {
  const response = await fetch(url, options).catch((error) => {
    throw isAbort(error) ? error : new ApiError(0, { message: unreachable });
  });
  const body = await response.json().catch((error) => {
    if (isAbort(error)) throw error;
    return {};
  });
  if (!response.ok) throw new ApiError(response.status, body ?? {});
  return body;
}

export const isAbort = (error) => error?.name === 'AbortError';
