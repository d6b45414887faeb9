import type { OwnEtcd } from '../../support/own-etcd.js';
import type { KeyedDocument, Verdict } from '../hostile-document.js';

/** A way in which documents reach the library. */
export interface Door {
  readonly name: string;
  /** False if a document with this verdict cannot be expressed in the form that the door takes. */
  takes(document: KeyedDocument): boolean;
  /** Brings the documents in. */
  enter(etcd: OwnEtcd, documents: readonly KeyedDocument[]): Promise<Entered>;
}

/** Documents that have gone through a door. */
export interface Entered extends AsyncDisposable {
  /** `undefined` for a rejected document if the door does not report why. */
  verdictOf(document: KeyedDocument): Verdict | undefined;
  /** Writes a good value to each key, and returns the values that readers then see, in the same order. */
  heal(): Promise<unknown[]>;
}
