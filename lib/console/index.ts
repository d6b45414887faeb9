export { EtcdTriggerConsoleModule } from './console.module.js';
export type { AsyncConsoleOptions, ConsoleOptions, ConsoleSettings, StaticConsoleOptions } from './console.options.js';
