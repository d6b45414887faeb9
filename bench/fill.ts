import { Etcd3 } from 'etcd3';

export interface FillOptions {
  readonly puts: number;
  /** Number of distinct keys. Further puts overwrite them. */
  readonly keys: number;
  readonly valueBytes: number;
  /** @default 100 */
  readonly putsATransaction?: number;
  /** @default 16 */
  readonly writers?: number;
  readonly value?: (index: number) => string;
  /** @default '/b/' */
  readonly prefix?: string;
}

/** Writes keys under a prefix with concurrent transactions. */
export async function fill(
  hosts: string[],
  { puts, keys, valueBytes, putsATransaction = 100, writers = 16, value, prefix = '/b/' }: FillOptions,
): Promise<void> {
  const client = new Etcd3({ hosts });
  const valueOf = value ?? (() => 'v'.repeat(valueBytes));
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < puts) {
      const first = next;
      next = Math.min(puts, next + putsATransaction);
      const operations = Array.from({ length: next - first }, (_, index) =>
        client.put(`${prefix}${String((first + index) % keys).padStart(6, '0')}`).value(valueOf(first + index)),
      );
      await (operations.length === 1
        ? operations[0]
        : client
            .if('/never', 'Create', '==', 0)
            .then(...operations)
            .commit());
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  client.close();
}
