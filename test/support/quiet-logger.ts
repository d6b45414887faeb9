import type { LoggerService } from '@nestjs/common';

/** Says nothing. */
export const quiet: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };
