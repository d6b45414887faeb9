import { quoted } from '../foreign/foreign-text.js';

/** The fault of a decorator that names a cluster for which the application has no `forRoot`. */
export const unknownCluster = (cluster: string): string =>
  `there is no cluster ${quoted(cluster)}; import EtcdTriggerModule.forRoot({ cluster: ${quoted(cluster)}, ... })`;
