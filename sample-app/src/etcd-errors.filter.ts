import { type ArgumentsHost, Catch, HttpException, HttpStatus } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import {
  ConnectionError,
  EtcdTriggerError,
  InvalidConfigError,
  LockLostError,
  LockTimeoutError,
  RevisionConflictError,
  UnknownOutcomeError,
} from 'nestjs-etcd-trigger';

/** Maps the library's errors to HTTP statuses. Messages and violations contain keys and properties, never values. */
@Catch(EtcdTriggerError)
export class EtcdErrorsFilter extends BaseExceptionFilter {
  override catch(error: EtcdTriggerError, host: ArgumentsHost): void {
    const { code, message } = error;
    const violations = error instanceof InvalidConfigError ? error.violations : undefined;
    super.catch(new HttpException({ code, message, violations }, statusOf(error)), host);
  }
}

function statusOf(error: EtcdTriggerError): HttpStatus {
  if (error instanceof InvalidConfigError) return HttpStatus.BAD_REQUEST;
  if (error instanceof RevisionConflictError) return HttpStatus.PRECONDITION_FAILED;
  if (error instanceof ConnectionError) return HttpStatus.SERVICE_UNAVAILABLE;
  if (error instanceof LockTimeoutError || error instanceof LockLostError) return HttpStatus.CONFLICT;
  if (error instanceof UnknownOutcomeError) return HttpStatus.GATEWAY_TIMEOUT;
  return HttpStatus.BAD_GATEWAY;
}
