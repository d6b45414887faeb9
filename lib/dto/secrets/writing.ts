const WRITING = Symbol.for('nestjs-etcd-trigger:writing');

/** Options of class-transformer for a document that is written to etcd: secrets are not masked. */
export const WRITING_OPTIONS: object = { [WRITING]: true };

export const isWriting = (options: object): boolean => WRITING in options;
