export { EtcdTriggerConsoleModule } from './console.module.js';
export type {
  AsyncConsoleOptions,
  AuthoredRequest,
  AuthorFunction,
  ConsoleOptions,
  ConsoleSettings,
  StaticConsoleOptions,
} from './console.options.js';
