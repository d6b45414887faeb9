/** A hash of 32 bits: FNV-1a with the final mix of MurmurHash3, because FNV alone orders similar texts alike. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The weight of a member for a name in rendezvous hashing. */
export const weightOf = (name: string, member: string): number => hashOf(`${name}/${member}`);
