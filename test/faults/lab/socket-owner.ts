import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Which of these processes has a connection from a loopback port open. Members of a cluster do not say who they are when they connect; the kernel
 * knows (Linux only).
 */
export function ownerOf(localPort: number, pids: readonly (number | undefined)[]): number | undefined {
  const inodes = inodesOf(localPort);
  return pids.find((pid) => pid !== undefined && inodes.some((inode) => hasSocket(pid, inode)));
}

/** Several: connections to different places may share a local port, and others on this machine have theirs. */
function inodesOf(localPort: number): string[] {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((each) => each.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(`:${port}`))
    .flatMap(([, , , , , , , , , inode]) => inode ?? []);
}

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
