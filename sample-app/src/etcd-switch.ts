import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EtcdMember } from 'nestjs-etcd-trigger/testing';

/** Controls the etcd that this app has started: `DELETE` kills it, `PUT` restarts it with its data. */
export function etcdSwitch(member: EtcdMember): (request: IncomingMessage, response: ServerResponse) => void {
  const actions = new Map([
    ['DELETE', () => member.kill()],
    ['PUT', () => member.start()],
  ]);
  return ({ method = '' }, response) => {
    const action = actions.get(method);
    if (!action) {
      response.writeHead(405, { allow: [...actions.keys()].join() }).end();
      return;
    }
    action().then(
      () => response.end(`etcd ${member.running ? 'is running' : 'is stopped'}\n`),
      (error: unknown) => response.writeHead(500).end(`${(error as Error).message}\n`),
    );
  };
}
