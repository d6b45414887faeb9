import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Ports of a loopback connection, from the point of view of the client. */
export interface LoopbackConnection {
  readonly localPort: number;
  readonly remotePort: number;
}

/**
 * Returns the process that has opened a connection. Members do not identify themselves when they connect, so the
 * kernel's tables are read (Linux only). Both ports are needed, because connections of several members to different
 * destinations may share a local port.
 */
export function ownerOf(connection: LoopbackConnection, pids: readonly (number | undefined)[]): number | undefined {
  const inodes = inodesOf(connection);
  return pids.find((pid) => pid !== undefined && inodes.some((inode) => hasSocket(pid, inode)));
}

/** Returns an empty list if the connection is already closed. */
function inodesOf({ localPort, remotePort }: LoopbackConnection): string[] {
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((each) => each.trim().split(/\s+/))
    .filter(([, local, remote]) => local?.endsWith(hex(localPort)) && remote?.endsWith(hex(remotePort)))
    .flatMap(([, , , , , , , , , inode]) => inode ?? []);
}

const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;

function hasSocket(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return filesIn(folder).some((file) => {
    try {
      return readlinkSync(`${folder}/${file}`) === `socket:[${inode}]`;
    } catch {
      // Closed in the meantime.
      return false;
    }
  });
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
