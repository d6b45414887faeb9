import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Of a connection on the loopback interface, as the one who has opened it sees it. */
export interface LoopbackConnection {
  readonly localPort: number;
  readonly remotePort: number;
}

/**
 * Which of these processes has opened a connection. Members of a cluster do not say who they are when they connect; the kernel knows (Linux only). Both
 * ports are needed: connections of several members to different places may share a local port.
 */
export function ownerOf(connection: LoopbackConnection, pids: readonly (number | undefined)[]): number | undefined {
  const inodes = inodesOf(connection);
  return pids.find((pid) => pid !== undefined && inodes.some((inode) => hasSocket(pid, inode)));
}

/** None of a connection that is closed again. */
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
