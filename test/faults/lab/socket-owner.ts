import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const READINGS = 5;

/**
 * Which of these processes has a connection from a loopback port open. Members of a cluster do not say who they are when they connect; the kernel
 * knows (Linux only).
 */
export function ownerOf(localPort: number, pids: readonly (number | undefined)[]): number | undefined {
  // The table is read in pieces; while sockets come and go, one that is there can be passed over.
  for (let reading = 0; reading < READINGS; reading += 1) {
    const inode = inodeOf(localPort);
    const owner = inode === undefined ? undefined : pids.find((pid) => pid !== undefined && hasSocket(pid, inode));
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function inodeOf(localPort: number): string | undefined {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((each) => each.trim().split(/\s+/))
    .find(([, local]) => local?.endsWith(`:${port}`));
  return line?.[9];
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
