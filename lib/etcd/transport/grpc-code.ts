/** Status codes of gRPC, https://grpc.io/docs/guides/status-codes. */
export const GrpcCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode];

const NAMES = Object.keys(GrpcCode);

export const nameOfCode = (code: GrpcCode): string => NAMES[code] as string;

/** The code that a `grpc-status` header carries, `undefined` when the text is none of the defined codes. */
export function parseCode(text: string): GrpcCode | undefined {
  return /^(?:\d|1[0-6])$/.test(text) ? (Number(text) as GrpcCode) : undefined;
}
