/** The port of this instance, which also distinguishes the instances of one machine. */
export const PORT = Number(process.env.PORT ?? 3_000);

/** The name of this instance. In Kubernetes, `POD_NAME` or `HOSTNAME` is the name of the pod. */
export const POD = process.env.POD_NAME ?? `sample-app-${PORT}`;

export const SERVICE = 'sample-app';

/** The prefix of everything that the instances share. */
export const COORDINATION = '/app/coordination';
