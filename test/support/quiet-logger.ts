import type { LoggerService } from '@nestjs/common';

/** Logger without output. */
export const quiet: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };
