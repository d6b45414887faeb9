import { constants, type IncomingHttpHeaders } from 'node:http2';
import { printable, quoted } from '../../foreign/foreign-text.js';
import { GrpcCode, parseCode } from './grpc-code.js';
import { GrpcError } from './grpc-error.js';

const MAX_DETAILS_CHARS = 4_096;
/** A percent-encoded byte takes three characters. */
const MAX_ENCODED_CHARS = 3 * MAX_DETAILS_CHARS;

/** Reads the status from trailers, or from the headers of a trailers-only response; `undefined` for OK. */
export function readStatus(trailers: IncomingHttpHeaders): GrpcError | undefined {
  const status = trailers['grpc-status'];
  if (status === '0') return undefined;
  if (status === undefined) return new GrpcError(GrpcCode.INTERNAL, 'the server ended the call without a status');
  const details = decodeDetails(textOf(trailers['grpc-message']));
  const code = parseCode(textOf(status));
  if (code !== undefined) return new GrpcError(code, details);
  return new GrpcError(
    GrpcCode.UNKNOWN,
    `the server sent an undefined gRPC status (${printable(textOf(status))}): ${details}`,
  );
}

/** Rejects response headers that no gRPC server sends; `undefined` when messages may follow. */
export function checkResponse(headers: IncomingHttpHeaders): GrpcError | undefined {
  const status = Number(headers[':status']);
  if (status !== 200) return new GrpcError(codeOfHttpStatus(status), `the server answered with HTTP status ${status}`);
  const contentType = textOf(headers['content-type']);
  if (/^application\/grpc(?:$|[+;])/i.test(contentType)) return undefined;
  return new GrpcError(
    GrpcCode.UNKNOWN,
    `the server does not speak gRPC: it answered with content type ${quoted(contentType)}`,
  );
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
export function codeOfHttpStatus(status: number): GrpcCode {
  switch (status) {
    case 400:
      return GrpcCode.INTERNAL;
    case 401:
      return GrpcCode.UNAUTHENTICATED;
    case 403:
      return GrpcCode.PERMISSION_DENIED;
    case 404:
      return GrpcCode.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode.UNAVAILABLE;
    default:
      return GrpcCode.UNKNOWN;
  }
}

/** Section "Errors" of https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
export function codeOfReset(code: number): GrpcCode {
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return GrpcCode.UNAVAILABLE;
    case constants.NGHTTP2_CANCEL:
      return GrpcCode.CANCELLED;
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return GrpcCode.RESOURCE_EXHAUSTED;
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return GrpcCode.PERMISSION_DENIED;
    default:
      return GrpcCode.INTERNAL;
  }
}

/** Decodes a `grpc-message`; percent signs that encode nothing are kept, as the specification demands. */
export function decodeDetails(encoded: string): string {
  const bytes = encoded
    .slice(0, MAX_ENCODED_CHARS)
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8').slice(0, MAX_DETAILS_CHARS);
}

function textOf(header: string | string[] | undefined): string {
  return header === undefined ? '' : String(header);
}
